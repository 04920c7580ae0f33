//! The record of a frame: what it is, and what is known of the page or table in it.

use x86_64::structures::paging::page_table::PageTableLevel;

use crate::number::{FrameNumber, Node, Share, Slot};

/// What one frame is; 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRecord(pub(crate) State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Not memory, or memory that is not ours to give.
    #[default]
    Reserved,
    /// On the free list.
    Free { next: Option<FrameNumber> },
    /// The kernel's own.
    Kernel,
    /// A table of a space.
    Table {
        level: PageTableLevel,
        /// Entries (of the lower half) that are not empty.
        live: u16,
        root: FrameNumber,
        /// The first address it serves, divided by 2 MiB.
        range: u32,
        /// The table of the same root that was built before it; in a root's record, the newest one.
        older: Option<FrameNumber>,
    },
    /// A page of one or more spaces.
    Data {
        marks: Marks,
        /// Operations of the current round of an eviction that are about it.
        laid: u16,
        /// The last node of the ring of its mappings.
        mappings: Option<Node>,
        slot: Option<Slot>,
        share: Option<Share>,
    },
    /// A page that is not mapped any more and waits for a flush.
    Retired { next: Option<FrameNumber> },
}

const _: () = assert!(size_of::<FrameRecord>() <= 16);

impl State {
    /// A page that nobody maps yet.
    pub const fn page(marks: Marks, slot: Option<Slot>, share: Option<Share>) -> Self {
        Self::Data { marks, laid: 0, mappings: None, slot, share }
    }

    /// Whether both are records of the same table; counts and lists aside.
    pub const fn same_table(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Table { level: a, root: b, range: c, .. },
                Self::Table { level: x, root: y, range: z, .. },
            ) => a as u8 == x as u8 && b.number() == y.number() && c == z,
            _ => false,
        }
    }
}

/// Yes or no about a page, eight times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    /// It was brought in since the clock's hand was there last. That it was used is not known here.
    pub const RECENT: Self = Self(1);
    /// It was written since its slot was.
    pub const DIRTY: Self = Self(2);
    /// Its slot holds what it held when it was last clean.
    pub const COPY: Self = Self(4);
    /// Its entries are being exchanged.
    pub const EVICTING: Self = Self(8);
    /// An entry of it could not be exchanged.
    pub const FAILED: Self = Self(16);

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub const fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}
