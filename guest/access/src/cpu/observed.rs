//! A CPU that is watched: what is about to be done is told to somebody first.
#![expect(unsafe_code, reason = "hands on the operations of a CPU")]

use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Cpu, Paging, Showing};
use crate::entry::Entry;
use crate::operation::{Action, Operation};

/// What is about to be asked of a CPU. What only reads its registers is no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// [`Cpu::load`].
    Load,
    /// [`Cpu::exchange`] or [`Cpu::compare_exchange`].
    Store,
    /// [`Cpu::set_root_register`].
    SetRoot,
    /// [`Cpu::mask_interrupts`].
    Mask,
    /// [`Cpu::restore_interrupts`].
    Restore,
    /// [`Cpu::without_paging`], with so many items.
    WithoutPaging(usize),
    /// [`Cpu::through_view`]. What is counted is what is done if no operation differs.
    ThroughView {
        /// Entries that are loaded.
        loads: u64,
        /// Entries that are exchanged, or compared and exchanged.
        stores: u64,
        /// Pages that are forgotten.
        invlpgs: u64,
    },
    /// [`Cpu::in_context`].
    InContext,
    /// [`Cpu::invlpg`].
    Invlpg,
    /// [`Cpu::vmcall`] or [`Cpu::vmcall_batch`].
    Vmcall,
}

impl Step {
    fn through_view(showing: Showing, operations: &[Operation]) -> Self {
        let all = operations.len() as u64;
        let loads = operations.iter().filter(|it| it.action == Action::Load).count() as u64;
        Self::ThroughView {
            loads,
            stores: all - loads,
            invlpgs: showing.pages_forgotten(operations),
        }
    }
}

/// Who is told of each step, just before it is taken. Any `Fn(Step)` will do.
pub trait Observer {
    /// A step is about to be taken.
    fn before(&self, step: Step);
}

impl<F: Fn(Step)> Observer for F {
    fn before(&self, step: Step) {
        self(step);
    }
}

/// Another CPU, and who is told of its steps.
#[derive(Debug)]
pub struct Observed<C, O> {
    cpu: C,
    pub(super) observer: O,
}

impl<C, O> Observed<C, O> {
    /// This CPU, observed.
    pub const fn by(observer: O, cpu: C) -> Self {
        Self { cpu, observer }
    }
}

// SAFETY: everything is done by the CPU that is observed.
unsafe impl<C: Cpu, O: Observer> Cpu for Observed<C, O> {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        self.observer.before(Step::Load);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        self.observer.before(Step::Store);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        self.observer.before(Step::Store);
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
        self.observer.before(Step::SetRoot);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.set_root_register(value) };
    }

    fn mask_interrupts(&self) -> bool {
        self.observer.before(Step::Mask);
        self.cpu.mask_interrupts()
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.observer.before(Step::Restore);
        self.cpu.restore_interrupts(were_on);
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        self.observer.before(Step::WithoutPaging(items.len()));
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.without_paging(items) }
    }

    unsafe fn through_view(
        &self,
        view: u32,
        showing: Showing,
        operations: &mut [Operation],
    ) -> usize {
        self.observer.before(Step::through_view(showing, operations));
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.through_view(view, showing, operations) }
    }

    fn pause(&self) {
        self.cpu.pause();
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        self.observer.before(Step::InContext);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.in_context(root, work) };
    }

    fn number(&self) -> usize {
        self.cpu.number()
    }

    fn invlpg(&self, address: VirtAddr) {
        self.observer.before(Step::Invlpg);
        self.cpu.invlpg(address);
    }

    fn paging(&self) -> Paging {
        self.cpu.paging()
    }

    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        self.observer.before(Step::Vmcall);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall(call, arguments) }
    }

    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        self.observer.before(Step::Vmcall);
        // SAFETY: the caller's duty is the same.
        unsafe { self.cpu.vmcall_batch(items) }
    }
}
