//! Events of the batches of one row, as one CPU counts them.

use foreign_access::cpu::Events as MethodEvents;
use loadphys_plan::records::Events;

use crate::machine::Machine;
use crate::stub;
use crate::tlb::Done;

/// Counts from batch to batch. Exits are those of the whole machine, so they are counted only where one CPU works.
#[derive(Clone, Debug)]
pub struct EventCounter {
    has_stub: bool,
    exits_before: u64,
    before: Done,
    pages: u64,
    exits: u64,
    most_exits: u64,
    root_writes: u64,
    ipis: u64,
    longest_masked: u64,
    method: MethodEvents,
}

impl EventCounter {
    /// Nothing counted yet.
    pub fn new(has_stub: bool) -> Self {
        Self {
            has_stub,
            exits_before: 0,
            before: Done::default(),
            pages: 0,
            exits: 0,
            most_exits: 0,
            root_writes: 0,
            ipis: 0,
            longest_masked: 0,
            method: MethodEvents::default(),
        }
    }

    /// A batch begins.
    pub fn begin(&mut self, machine: &mut Machine) {
        machine.count(true);
        self.before = machine.tlb.done;
        self.exits_before = self.exits_so_far(machine);
    }

    /// A batch of so many pages is done.
    pub fn end(&mut self, machine: &mut Machine, pages: u64) {
        // The call that reads the counters is an exit of its own, and counts itself.
        let exits = (self.exits_so_far(machine) - self.exits_before).saturating_sub(1);
        self.exits += exits;
        self.most_exits = self.most_exits.max(exits);
        self.root_writes += machine.tlb.done.root_writes - self.before.root_writes;
        self.ipis += machine.tlb.done.ipis - self.before.ipis;
        self.longest_masked = self.longest_masked.max(machine.longest_masked());
        self.pages += pages;
        self.add(machine.count(false));
    }

    fn add(&mut self, done: MethodEvents) {
        self.method.entry_loads += done.entry_loads;
        self.method.entry_writes += done.entry_writes;
        self.method.invlpgs += done.invlpgs;
        self.method.vmfuncs += done.vmfuncs;
        self.method.vm_calls += done.vm_calls;
        self.root_writes += done.root_writes;
    }

    /// Takes what another CPU has counted.
    pub fn absorb(&mut self, other: &Self) {
        self.add(other.method);
        self.pages += other.pages;
        self.root_writes += other.root_writes;
        self.ipis += other.ipis;
        self.longest_masked = self.longest_masked.max(other.longest_masked);
    }

    /// Exits of all CPUs, which none of them can count alone.
    pub fn add_exits(&mut self, exits: u64) {
        self.exits += exits;
    }

    /// Exits to the stub so far, if there is one.
    pub fn exits_so_far(&self, machine: &Machine) -> u64 {
        if self.has_stub { stub::counters(machine.cpu()).exits } else { 0 }
    }

    /// Means per page.
    pub fn per_page(&self) -> Events {
        let per_page = |count: u64| count as f64 / self.pages.max(1) as f64;
        Events {
            vm_exits: per_page(self.exits),
            vmfuncs: per_page(self.method.vmfuncs),
            root_writes: per_page(self.root_writes),
            invlpgs: per_page(self.method.invlpgs),
            ipis: per_page(self.ipis),
            entry_loads: per_page(self.method.entry_loads),
            entry_writes: per_page(self.method.entry_writes),
        }
    }

    /// Exits of the batch that had most.
    pub fn most_exits(&self) -> u64 {
        self.most_exits
    }

    /// Ticks of the longest use of the method during which interrupts were off.
    pub fn longest_masked(&self) -> u64 {
        self.longest_masked
    }
}
