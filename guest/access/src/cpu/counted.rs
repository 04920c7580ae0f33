//! A CPU that counts what it is asked.

use core::cell::Cell;

use super::observed::{Observed, Observer, Step};

/// How often each thing was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Entries loaded at virtual addresses.
    pub entry_loads: u64,
    /// Entries exchanged or compared and exchanged at virtual addresses.
    pub entry_writes: u64,
    /// INVLPG.
    pub invlpgs: u64,
    /// VMFUNCs, one there and one back.
    pub vmfuncs: u64,
    /// Calls of the stub, a batch being one.
    pub vm_calls: u64,
    /// Writes of CR3.
    pub root_writes: u64,
    /// Times that paging was turned off and on again.
    pub paging_off: u64,
    /// Times that work was done in another space's context.
    pub contexts: u64,
    /// Times that interrupts were turned off.
    pub masks: u64,
}

/// Counts what methods ask of another CPU. Rounds that count are other rounds than those that are
/// timed, so that counting costs nothing where it matters.
pub type Counted<C> = Observed<C, Count>;

/// Counts steps.
#[derive(Debug, Default)]
pub struct Count(Cell<Events>);

impl Observer for Count {
    fn before(&self, step: Step) {
        let mut events = self.0.get();
        match step {
            Step::Load => events.entry_loads += 1,
            Step::Store => events.entry_writes += 1,
            Step::SetRoot => events.root_writes += 1,
            Step::Mask => events.masks += 1,
            Step::Restore => {}
            Step::WithoutPaging(items) => {
                events.paging_off += 1;
                events.entry_writes += items as u64;
            }
            Step::ThroughView { loads, stores, invlpgs } => {
                events.vmfuncs += 2;
                events.entry_loads += loads;
                events.entry_writes += stores;
                events.invlpgs += invlpgs;
            }
            Step::InContext => events.contexts += 1,
            Step::Invlpg => events.invlpgs += 1,
            Step::Vmcall => events.vm_calls += 1,
        }
        self.0.set(events);
    }
}

impl<C> Counted<C> {
    /// Counts from nothing.
    pub fn new(cpu: C) -> Self {
        Self::by(Count::default(), cpu)
    }

    /// What was counted since the last time, without starting anew.
    pub fn so_far(&self) -> Events {
        self.observer.0.get()
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Events {
        self.observer.0.take()
    }
}
