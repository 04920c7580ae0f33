//! The kernel proper: records, machine and programs, and what happens between them.

mod colleague;
mod evacuate;
mod faults;
mod fork;
mod idle;
mod image;
mod process;
mod reclaim;
mod run;
mod share_out;
mod shared;
mod space;
mod team;

use alloc::boxed::Box;
use alloc::sync::Arc;

use foreign_access::{Action, Entry, EntryName, Operation};
use loadphys_plan::command_line::MethodName;
use page_reclaim::Write;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::areas::Estate;
use crate::cpu::Features;
use crate::firmware::PmTimer;
use crate::machine::Machine;
use crate::timer::Timer;
use shared::{CoreGuard, Shared};
use team::Task;

pub use colleague::Colleague;
pub use idle::Rest;
pub use process::{Process, State, Wanted};
pub use share_out::Round;
pub use shared::{Core, MOST_PROCESSES, Tally};

/// Operations that are named together.
const ROOM: usize = 512;

/// Pages that are evicted together, at most.
const TOGETHER: usize = 512;

/// The kernel, as one CPU has it.
pub struct Kernel {
    /// What all CPUs share.
    shared: &'static Shared,
    /// The deeds.
    pub machine: Machine,
    /// Where operations are named.
    pub room: Box<[Operation]>,
    /// Where pages are named that are evicted together.
    pages: Box<[Write]>,
    timer: Timer,
    /// What other CPUs are made of.
    colleague: Colleague,
    /// Of this CPU.
    number: usize,
    /// How many others work with this one; only the boot CPU has any.
    others: usize,
    /// The method in use.
    method: MethodName,
}

impl Kernel {
    /// Of the boot CPU, with no program and no other CPU yet; there will be so many in all.
    pub fn new(
        estate: Estate,
        features: &Features,
        timer: Timer,
        shared_pages: u32,
        cpus: usize,
    ) -> Self {
        let mut kernel = Colleague::first(estate, features, timer, shared_pages, cpus).kernel(0);
        kernel.machine.fit();
        kernel
    }

    /// What other CPUs are made of.
    pub fn colleague(&self) -> &Colleague {
        &self.colleague
    }

    /// So many other CPUs have started and will work with this one.
    pub fn work_with(&mut self, others: usize) {
        self.others = others;
    }

    /// The machine's own clock, if it has one.
    pub fn clock(&self) -> Option<PmTimer> {
        self.timer.clock()
    }

    /// CPUs that work together.
    pub fn cpus(&self) -> usize {
        self.others + 1
    }

    /// Uses a method from now on.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub fn choose(&mut self, method: MethodName) -> Result<(), &'static str> {
        if self.others > 0 && !method.works_on_several_cpus() {
            return Err(
                "its target may be running on another CPU, so it is measured on one CPU only",
            );
        }
        self.machine.choose(self.colleague.method(method, self.number)?);
        self.method = method;
        Ok(())
    }

    /// What all CPUs share, for this one alone until the guard is dropped. It borrows nothing of this CPU's.
    #[inline]
    pub fn core(&self) -> CoreGuard<'static> {
        self.shared.core()
    }

    /// What all CPUs share, and what this one has to work on it.
    pub fn parts(&mut self) -> (CoreGuard<'static>, &mut Machine, &mut [Operation]) {
        (self.core(), &mut self.machine, &mut self.room)
    }

    /// What programs and faults have come to.
    pub fn tally(&self) -> Tally {
        self.core().tally
    }

    /// Has all CPUs run programs until none can run any more.
    pub fn run(&mut self) {
        self.together(Task::Run);
    }

    /// Has all CPUs evict the victims of a round.
    pub fn evict_together(&mut self, round: &Arc<Round>) {
        self.together(Task::Evict(Arc::clone(round)));
    }
}

/// A place for an operation.
fn nothing() -> Operation {
    let root = PhysFrame::containing_address(x86_64::PhysAddr::zero());
    let name = EntryName::new(root, root, VirtAddr::zero(), PageTableLevel::One);
    Operation { name, action: Action::Load, found: Entry::EMPTY }
}
