//! Proofs that a place in memory was checked. Only the rules make them.

use crate::level::Level;

/// Where there is an entry of a registered table; whoever holds one may load and store 8 bytes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryAt(pub(crate) u64);

impl EntryAt {
    /// Its physical address.
    pub const fn address(self) -> u64 {
        self.0
    }
}

/// Where 8 aligned bytes of the guest's memory are, in a table or not; whoever holds one may load them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordAt(pub(crate) u64);

impl WordAt {
    /// Its physical address.
    pub const fn address(self) -> u64 {
        self.0
    }
}

impl From<EntryAt> for WordAt {
    /// What may be stored to may be loaded.
    fn from(entry: EntryAt) -> Self {
        Self(entry.0)
    }
}

/// A frame that becomes a table, is one, or was one until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAt {
    pub(crate) frame: u64,
    pub(crate) level: Level,
}

impl TableAt {
    /// Its physical address.
    pub const fn address(self) -> u64 {
        self.frame
    }

    /// Its level.
    pub const fn level(self) -> Level {
        self.level
    }
}

/// A part of the guest's memory that is aligned to 8 bytes and holds no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAt {
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

impl MemoryAt {
    /// Physical address of its first byte.
    pub const fn address(self) -> u64 {
        self.start
    }

    /// How many bytes it has.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}
