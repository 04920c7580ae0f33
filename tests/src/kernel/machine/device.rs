//! A swap device that fails when it is told to.

use std::cell::Cell;
use std::collections::HashMap;

use page_reclaim::{Checksum, DeviceError, Slot};

use crate::model::WORDS;

/// Pages by slot.
#[derive(Debug, Default)]
pub struct Device {
    pages: HashMap<u32, Box<[u64; WORDS]>>,
    /// How many of the next writes fail.
    pub failures: u32,
    /// Writes to these slots fail.
    pub fails: Vec<u32>,
    /// The slots that were written or should have been, in order.
    pub order: Vec<u32>,
    /// How many writes were done.
    pub writes: u32,
}

impl Device {
    /// Writes a page, or fails and leaves something else in the slot.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn write(&mut self, slot: Slot, words: &[Cell<u64>]) -> Result<Checksum, DeviceError> {
        let fails = self.failures > 0 || self.fails.contains(&slot.number());
        self.failures = self.failures.saturating_sub(1);
        self.order.push(slot.number());
        let page: [u64; WORDS] =
            core::array::from_fn(|at| if fails { 0xbad } else { words[at].get() });
        self.pages.insert(slot.number(), Box::new(page));
        if fails {
            return Err(DeviceError);
        }
        self.writes += 1;
        Ok(Checksum::of(&page))
    }

    /// The page in a slot.
    ///
    /// # Errors
    /// [`DeviceError`], if none was ever written.
    pub fn read(&self, slot: Slot) -> Result<&[u64; WORDS], DeviceError> {
        self.pages.get(&slot.number()).map(|page| &**page).ok_or(DeviceError)
    }

    /// A bit of a word changes in a slot, and nobody notices.
    pub fn rot(&mut self, slot: u32) {
        self.pages.get_mut(&slot).unwrap_or_else(|| panic!("nothing is in slot {slot}"))[77] ^=
            1 << 40;
    }
}
