//! Which view of the stub's shows which root in the place of which: what it was asked for, for all CPUs.
//!
//! The stub takes a view from one pair of roots for another when it has no more. So a CPU may only be in a view while
//! nobody asks for one: those inside are counted, and who asks waits until there are none.

use core::ops::Range;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use x86_64::structures::paging::PhysFrame;

use super::registration::{self, MOST_VIEWS};
use crate::cpu::Cpu;
use crate::operation::Refusal;

/// Places in which a view is looked for, and how many of them for one pair.
const PLACES: usize = 1024;
const TRIES: usize = 4;

/// Somebody asks, or waits for it.
const ASKING: u32 = 1 << 31;

/// No root lies at 0, where the firmware's vectors are.
const NOBODY: u64 = 0;

/// Our root, and that which stands in its place.
type Pair = [AtomicU64; 2];

fn set(pair: &Pair, roots: [u64; 2]) {
    pair.iter().zip(roots).for_each(|(known, root)| known.store(root, Ordering::Relaxed));
}

/// What the stub was asked for.
#[derive(Debug)]
pub struct Bindings {
    /// How many CPUs are inside of a view, and [`ASKING`].
    inside: AtomicU32,
    /// By view.
    pairs: [Pair; MOST_VIEWS as usize],
    /// The first number that no view has had.
    end: AtomicU32,
    /// Views by pair: a pair's view stands in one of the places that are its own, if it found room there.
    places: [AtomicU16; PLACES],
}

/// The places of a pair.
#[inline]
fn places([own, root]: [u64; 2]) -> Range<usize> {
    // Fibonacci hashing: frames that lie at equal distances come to lie far apart.
    let hash = (own.rotate_left(32) ^ root).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let first = hash as usize % (PLACES - TRIES + 1);
    first..first + TRIES
}

impl Bindings {
    /// None yet.
    pub const fn none() -> Self {
        Self {
            inside: AtomicU32::new(0),
            pairs: [const { [const { AtomicU64::new(NOBODY) }; 2] }; MOST_VIEWS as usize],
            end: AtomicU32::new(0),
            places: [const { AtomicU16::new(0) }; PLACES],
        }
    }

    /// Enters: from now until [`Bindings::leave`] no view is taken from anybody. Gives the view in which `root` stands in the place
    /// of `own`; the stub is asked for it if it is not known.
    ///
    /// # Errors
    /// The stub's refusal; then nobody is inside.
    #[inline]
    pub fn enter<C: Cpu>(&self, cpu: &C, own: PhysFrame, root: PhysFrame) -> Result<u32, Refusal> {
        let pair = [own, root].map(|root| root.start_address().as_u64());
        while !self.counts_in() {
            cpu.pause();
        }
        match places(pair).find_map(|place| self.view_at(place, pair)) {
            Some(view) => Ok(view),
            None => {
                self.leave();
                self.ask(cpu, pair)
            }
        }
    }

    /// Leaves.
    #[inline]
    pub fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::Release);
    }

    /// A table is to be released: if it is a root, no view shows it or is entered from it any more.
    pub fn forget<C: Cpu>(&self, cpu: &C, table: PhysFrame) {
        let table = table.start_address().as_u64();
        let has = |pair: &&Pair| pair.iter().any(|root| root.load(Ordering::Relaxed) == table);
        let known = &self.pairs[..self.end.load(Ordering::Relaxed) as usize];
        if known.iter().any(|pair| has(&pair)) {
            // A handler that used the method here would wait for what it has interrupted.
            let were_on = cpu.mask_interrupts();
            self.alone(cpu);
            known.iter().filter(has).for_each(|pair| set(pair, [NOBODY; 2]));
            self.inside.store(0, Ordering::Release);
            cpu.restore_interrupts(were_on);
        }
    }

    /// One more is inside, unless somebody asks.
    #[inline]
    fn counts_in(&self) -> bool {
        let inside = self.inside.load(Ordering::Relaxed);
        inside & ASKING == 0
            && self
                .inside
                .compare_exchange_weak(inside, inside + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Waits until nobody is inside, and keeps it so.
    fn alone<C: Cpu>(&self, cpu: &C) {
        while self.inside.fetch_or(ASKING, Ordering::Acquire) & ASKING != 0 {
            cpu.pause();
        }
        while self.inside.load(Ordering::Acquire) != ASKING {
            cpu.pause();
        }
    }

    /// Asks the stub for a view, and enters.
    fn ask<C: Cpu>(&self, cpu: &C, pair: [u64; 2]) -> Result<u32, Refusal> {
        self.alone(cpu);
        let answer = registration::bind_view(cpu, pair);
        if let Ok(view) = answer {
            self.remember(view, pair);
        }
        self.inside.store(u32::from(answer.is_ok()), Ordering::Release);
        answer
    }

    /// Whoever had the view has it no more.
    fn remember(&self, view: u32, pair: [u64; 2]) {
        let known = &self.pairs[view as usize];
        let before = known.each_ref().map(|root| root.load(Ordering::Relaxed));
        let at = |place: usize| self.places[place].load(Ordering::Relaxed);
        if let Some(place) = places(before).find(|place| u32::from(at(*place)) == view) {
            self.places[place].store(0, Ordering::Relaxed);
        }
        set(known, pair);
        self.end.fetch_max(view + 1, Ordering::Relaxed);
        let Range { start, .. } = places(pair);
        let free = places(pair).find(|place| at(*place) == 0).unwrap_or(start);
        self.places[free].store(view as u16, Ordering::Relaxed);
    }

    /// The view that a place holds, if it is that of the pair.
    #[inline]
    fn view_at(&self, place: usize, pair: [u64; 2]) -> Option<u32> {
        let view = self.places[place].load(Ordering::Relaxed);
        let known = self.pairs[usize::from(view)].each_ref().map(|it| it.load(Ordering::Relaxed));
        (known == pair).then_some(u32::from(view))
    }
}
