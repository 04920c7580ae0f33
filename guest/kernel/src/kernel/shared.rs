//! What all CPUs share: the records and programs behind one lock, and a gate.
//!
//! Whoever waits for either has interrupts on: who holds it may be waiting until this CPU has answered an
//! interrupt. So nobody waits in a handler, nor while a method has interrupts off; builds with debug assertions check it.
//!
//! The gate comes before the lock: evictions pass it together and hold it from beginning to end, though they hold the lock
//! only for steps; who ends a space passes it alone.

use alloc::boxed::Box;
use alloc::vec::Vec;

use heapless::Deque;
use loadphys_plan::histogram::Histogram;
use loadphys_plan::work::MOST_SPACES;
use page_reclaim::Memory;
use spin::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use x86_64::instructions::interrupts;

use super::process::Process;

/// Programs at a time.
pub const MOST_PROCESSES: usize = MOST_SPACES as usize;

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
    /// Those of them that needed a page which could not be read.
    pub ended_by_device: u64,
    /// Programs interrupted for another to run.
    pub preemptions: u64,
    /// Pages read from swap.
    pub faulted_in: u64,
    /// Pages that were new.
    pub zeroed: u64,
    /// Pages evicted.
    pub evicted: u64,
    /// Victims left alone because swap is full.
    pub swap_full: u64,
    /// Victims put back because the swap disk failed.
    pub write_failed: u64,
    /// Calls of the stub from ring 3 that it refused.
    pub refused_in_ring_3: u64,
}

impl Tally {
    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self {
            verified: self.verified + other.verified,
            lost: self.lost + other.lost,
            finished: self.finished + other.finished,
            ended: self.ended + other.ended,
            ended_by_device: self.ended_by_device + other.ended_by_device,
            preemptions: self.preemptions + other.preemptions,
            faulted_in: self.faulted_in + other.faulted_in,
            zeroed: self.zeroed + other.zeroed,
            evicted: self.evicted + other.evicted,
            swap_full: self.swap_full + other.swap_full,
            write_failed: self.write_failed + other.write_failed,
            refused_in_ring_3: self.refused_in_ring_3 + other.refused_in_ring_3,
        }
    }
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
    /// Programs that were started since all were cleared away.
    pub(super) started: u64,
    /// Programs that can run, in turn.
    pub(super) ready: Deque<u16, MOST_PROCESSES>,
}

/// All of it, for one CPU alone.
pub type CoreGuard<'c> = RwLockWriteGuard<'c, Core>;

/// The lock and the gate.
pub struct Shared {
    core: RwLock<Core>,
    gate: RwLock<()>,
}

impl Shared {
    /// With no program yet, for ever.
    pub fn keep(memory: Memory<'static>, shared_pages: u32) -> &'static Self {
        let core = RwLock::new(Core {
            memory,
            processes: Vec::new(),
            tally: Tally::default(),
            fault_in: Box::new(Histogram::new()),
            shared_pages,
            started: 0,
            ready: Deque::new(),
        });
        Box::leak(Box::new(Self { core, gate: RwLock::new(()) }))
    }

    /// Takes the lock.
    #[inline]
    pub fn core(&self) -> CoreGuard<'_> {
        debug_assert!(interrupts::are_enabled(), "who waits for the records answers interrupts");
        self.core.write()
    }

    /// Looks at what the lock is for, together with others who look.
    #[inline]
    pub fn look(&self) -> RwLockReadGuard<'_, Core> {
        debug_assert!(interrupts::are_enabled(), "who waits for the records answers interrupts");
        self.core.read()
    }

    /// Passes the gate together with others who evict.
    #[inline]
    pub fn evicting(&self) -> RwLockReadGuard<'_, ()> {
        debug_assert!(interrupts::are_enabled(), "who waits at the gate answers interrupts");
        self.gate.read()
    }

    /// Whether anybody evicts.
    pub fn is_evicting(&self) -> bool {
        self.gate.reader_count() > 0
    }

    /// Passes the gate alone.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        debug_assert!(interrupts::are_enabled(), "who waits at the gate answers interrupts");
        self.gate.write()
    }
}

impl Core {
    pub(super) fn make_ready(&mut self, number: usize) {
        self.ready.push_back(number as u16).expect("room for every program");
    }
}
