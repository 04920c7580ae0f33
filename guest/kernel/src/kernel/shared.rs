//! What all CPUs share, behind one lock.
//!
//! Whoever waits for the lock has interrupts on: who holds it may be waiting until this CPU has answered an
//! interrupt. So nobody takes it in a handler, nor while a method has interrupts off; [`Core::lock`] checks it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use heapless::Deque;
use loadphys_plan::histogram::Histogram;
use page_reclaim::Memory;
use page_reclaim::victims::Clock;
use spin::{Mutex, MutexGuard};
use x86_64::instructions::interrupts;

use super::process::Process;

/// Programs at a time; each has a PCID of its own.
pub const MOST_PROCESSES: usize = 256;

/// What programs and faults have come to, since the start or since it was last taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Pages with the right contents.
    pub verified: u64,
    /// Pages with wrong contents.
    pub lost: u64,
    /// Programs that came to their end.
    pub finished: u64,
    /// Programs that were ended.
    pub ended: u64,
    /// Programs interrupted for another to run.
    pub preemptions: u64,
    /// Pages read from swap.
    pub faulted_in: u64,
    /// Pages evicted.
    pub evicted: u64,
    /// Victims left alone because swap is full.
    pub swap_full: u64,
    /// Calls of the stub from ring 3 that it refused.
    pub refused_in_ring_3: u64,
}

/// The records and the programs.
pub struct Core {
    /// The records.
    pub memory: Memory<'static>,
    /// The programs.
    pub processes: Vec<Process>,
    /// What they have come to.
    pub tally: Tally,
    /// Ticks of faults that read from swap.
    pub fault_in: Box<Histogram>,
    /// Of the segment that programs share.
    pub shared_pages: u32,
    /// Programs that can run, in turn.
    pub(super) ready: Deque<u16, MOST_PROCESSES>,
    pub(super) clock: Clock,
}

impl Core {
    /// With no program yet, for ever.
    pub fn keep(memory: Memory<'static>, shared_pages: u32) -> &'static Mutex<Self> {
        Box::leak(Box::new(Mutex::new(Self {
            memory,
            processes: Vec::new(),
            tally: Tally::default(),
            fault_in: Box::new(Histogram::new()),
            shared_pages,
            ready: Deque::new(),
            clock: Clock::default(),
        })))
    }

    /// Takes the lock.
    #[inline]
    pub fn lock(shared: &Mutex<Self>) -> MutexGuard<'_, Self> {
        debug_assert!(interrupts::are_enabled(), "who waits for the records answers interrupts");
        shared.lock()
    }

    pub(super) fn make_ready(&mut self, number: usize) {
        self.ready.push_back(number as u16).expect("room for every program");
    }
}
