//! A CPU that lets others go on before each thing it does.
#![expect(unsafe_code, reason = "implements the unsafe trait; no address here is a real one")]

use foreign_access::cpu::{Paging, Showing};
use foreign_access::{Cpu, Entry, Operation};
use loadphys_abi::Status;
use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::coroutines::Pause;
use super::interrupts::Interrupts;
use crate::model::{ModelCpu, act};

/// What is broken on purpose about the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// Nothing.
    Right,
    /// All CPUs say that their number is 0, so they share slots and windows.
    SameNumber,
    /// Interrupts cannot be turned off.
    NeverMasks,
    /// A compare-exchange is a load and then a store.
    NotAtomic,
}

/// One CPU of several whose steps interleave.
pub struct Interleaved<'j, 's, 'm> {
    /// The CPU itself.
    pub cpu: ModelCpu<'m>,
    /// Where it lets others go on.
    pub pause: &'j Pause<'j>,
    /// What may interrupt it.
    pub interrupts: &'j Interrupts<'s, 'm>,
    /// What is broken.
    pub twin: Twin,
}

impl Interleaved<'_, '_, '_> {
    /// What a compare-exchange is not.
    ///
    /// # Safety
    /// As for [`Cpu::compare_exchange`].
    unsafe fn load_then_store(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        // SAFETY: the caller's duty is the same.
        let found = unsafe { self.load(address) };
        if found != expected {
            return Err(found);
        }
        // SAFETY: the caller's duty is the same, but for what others do in between.
        unsafe { self.exchange(address, new) };
        Ok(found)
    }

    /// Others go on; then perhaps an interrupt comes.
    pub fn between(&self) {
        self.pause.now();
        self.interrupts.chance();
    }
}

// SAFETY: does what the CPU of the model does; the twins are broken on purpose, and the model has no real
// addresses.
unsafe impl Cpu for Interleaved<'_, '_, '_> {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        self.between();
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        self.between();
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        self.between();
        if self.twin == Twin::NotAtomic {
            // SAFETY: none; it is broken on purpose.
            return unsafe { self.load_then_store(address, expected, new) };
        }
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.compare_exchange(address, expected, new) }
    }

    fn root(&self) -> PhysFrame {
        self.between();
        self.cpu.root()
    }

    fn root_register(&self) -> u64 {
        self.between();
        self.cpu.root_register()
    }

    unsafe fn set_root_register(&self, value: u64) {
        self.between();
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.set_root_register(value) };
    }

    fn mask_interrupts(&self) -> bool {
        self.between();
        if self.twin == Twin::NeverMasks { false } else { self.cpu.mask_interrupts() }
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.between();
        if self.twin != Twin::NeverMasks {
            self.cpu.restore_interrupts(were_on);
        }
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        let does = |item: &mut Item| {
            self.between();
            // SAFETY: the caller's duty is the same.
            unsafe { self.cpu.without_paging(core::slice::from_mut(item)) == 1 }
        };
        let all = items.len();
        items.iter_mut().position(|item| !does(item)).unwrap_or(all)
    }

    unsafe fn through_view(
        &self,
        view: u32,
        showing: Showing,
        operations: &mut [Operation],
    ) -> usize {
        self.between();
        // SAFETY: the caller's duty is the same.
        let each = |at, operation: &mut Operation| unsafe { act(self, at, operation) };
        self.cpu.pass(view, showing, operations, each)
    }

    fn pause(&self) {
        self.pause.now();
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        self.between();
        let believed = &self.interrupts.believed;
        let home = believed.get();
        let mut there = || {
            believed.set(self.cpu.root_register());
            work();
            believed.set(home);
        };
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.in_context(root, &mut there) };
    }

    fn number(&self) -> usize {
        if self.twin == Twin::SameNumber { 0 } else { self.cpu.number() }
    }

    fn invlpg(&self, address: VirtAddr) {
        self.between();
        self.cpu.invlpg(address);
    }

    fn paging(&self) -> Paging {
        self.cpu.paging()
    }

    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        self.between();
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall(call, arguments) }
    }

    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        let does = |item: &mut Item| {
            self.pause.now();
            // SAFETY: the caller's duty is the same.
            unsafe { self.cpu.vmcall_batch(core::slice::from_mut(item)).0 }
        };
        // The stub of one CPU works on its batch while other CPUs go on; interrupts wait for the guest.
        self.between();
        let all = items.len() as u64;
        let done = Status::Done.number();
        let stopped = (0..).zip(items).map(|(at, item)| (does(item), at)).find(|(s, _)| *s != done);
        stopped.unwrap_or((done, all))
    }
}
