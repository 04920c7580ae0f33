//! What each CPU counts, and the sum that the guest is told.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::counters::{CALLS, Counters, REASONS};

/// A number that one CPU raises and all may read.
#[derive(Debug)]
#[repr(transparent)]
pub struct Count(AtomicU64);

impl Count {
    /// Raises it. Only the CPU that it belongs to does, so nothing is lost between load and store.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// [`Counters`] of one CPU. All zeroes: nothing counted.
#[derive(Debug)]
#[repr(C)]
pub struct Counts {
    /// Exits of any reason.
    pub exits: Count,
    /// Calls that were refused.
    pub refused: Count,
    /// Items of batches that were done.
    pub batch_items: Count,
    /// Entries of the alias that were taken away.
    pub alias_flushes: Count,
    /// Code outside of the gate in a view that is not its own.
    pub view_strays: Count,
    /// NMIs that waited for a CPU to leave the gate.
    pub nmis_held: Count,
    /// Entries in which Accessed or Dirty were set for the walker.
    pub flags_set: Count,
    /// Views that were taken from one root for another.
    pub views_recycled: Count,
    /// Exits by reason.
    pub by_reason: [Count; REASONS],
    /// Calls by number.
    pub by_call: [Count; CALLS],
}

const _: () = assert!(size_of::<Counts>() == size_of::<Counters>());

impl Counts {
    /// One more exit, for this reason.
    #[inline]
    pub fn exit(&self, reason: usize) {
        self.exits.add(1);
        self.by_reason[reason.min(REASONS - 1)].add(1);
    }

    fn add_to(&self, sum: &mut Counters) {
        sum.exits += self.exits.get();
        sum.refused += self.refused.get();
        sum.batch_items += self.batch_items.get();
        sum.alias_flushes += self.alias_flushes.get();
        sum.view_strays += self.view_strays.get();
        sum.nmis_held += self.nmis_held.get();
        sum.flags_set += self.flags_set.get();
        sum.views_recycled += self.views_recycled.get();
        let pairs = sum.by_reason.iter_mut().zip(&self.by_reason);
        for (to, from) in pairs.chain(sum.by_call.iter_mut().zip(&self.by_call)) {
            *to += from.get();
        }
    }
}

/// What all CPUs have counted. Those that run go on meanwhile: the sum is of no one moment.
pub fn total(counts: &[Counts]) -> Counters {
    let mut sum = Counters::ZERO;
    counts.iter().for_each(|counts| counts.add_to(&mut sum));
    sum
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;

    use loadphys_abi::counters::Counters;

    use super::{Count, Counts, total};

    const fn none() -> Count {
        Count(AtomicU64::new(0))
    }

    fn counts() -> Counts {
        Counts {
            exits: none(),
            refused: none(),
            batch_items: none(),
            alias_flushes: none(),
            view_strays: none(),
            nmis_held: none(),
            flags_set: none(),
            views_recycled: none(),
            by_reason: [const { none() }; _],
            by_call: [const { none() }; _],
        }
    }

    #[test]
    fn every_count_of_every_cpu_is_in_the_sum() {
        let all = [counts(), counts()];
        for (cpu, counts) in (1..).zip(&all) {
            let Counts { exits, refused, batch_items, alias_flushes, view_strays, .. } = counts;
            let Counts { nmis_held, flags_set, views_recycled, by_reason, by_call, .. } = counts;
            let single = [exits, refused, batch_items, alias_flushes, view_strays];
            let single = single.into_iter().chain([nmis_held, flags_set, views_recycled]);
            let words = single.chain(by_reason).chain(by_call);
            for (word, number) in words.zip(1..) {
                word.add(number);
                word.add(number * 1000 * cpu);
            }
        }
        let sum = total(&all);
        let Counters { exits, refused, batch_items, alias_flushes, view_strays, .. } = sum;
        let Counters { nmis_held, flags_set, views_recycled, by_reason, by_call, .. } = sum;
        let single = [exits, refused, batch_items, alias_flushes, view_strays];
        let single = single.into_iter().chain([nmis_held, flags_set, views_recycled]);
        let words = single.chain(by_reason).chain(by_call);
        assert!(words.eq((1..).take(8 + by_reason.len() + by_call.len()).map(|n: u64| n * 3002)));
    }
}
