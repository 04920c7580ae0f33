//! How entries are loaded and stored, by whoever has memory.

use crate::allowed::{EntryAt, WordAt};
use crate::operation::{Operation, Wish};

/// Memory with entries in it: the machine's in the stub, a few words in tests.
///
/// Each of these is one atomic access of 8 bytes, since the walker, and guests that are not kept from it, store to the same
/// entries.
pub trait Entries {
    /// Loads a word that may lie in a table or not.
    fn load(&self, at: WordAt) -> u64;

    /// Stores an entry; gives what was there.
    fn exchange(&self, at: EntryAt, new: u64) -> u64;

    /// Stores an entry if what is expected is there.
    ///
    /// # Errors
    /// What was there instead.
    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64>;
}

/// What was found, and whether it differs from what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was there.
    pub entry: u64,
    /// Nothing was stored because of it.
    pub differs: bool,
}

impl From<Result<u64, u64>> for Found {
    #[inline]
    fn from(outcome: Result<u64, u64>) -> Self {
        match outcome {
            Ok(entry) => Self { entry, differs: false },
            Err(entry) => Self { entry, differs: true },
        }
    }
}

impl Operation {
    /// Does what was allowed.
    #[inline]
    pub fn perform(self, memory: &impl Entries) -> Found {
        let at = self.entry();
        Found::from(match self.wish() {
            Wish::Load => Ok(memory.load(WordAt(at.0))),
            Wish::Exchange(new) => Ok(memory.exchange(at, new)),
            Wish::CompareExchange { expected, new } => memory.compare_exchange(at, expected, new),
        })
    }
}
