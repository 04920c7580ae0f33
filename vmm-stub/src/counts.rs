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
    /// Exits by reason.
    pub by_reason: [Count; REASONS],
    /// Calls by number.
    pub by_call: [Count; CALLS],
}

const _: () = assert!(size_of::<Counts>() == size_of::<Counters>());

impl Counts {
    fn add_to(&self, sum: &mut Counters) {
        sum.exits += self.exits.get();
        sum.refused += self.refused.get();
        sum.batch_items += self.batch_items.get();
        sum.alias_flushes += self.alias_flushes.get();
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
        let [exits, refused, batch_items, alias_flushes] = [none(), none(), none(), none()];
        let (by_reason, by_call) = ([const { none() }; _], [const { none() }; _]);
        Counts { exits, refused, batch_items, alias_flushes, by_reason, by_call }
    }

    #[test]
    fn every_count_of_every_cpu_is_in_the_sum() {
        let all = [counts(), counts()];
        for (cpu, counts) in (1..).zip(&all) {
            let Counts { exits, refused, batch_items, alias_flushes, by_reason, by_call } = counts;
            let single = [exits, refused, batch_items, alias_flushes];
            let words = single.into_iter().chain(by_reason).chain(by_call);
            for (word, number) in words.zip(1..) {
                word.add(number);
                word.add(number * 1000 * cpu);
            }
        }
        let Counters { exits, refused, batch_items, alias_flushes, by_reason, by_call } =
            total(&all);
        let single = [exits, refused, batch_items, alias_flushes];
        let words = single.into_iter().chain(by_reason).chain(by_call);
        assert!(words.eq((1..).take(4 + by_reason.len() + by_call.len()).map(|n: u64| n * 3002)));
    }
}
