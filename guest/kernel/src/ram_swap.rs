//! A swap device that is memory: slot `n` is page `n` of an area.

use page_reclaim::{Checksum, Slot};

use crate::window::{Words, copy};

/// The device.
#[derive(Debug)]
pub struct RamSwap {
    pages: &'static mut [Words],
}

impl RamSwap {
    /// On these pages; page 0 is not used.
    pub fn new(pages: &'static mut [Words]) -> Self {
        Self { pages }
    }

    /// Copies a page to its slot.
    pub fn write(&mut self, slot: Slot, page: &Words) -> Checksum {
        let kept = &mut self.pages[slot.number() as usize];
        copy(page, kept);
        Checksum::of(kept)
    }

    /// Copies a slot to a page.
    pub fn read(&self, slot: Slot, page: &mut Words) -> Checksum {
        copy(&self.pages[slot.number() as usize], page);
        Checksum::of(page)
    }
}
