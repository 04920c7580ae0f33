//! A CPU of the model, as methods see it.
#![expect(unsafe_code, reason = "implements the unsafe trait; no address here is a real one")]

use foreign_access::cpu::{Paging, Showing};
use foreign_access::{Action, Cpu, Entry, Operation};
use loadphys_abi::batch::Item;
use loadphys_abi::discovery::USUAL_VIEW;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Kind, Model, Violation};
use crate::flushes::{self, Flushes};

/// CR3 bit 63: keep what is cached for the PCID.
pub const NO_FLUSH: u64 = 1 << 63;

/// The PCID of spaces in whose context work is done; flushed each time.
const CONTEXT_PCID: u64 = 4094;

/// One CPU.
#[derive(Clone, Copy, Debug)]
pub struct ModelCpu<'m> {
    model: &'m Model<'m>,
    number: usize,
    flushes: Option<&'m Flushes>,
}

impl<'m> ModelCpu<'m> {
    /// The CPU with this number.
    pub fn new(model: &'m Model<'m>, number: usize) -> Self {
        Self { model, number, flushes: None }
    }

    /// Asks before each flush that a method wants, and leaves out what may not be done: broken on purpose.
    pub fn asking(self, flushes: &'m Flushes) -> Self {
        Self { flushes: Some(flushes), ..self }
    }

    /// Whether a flush is to be done.
    #[track_caller]
    fn flushes(&self, kind: flushes::Kind) -> bool {
        match self.flushes {
            Some(flushes) => flushes.asks(kind),
            None => true,
        }
    }

    /// Goes to a view, does the operations as far as the first that `each` says was not done, and comes back; says how many
    /// were done.
    #[track_caller]
    pub fn pass(
        &self,
        view: u32,
        showing: Showing,
        operations: &mut [Operation],
        each: impl Fn(VirtAddr, &mut Operation) -> bool,
    ) -> usize {
        self.must_be_masked();
        self.model.enter_view(self.number, view);
        let (mut done, mut forgotten) = (0, None);
        for operation in operations {
            let page = showing.forgotten(&operation.name);
            if let Some(page) = page.filter(|_| page != forgotten)
                && self.flushes(flushes::Kind::Invlpg)
            {
                self.model.invlpg(self.number, page);
            }
            forgotten = page;
            if !each(showing.address(&operation.name), operation) {
                break;
            }
            done += 1;
        }
        self.model.enter_view(self.number, USUAL_VIEW);
        done
    }

    fn must_be_masked(&self) {
        if !self.model.is_masked(self.number) {
            self.model.report(Violation::Interruptible(self.number));
        }
    }
}

/// Does one operation at an address; says whether it was done.
///
/// # Safety
/// The entry is there.
pub unsafe fn act(cpu: &impl Cpu, address: VirtAddr, operation: &mut Operation) -> bool {
    // SAFETY: the caller's promise.
    let found = unsafe {
        match operation.action {
            Action::Load => Ok(cpu.load(address)),
            Action::Exchange(new) => Ok(cpu.exchange(address, new)),
            Action::CompareExchange { expected, new } => {
                cpu.compare_exchange(address, expected, new)
            }
        }
    };
    operation.found = found.unwrap_or_else(|found| found);
    found.is_ok()
}

// SAFETY: does to the model what the instructions do to the machine, unless it is broken on purpose; the model
// has no real addresses.
unsafe impl Cpu for ModelCpu<'_> {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        let host = self.model.by_method(self.number, address, Kind::Load);
        host.map_or(Entry::EMPTY, |at| Entry(self.model.change_host(at, |word| word)))
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        let host = self.model.by_method(self.number, address, Kind::Store);
        host.map_or(Entry::EMPTY, |at| Entry(self.model.change_host(at, |_| new.0)))
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        match self.model.by_method(self.number, address, Kind::Store) {
            Some(host) => self.model.compare_exchange(host, expected, new),
            None => Err(Entry::EMPTY),
        }
    }

    fn root(&self) -> PhysFrame {
        self.model.root(self.number)
    }

    fn root_register(&self) -> u64 {
        self.root().start_address().as_u64() | u64::from(self.model.pcid(self.number))
    }

    unsafe fn set_root_register(&self, value: u64) {
        self.must_be_masked();
        let keeps = value & NO_FLUSH != 0 || !self.flushes(flushes::Kind::RootWrite);
        self.model.load_register(self.number, value | if keeps { NO_FLUSH } else { 0 });
    }

    fn mask_interrupts(&self) -> bool {
        !self.model.mask(self.number, true)
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.model.mask(self.number, !were_on);
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        self.must_be_masked();
        self.model.without_paging(self.number, items)
    }

    unsafe fn through_view(
        &self,
        view: u32,
        showing: Showing,
        operations: &mut [Operation],
    ) -> usize {
        // SAFETY: the caller's duty is the same.
        self.pass(view, showing, operations, |at, operation| unsafe { act(self, at, operation) })
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        let home = self.root_register();
        let there = root.start_address().as_u64() | CONTEXT_PCID;
        self.model.load_register(self.number, there);
        work();
        self.model.load_register(self.number, home | NO_FLUSH);
    }

    fn number(&self) -> usize {
        self.number
    }

    fn invlpg(&self, address: VirtAddr) {
        if self.flushes(flushes::Kind::Invlpg) {
            self.model.invlpg(self.number, address);
        }
    }

    fn paging(&self) -> Paging {
        Paging::PLAIN
    }

    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        self.model.vmcall(call, arguments)
    }

    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        self.model.vmcall_batch(items)
    }
}
