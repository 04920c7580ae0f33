//! Ordinary memory in place of a machine.
#![expect(unsafe_code, reason = "loads and stores at the addresses it is given")]

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Cpu, Paging, place};
use crate::entry::Entry;

/// Loads and stores at addresses of the program it is part of, by the same code as [`Hardware`](super): for tests and
/// benchmarks of kernels on a host, with a method that only needs addresses, such as
/// [`DirectMap`](crate::methods::DirectMap). It has no MMU, so nothing is ever stale.
#[derive(Clone, Copy, Debug)]
pub struct Hosted {
    root: PhysFrame,
    paging: Paging,
}

impl Hosted {
    /// Says that this root is loaded, and that paging is [`Paging::PLAIN`].
    pub const fn new(root: PhysFrame) -> Self {
        Self { root, paging: Paging::PLAIN }
    }

    /// Says that paging is set up in another way, which methods may refuse.
    pub const fn with_paging(self, paging: Paging) -> Self {
        Self { paging, ..self }
    }
}

// SAFETY: entries are loaded and stored whole and atomically; there is nothing else to a program's memory.
unsafe impl Cpu for Hosted {
    #[inline]
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { place::load(address) }
    }

    #[inline]
    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { place::exchange(address, new) }
    }

    #[inline]
    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        // SAFETY: the caller's duty is the same.
        unsafe { place::compare_exchange(address, expected, new) }
    }

    fn root(&self) -> PhysFrame {
        self.root
    }

    fn root_register(&self) -> u64 {
        self.root.start_address().as_u64()
    }

    unsafe fn set_root_register(&self, _: u64) {
        panic!("a program has no root to load");
    }

    fn mask_interrupts(&self) -> bool {
        false
    }

    fn restore_interrupts(&self, _: bool) {}

    fn number(&self) -> usize {
        0
    }

    fn invlpg(&self, _: VirtAddr) {}

    fn paging(&self) -> Paging {
        self.paging
    }
}
