//! The stub's alias: a window on physical memory that shows registered tables and nothing else. Where it shows them read-only,
//! loads go through it and edits are calls.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use loadphys_abi::Kept;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::Hypercall;
use super::registration;
use crate::cpu::Cpu;
use crate::lend::{self, Lend};
use crate::operation::{Action, EntryName, Method, Operation, Refusal, Stopped};

/// Entries at a fixed distance from their physical addresses.
#[derive(Debug)]
pub struct Alias<'a> {
    window: Window,
    /// How entries are stored, if not through the window.
    calls: Option<Hypercall<'a>>,
}

/// Where the alias is mapped.
#[derive(Clone, Copy, Debug)]
struct Window {
    base: VirtAddr,
}

impl<'a> Alias<'a> {
    /// Through an alias whose first byte is mapped at `base`.
    ///
    /// # Safety
    /// In every space, `base + p` is mapped (supervisor, writable, no-execute) to the stub's
    /// alias of physical address `p`, for all memory in which tables may lie.
    pub const unsafe fn new(base: VirtAddr) -> Self {
        Self { window: Window { base }, calls: None }
    }

    /// Through an alias that shows tables read-only: a batch with an edit in it becomes a call.
    #[must_use]
    pub const fn read_only(self, calls: Hypercall<'a>) -> Self {
        Self { calls: Some(calls), ..self }
    }
}

// SAFETY: the alias shows each adopted table at its physical address; what is mapped where never
// changes, so no TLB entry of the alias is ever stale.
unsafe impl Lend for Window {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        // SAFETY: the whole window is mapped (see `Alias::new`), so its addresses are canonical.
        unsafe { VirtAddr::new_unsafe(self.base.as_u64() + name.physical()) }
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically.
unsafe impl<C: Cpu> Method<C> for Alias<'_> {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        match &mut self.calls {
            Some(calls) if operations.iter().any(|operation| operation.action != Action::Load) => {
                // SAFETY: the caller's duty is the same.
                unsafe { calls.apply(cpu, operations) }
            }
            // SAFETY: the caller's duty is the same.
            _ => unsafe { lend::apply(&mut self.window, cpu, operations) },
        }
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        registration::register(cpu, table, level, Kept::Alias)
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        registration::release(cpu, table)
    }
}
