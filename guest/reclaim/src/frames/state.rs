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
        /// The last node of the ring of its mappings.
        mappings: Option<Node>,
        slot: Option<Slot>,
        share: Option<Share>,
    },
    /// A page that is not mapped any more and waits for a flush.
    Retired { next: Option<FrameNumber> },
    /// Ours, but never given away: its range is closed.
    Offline,
}

const _: () = assert!(size_of::<FrameRecord>() <= 16);

impl State {
    /// A page that nobody maps yet.
    pub const fn page(marks: Marks, slot: Option<Slot>, share: Option<Share>) -> Self {
        Self::Data { marks, mappings: None, slot, share }
    }

    /// How many pages it is, and how many of these are not on trial any more: none or one.
    pub const fn counts(&self) -> (u32, u32) {
        match self {
            Self::Data { marks, .. } => (1, marks.has(Marks::KEPT) as u32),
            _ => (0, 0),
        }
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

/// Yes or no about a page, sixteen times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u16);

impl Marks {
    /// It was brought in, or mapped, since a hand was there last.
    pub const RECENT: Self = Self(1);
    /// It was written since its slot was.
    pub const DIRTY: Self = Self(2);
    /// Its slot holds what it held when it was last clean.
    pub const COPY: Self = Self(4);
    /// An eviction is at work on it, and nobody else may exchange its entries, use its slot or free its frame.
    pub const EVICTING: Self = Self(8);
    /// While it is being evicted: all its entries are exchanged, so it can be mapped again.
    pub const SETTLED: Self = Self(16);
    /// While it is being evicted: it was mapped again, so its frame stays.
    pub const WANTED: Self = Self(32);

    /// It was used since a hand of [`crate::victims::choose`] was there last.
    pub const USED: Self = Self(64);
    /// It is no longer on trial there; see [`super::Frames::keep`].
    pub const KEPT: Self = Self(128);

    /// What it is only while it is being evicted.
    pub const PASSING: Self = Self(Self::EVICTING.0 | Self::SETTLED.0 | Self::WANTED.0);

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    pub const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub const fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}
