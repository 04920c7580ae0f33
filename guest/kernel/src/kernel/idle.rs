//! CPUs that have nothing to do: they halt, and the timer wakes them once a slice.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::interrupts;

use super::Kernel;
use super::team::Task;
use crate::firmware::PmTimer;
use crate::interrupts::take_slice_over;
use crate::measure::elapsed::Elapsed;

/// For how long CPUs are idle, and how often they were woken.
pub struct Rest {
    clock: PmTimer,
    /// Of the clock.
    counts: u64,
    slices: AtomicU64,
}

impl Rest {
    /// For so many counts of a clock.
    pub const fn new(clock: PmTimer, counts: u64) -> Self {
        Self { clock, counts, slices: AtomicU64::new(0) }
    }

    /// Interrupts of the timer that CPUs have taken.
    pub fn slices(&self) -> u64 {
        self.slices.load(Ordering::Relaxed)
    }
}

impl Kernel {
    /// Has all CPUs halt, but for the timer's interrupts, until the rest is over.
    pub fn idle_together(&mut self, rest: &Arc<Rest>) {
        self.together(Task::Idle(Arc::clone(rest)));
    }

    /// Halts slice after slice.
    pub(super) fn idle(&mut self, rest: &Rest) {
        let mut elapsed = Elapsed::new(rest.clock);
        while elapsed.counts() < rest.counts {
            self.halt_for_a_slice();
            rest.slices.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Other interrupts wake the CPU too, and it halts again. The timer's is looked for with interrupts off, so that the one that
    /// wakes is not missed.
    fn halt_for_a_slice(&self) {
        interrupts::disable();
        take_slice_over();
        self.timer.arm();
        while !take_slice_over() {
            interrupts::enable_and_hlt();
            interrupts::disable();
        }
        interrupts::enable();
    }
}
