//! The kernel proper: records, machine and programs, and what happens between them.

mod faults;
mod image;
mod process;
mod reclaim;
mod run;
mod space;

use alloc::boxed::Box;
use alloc::vec::Vec;

use foreign_access::methods::AnyMethod;
use foreign_access::{Action, Entry, EntryName, Operation};
use heapless::Deque;
use loadphys_plan::histogram::Histogram;
use page_reclaim::Memory;
use page_reclaim::victims::Clock;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::areas::Estate;
use crate::checks::Checks;
use crate::cpu::Features;
use crate::machine::Machine;
use crate::timer::Timer;
use crate::tlb::Tlb;

pub use process::{Process, State};

/// Programs at a time; each has a PCID of its own.
pub const MOST_PROCESSES: usize = 256;

const _: () = assert!(MOST_PROCESSES < crate::methods::VISITS as usize);

/// Operations that are named together.
const ROOM: usize = 512;

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

/// All of it.
pub struct Kernel {
    /// The records.
    pub memory: Memory<'static>,
    /// The deeds.
    pub machine: Machine,
    /// Where operations are named.
    pub room: Box<[Operation]>,
    /// The programs.
    pub processes: Vec<Process>,
    /// What they have come to.
    pub tally: Tally,
    /// Ticks of faults that read from swap.
    pub fault_in: Box<Histogram>,
    /// Of the segment that programs share.
    pub shared_pages: u32,
    ready: Deque<u16, MOST_PROCESSES>,
    clock: Clock,
    timer: Timer,
}

impl Kernel {
    /// With no program yet.
    pub fn new(
        estate: Estate,
        method: AnyMethod<'static>,
        features: &Features,
        timer: Timer,
        shared_pages: u32,
    ) -> Self {
        let tlb = Tlb::new(features.pcid, estate.root);
        let checks = Checks::new(features.smap);
        let machine = Machine::new(method, tlb, estate.window, estate.swap, estate.reach, checks);
        Self {
            memory: estate.memory,
            machine,
            room: alloc::vec![nothing(); ROOM].into_boxed_slice(),
            processes: Vec::new(),
            tally: Tally::default(),
            fault_in: Box::new(Histogram::new()),
            shared_pages,
            ready: Deque::new(),
            clock: Clock::default(),
            timer,
        }
    }
}

/// A place for an operation.
fn nothing() -> Operation {
    let root = PhysFrame::containing_address(x86_64::PhysAddr::zero());
    let name = EntryName { table: root, root, page: VirtAddr::zero(), level: PageTableLevel::One };
    Operation { name, action: Action::Load, found: Entry::EMPTY }
}
