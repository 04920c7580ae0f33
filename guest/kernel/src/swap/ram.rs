//! A swap device that is memory: slot `n` is page `n` of an area.

#![expect(unsafe_code, reason = "CPUs share the device, and no slot")]

use page_reclaim::{Checksum, Slot};

use crate::copy::Copier;
use crate::window::Words;

/// The device.
/// Every CPU has it: whoever evicts a page, or brings it in, has its slot for himself.
#[derive(Clone, Copy, Debug)]
pub struct RamSwap {
    first: *mut Words,
    slots: usize,
}

// SAFETY: slots are touched by whom `page_reclaim` lets, one CPU at a time.
unsafe impl Send for RamSwap {}

// SAFETY: as above.
unsafe impl Sync for RamSwap {}

impl RamSwap {
    /// On these pages; page 0 is not used.
    pub fn new(pages: &'static mut [Words]) -> Self {
        Self { first: pages.as_mut_ptr(), slots: pages.len() }
    }

    /// Copies a page to its slot.
    #[inline]
    pub fn write(&mut self, copier: &Copier, slot: Slot, page: &Words) -> Checksum {
        // SAFETY: the slot is that of the page which is being evicted, so nobody else touches it.
        copier.copy(page, unsafe { &mut *self.place(slot) })
    }

    /// Copies a slot to a page.
    #[inline]
    pub fn read(&self, copier: &Copier, slot: Slot, page: &mut Words) -> Checksum {
        // SAFETY: the slot is that of the page which is being brought in, so nobody writes it.
        copier.copy(unsafe { &*self.place(slot) }, page)
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Changes a bit of a slot to what it is not.
    pub fn flip(&self, slot: Slot, bit: usize) {
        // SAFETY: the slot is that of the page which is being brought in, so nobody else touches it.
        unsafe { (*self.place(slot))[bit / 64] ^= 1 << (bit % 64) };
    }

    fn place(&self, slot: Slot) -> *mut Words {
        let number = slot.number() as usize;
        assert!(number < self.slots, "{slot:?} is one of the device's");
        // SAFETY: inside the device.
        unsafe { self.first.add(number) }
    }
}
