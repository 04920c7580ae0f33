//! The layout of a batch in guest memory.

use crate::call::numbered;

/// The most items that one call may name: what fits in four frames.
pub const MOST_ITEMS: usize = 512;

numbered! {
    /// What to do with one entry.
    Action: u64 {
        /// Load it.
        Load = 1,
        /// Exchange it atomically.
        Exchange = 2,
        /// Store if it holds what is expected, atomically.
        CompareExchange = 3,
    }
}

/// One operation of a batch, 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Item {
    /// Physical address of the entry.
    pub entry: u64,
    /// Number of an [`Action`].
    pub action: u64,
    /// In: what [`Action::CompareExchange`] expects. Out: what was there, for each item that was
    /// done and for one that ended with [`crate::Status::Differs`].
    pub found: u64,
    /// What to store.
    pub value: u64,
}

const _: () = assert!(size_of::<Item>() == 32);
