//! A few frames of memory.

use std::cell::Cell;

use loadphys_rules::{Entries, EntryAt, WordAt};

/// Bytes of a frame.
pub const FRAME: u64 = 4096;

/// Frames that there are.
pub const FRAMES: u64 = 9;

/// Of which the rules know so many.
pub const KNOWN: u64 = 8;

/// Frames of the guest: the first is the stub's, and the last that they know is not whole.
pub const GUESTS: std::ops::Range<u64> = 1..7;

/// Words by physical address, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    words: Vec<Cell<u64>>,
    stores: Cell<u64>,
}

impl Memory {
    /// Zeroes.
    pub fn new() -> Self {
        let words = (0..FRAMES * FRAME / 8).map(|_| Cell::new(0)).collect();
        Self { words, stores: Cell::new(0) }
    }

    /// The word at an address that was allowed.
    pub fn load(&self, address: u64) -> u64 {
        self.word(address).get()
    }

    /// Stores there; gives what was there.
    pub fn store(&self, address: u64, word: u64) -> u64 {
        self.stores.set(self.stores.get() + 1);
        self.word(address).replace(word)
    }

    /// How often was stored.
    pub fn stores(&self) -> u64 {
        self.stores.get()
    }

    /// All words.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().map(Cell::get)
    }

    fn word(&self, address: u64) -> &Cell<u64> {
        assert!(address.is_multiple_of(8), "half a word at {address:#x} was allowed");
        assert!(GUESTS.contains(&(address / FRAME)), "{address:#x}, not the guest's, was allowed");
        &self.words[address as usize / 8]
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Entries for Memory {
    fn load(&self, at: WordAt) -> u64 {
        self.load(at.address())
    }

    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        self.store(at.address(), new)
    }

    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64> {
        match self.load(at.address()) {
            found if found == expected => Ok(self.store(at.address(), new)),
            found => Err(found),
        }
    }
}
