//! A few frames of memory, in which another CPU may come in between.

use std::cell::{Cell, RefCell};

use loadphys_rules::{Entries, EntryAt, WordAt};

/// Bytes of a frame.
pub const FRAME: u64 = 4096;

/// Words by physical address, from 0.
pub struct Memory {
    words: Vec<Cell<u64>>,
    /// What somebody else stores just before each of the next compare-exchanges, to the same entry.
    pub between: RefCell<Vec<u64>>,
}

impl Memory {
    /// So many frames of zeroes.
    pub fn new(frames: u64) -> Self {
        let words = (0..frames * FRAME / 8).map(|_| Cell::new(0)).collect();
        Self { words, between: RefCell::default() }
    }

    /// The word at an address.
    pub fn at(&self, address: u64) -> &Cell<u64> {
        assert_eq!(address % 8, 0, "the rules let nobody touch half a word");
        &self.words[address as usize / 8]
    }

    /// All of it.
    pub fn all(&self) -> Vec<u64> {
        self.words.iter().map(Cell::get).collect()
    }
}

impl Entries for Memory {
    fn load(&self, at: WordAt) -> u64 {
        self.at(at.address()).get()
    }

    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        self.at(at.address()).replace(new)
    }

    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64> {
        let word = self.at(at.address());
        if let Some(other) = self.between.borrow_mut().pop() {
            word.set(other);
        }
        let found = word.get();
        if found == expected {
            word.set(new);
            Ok(found)
        } else {
            Err(found)
        }
    }
}
