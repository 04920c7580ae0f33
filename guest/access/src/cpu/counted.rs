//! A CPU that counts what it is asked.
#![expect(unsafe_code, reason = "hands on the operations of a CPU")]

use core::cell::Cell;

use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Cpu, Paging};
use crate::entry::Entry;

/// How often each thing was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Entries loaded at virtual addresses.
    pub entry_loads: u64,
    /// Entries exchanged or compared and exchanged at virtual addresses.
    pub entry_writes: u64,
    /// INVLPG.
    pub invlpgs: u64,
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
#[derive(Debug)]
pub struct Counted<C> {
    cpu: C,
    events: Cell<Events>,
}

impl<C> Counted<C> {
    /// Counts from nothing.
    pub const fn new(cpu: C) -> Self {
        let none = Events {
            entry_loads: 0,
            entry_writes: 0,
            invlpgs: 0,
            vm_calls: 0,
            root_writes: 0,
            paging_off: 0,
            contexts: 0,
            masks: 0,
        };
        Self { cpu, events: Cell::new(none) }
    }

    /// What was counted since the last time, without starting anew.
    pub fn so_far(&self) -> Events {
        self.events.get()
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Events {
        self.events.take()
    }

    fn count(&self, change: impl FnOnce(&mut Events)) {
        let mut events = self.events.get();
        change(&mut events);
        self.events.set(events);
    }
}

// SAFETY: everything is done by the CPU that is counted.
unsafe impl<C: Cpu> Cpu for Counted<C> {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        self.count(|events| events.entry_loads += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        self.count(|events| events.entry_writes += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        self.count(|events| events.entry_writes += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.compare_exchange(address, expected, new) }
    }

    fn root(&self) -> PhysFrame {
        self.cpu.root()
    }

    fn root_register(&self) -> u64 {
        self.cpu.root_register()
    }

    unsafe fn set_root_register(&self, value: u64) {
        self.count(|events| events.root_writes += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.set_root_register(value) };
    }

    fn mask_interrupts(&self) -> bool {
        self.count(|events| events.masks += 1);
        self.cpu.mask_interrupts()
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.cpu.restore_interrupts(were_on);
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        self.count(|events| {
            events.paging_off += 1;
            events.entry_writes += items.len() as u64;
        });
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.without_paging(items) }
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        self.count(|events| events.contexts += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.in_context(root, work) };
    }

    fn number(&self) -> usize {
        self.cpu.number()
    }

    fn invlpg(&self, address: VirtAddr) {
        self.count(|events| events.invlpgs += 1);
        self.cpu.invlpg(address);
    }

    fn paging(&self) -> Paging {
        self.cpu.paging()
    }

    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        self.count(|events| events.vm_calls += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall(call, arguments) }
    }

    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        self.count(|events| events.vm_calls += 1);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall_batch(items) }
    }
}
