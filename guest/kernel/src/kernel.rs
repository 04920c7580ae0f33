//! The kernel proper: records, machine and programs, and what happens between them.

mod faults;
mod image;
mod process;
mod reclaim;
mod run;
mod shared;
mod space;

use alloc::boxed::Box;

use foreign_access::methods::AnyMethod;
use foreign_access::{Action, Entry, EntryName, Operation};
use page_reclaim::Write;
use spin::{Mutex, MutexGuard};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::areas::Estate;
use crate::checks::Checks;
use crate::cpu::Features;
use crate::machine::Machine;
use crate::timer::Timer;
use crate::tlb::Tlb;

pub use process::State;
pub use shared::{Core, MOST_PROCESSES, Tally};

/// Operations that are named together.
const ROOM: usize = 512;

/// Pages that are evicted together, at most.
const TOGETHER: usize = 512;

/// The kernel, as one CPU has it.
pub struct Kernel {
    /// What all CPUs share.
    shared: &'static Mutex<Core>,
    /// The deeds.
    pub machine: Machine,
    /// Where operations are named.
    pub room: Box<[Operation]>,
    /// Where pages are named that are evicted together.
    pages: Box<[Write]>,
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
        let shared = Core::keep(estate.memory, shared_pages);
        let room = alloc::vec![nothing(); ROOM].into_boxed_slice();
        let pages = alloc::vec![Write::NOTHING; TOGETHER].into_boxed_slice();
        Self { shared, machine, room, pages, timer }
    }

    /// What all CPUs share, for this one alone until the guard is dropped. It borrows nothing of this CPU's.
    #[inline]
    pub fn core(&self) -> MutexGuard<'static, Core> {
        Core::lock(self.shared)
    }

    /// What all CPUs share, and what this one has to work on it.
    pub fn parts(&mut self) -> (MutexGuard<'static, Core>, &mut Machine, &mut [Operation]) {
        (self.core(), &mut self.machine, &mut self.room)
    }

    /// What programs and faults have come to.
    pub fn tally(&self) -> Tally {
        self.core().tally
    }
}

/// A place for an operation.
fn nothing() -> Operation {
    let root = PhysFrame::containing_address(x86_64::PhysAddr::zero());
    let name = EntryName { table: root, root, page: VirtAddr::zero(), level: PageTableLevel::One };
    Operation { name, action: Action::Load, found: Entry::EMPTY }
}
