//! A CPU on which every flush is asked for.
#![expect(unsafe_code, reason = "implements the unsafe trait; no address here is a real one")]

use foreign_access::cpu::Paging;
use foreign_access::{Cpu, Entry};
use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Flushes, Kind};
use crate::model::NO_FLUSH;

/// Does what the CPU in it does, but asks before it flushes.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'m, C> {
    cpu: C,
    flushes: &'m Flushes,
}

impl<'m, C> Watched<'m, C> {
    /// Watches a CPU.
    pub fn new(cpu: C, flushes: &'m Flushes) -> Self {
        Self { cpu, flushes }
    }
}

// SAFETY: everything is done by the CPU that is watched, unless it is broken on purpose; the model has no
// real addresses.
unsafe impl<C: Cpu> Cpu for Watched<'_, C> {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
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
        let keeps = value & NO_FLUSH != 0 || !self.flushes.asks(Kind::RootWrite);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.set_root_register(value | if keeps { NO_FLUSH } else { 0 }) };
    }

    fn mask_interrupts(&self) -> bool {
        self.cpu.mask_interrupts()
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.cpu.restore_interrupts(were_on);
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.without_paging(items) }
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.in_context(root, work) };
    }

    fn number(&self) -> usize {
        self.cpu.number()
    }

    fn invlpg(&self, address: VirtAddr) {
        if self.flushes.asks(Kind::Invlpg) {
            self.cpu.invlpg(address);
        }
    }

    fn paging(&self) -> Paging {
        self.cpu.paging()
    }

    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall(call, arguments) }
    }

    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall_batch(items) }
    }
}
