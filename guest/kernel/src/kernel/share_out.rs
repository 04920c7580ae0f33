//! Victims of a round, shared out in batches: each CPU takes the next one until none is left.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use page_reclaim::Evicted;
use spin::Mutex;
use x86_64::structures::paging::PhysFrame;

use super::Kernel;
use crate::measure::events::EventCounter;
use crate::measure::stopwatch::STAGES;

/// How one batch went.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Its victims.
    pub victims: usize,
    /// What came of them.
    pub evicted: Evicted,
    /// Ticks of its stages, on the CPU that evicted it.
    pub ticks: [u64; STAGES],
}

/// A round.
pub struct Round {
    victims: Vec<PhysFrame>,
    batch: usize,
    /// Events are counted, and no ticks.
    counter: Option<EventCounter>,
    next: AtomicUsize,
    done: Mutex<Vec<Batch>>,
    counted: Mutex<Vec<EventCounter>>,
}

impl Round {
    /// Of these victims in batches of so many. With a counter, each CPU counts events by one like it.
    pub fn new(victims: Vec<PhysFrame>, batch: usize, counter: Option<EventCounter>) -> Self {
        let done = Vec::with_capacity(victims.len().div_ceil(batch));
        let (next, counted) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        Self { victims, batch, counter, next, done: Mutex::new(done), counted }
    }

    /// The next batch, if there is one.
    fn take(&self) -> Option<&[PhysFrame]> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.victims.chunks(self.batch).nth(number)
    }

    /// How the batches went.
    pub fn batches(&self) -> Vec<Batch> {
        self.done.lock().clone()
    }

    /// What each CPU has counted.
    pub fn counted(&self) -> Vec<EventCounter> {
        self.counted.lock().clone()
    }
}

impl Kernel {
    /// Evicts batches of a round until none is left.
    pub(super) fn evict_share(&mut self, round: &Round) {
        let mut counter = round.counter.clone();
        let (mut gone, mut swap_full, mut write_failed) = (0, 0, 0);
        while let Some(victims) = round.take() {
            if let Some(counter) = &mut counter {
                counter.begin(&mut self.machine);
            }
            let evicted = self.evict_uncounted(victims);
            if let Some(counter) = &mut counter {
                counter.end(&mut self.machine, victims.len() as u64);
            }
            gone += evicted.evicted;
            swap_full += evicted.swap_full;
            write_failed += evicted.write_failed;
            let ticks = *self.machine.stopwatch.ticks();
            round.done.lock().push(Batch { victims: victims.len(), evicted, ticks });
        }
        // Once for all: the lock is in demand.
        self.core().count_evicted(gone, swap_full, write_failed);
        round.counted.lock().extend(counter);
    }
}
