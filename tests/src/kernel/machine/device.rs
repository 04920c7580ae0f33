//! A swap device that fails when it is told to.

use std::cell::Cell;
use std::collections::HashMap;

use page_reclaim::{DeviceError, Slot};

use crate::model::WORDS;

/// Pages by slot.
#[derive(Debug, Default)]
pub struct Device {
    pages: HashMap<u32, Box<[u64; WORDS]>>,
    /// How many of the next writes fail.
    pub failures: u32,
    /// How many writes were done.
    pub writes: u32,
}

impl Device {
    /// Writes a page, or fails and leaves something else in the slot.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn write(&mut self, slot: Slot, words: &[Cell<u64>]) -> Result<(), DeviceError> {
        let fails = self.failures > 0;
        let mut page = Box::new([0xbad; WORDS]);
        if !fails {
            for (to, from) in page.iter_mut().zip(words) {
                *to = from.get();
            }
            self.writes += 1;
        }
        self.failures = self.failures.saturating_sub(1);
        self.pages.insert(slot.number(), page);
        if fails { Err(DeviceError) } else { Ok(()) }
    }

    /// The page in a slot, if one was ever written.
    pub fn read(&self, slot: Slot) -> Option<&[u64; WORDS]> {
        self.pages.get(&slot.number()).map(|page| &**page)
    }
}
