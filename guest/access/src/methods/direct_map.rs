//! All physical memory, mapped at an offset.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;

use crate::cpu::Cpu;
use crate::lend::{self, Lend};
use crate::operation::{EntryName, Method, Operation, Stopped};

/// Entries at a fixed distance from their physical addresses.
#[derive(Clone, Copy, Debug)]
pub struct DirectMap {
    base: VirtAddr,
}

impl DirectMap {
    /// With physical address 0 at `base`.
    ///
    /// # Safety
    /// In every space, `base + p` is mapped (supervisor, writable, no-execute) to physical address `p`, for all
    /// memory in which tables may lie, and stays so.
    pub const unsafe fn new(base: VirtAddr) -> Self {
        Self { base }
    }
}

// SAFETY: what is mapped where never changes, so no TLB entry of the map is ever stale.
unsafe impl Lend for DirectMap {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        // SAFETY: all memory in which tables may lie is mapped (see `DirectMap::new`), so the address is canonical.
        unsafe { VirtAddr::new_unsafe(self.base.as_u64() + name.physical()) }
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically.
unsafe impl<C: Cpu> Method<C> for DirectMap {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(self, cpu, operations) }
    }
}
