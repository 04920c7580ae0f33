//! The tables of the loaded space, through the self slot of its root.
#![expect(unsafe_code, reason = "lends entries by raw addresses")]

use x86_64::VirtAddr;

use super::self_slot::SelfSlot;
use crate::cpu::Cpu;
use crate::fresh::Fresh;
use crate::lend::Lend;
use crate::operation::EntryName;

/// Entries of the loaded space, while a batch is done.
pub struct Loaded<'a, C> {
    cpu: &'a C,
    slot: SelfSlot,
    fresh: Fresh,
}

impl<'a, C: Cpu> Loaded<'a, C> {
    /// Of the space that is loaded on this CPU, for a batch that begins.
    pub const fn new(cpu: &'a C, slot: SelfSlot) -> Self {
        Self { cpu, slot, fresh: Fresh::NONE }
    }
}

// SAFETY: the loaded root's self slot shows its tables; the page is invalidated first.
unsafe impl<C: Cpu> Lend for Loaded<'_, C> {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        let address = self.slot.address(name);
        self.fresh.make(self.cpu, address);
        address
    }
}
