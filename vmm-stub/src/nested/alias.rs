//! The alias: a second guest-physical range that shows registered tables and nothing else.
//!
//! Its tables of level 1 stand side by side, one for each 2 MiB of memory, from the start and for good, so the
//! entries in them are one array with an entry for each frame. Showing a table is one store; hiding it is one
//! store and a flush.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::FRAME_BYTES;
use loadphys_rules::TableAt;

use crate::mtrr::MemoryType;
use crate::nested::ept::{READ, WRITE};
use crate::nested::format::Format;
use crate::places::overlap;
use crate::stale::Stale;
use crate::tree::{Slot, page_bytes};

/// Bytes that one table of level 1 maps.
const TABLE_SPAN: u64 = page_bytes(2);

/// Below are memory and devices that every machine has.
const LOWEST_SHIFT: u32 = 32;

/// Where the alias is, and where its tables of level 1 are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    shift: u32,
    span: u64,
    tables_at: u64,
}

impl Window {
    /// The highest power of two above memory, which ends at `top`, that leaves room for the window below the end of
    /// the CPU's addresses and away from what is `taken` by devices.
    pub fn new(width: u32, top: u64, taken: &[Range<u64>]) -> Option<Self> {
        let span = top.next_multiple_of(TABLE_SPAN);
        let window = |shift| Self { shift, span, tables_at: 0 };
        let free = |window: &Self| {
            let range = window.range();
            span <= range.start && !taken.iter().any(|other| overlap(other, &range))
        };
        (LOWEST_SHIFT..width.min(48)).rev().map(window).find(free)
    }

    /// The same window, with its tables of level 1 from this physical address.
    pub const fn with_tables_at(self, tables_at: u64) -> Self {
        Self { tables_at, ..self }
    }

    /// Base-two logarithm of where it begins.
    pub const fn shift(&self) -> u32 {
        self.shift
    }

    /// The guest-physical addresses it takes.
    pub const fn range(&self) -> Range<u64> {
        1 << self.shift..(1 << self.shift) + self.span
    }

    /// How many tables of level 1 it has, for memory that ends at `top`.
    pub const fn tables(top: u64) -> usize {
        top.div_ceil(TABLE_SPAN) as usize
    }

    /// What the nested tables hold for a page that touches the alias. The guest may execute nothing there,
    /// whatever the page's entry says.
    pub(super) fn slot(&self, page: &Range<u64>, level: u8, format: Format) -> Slot {
        if level > 2 {
            return Slot::Table;
        }
        let table = (page.start - self.range().start) / TABLE_SPAN;
        Slot::Entry(format.table(self.tables_at + table * FRAME_BYTES, READ | WRITE))
    }
}

/// The entries of the alias.
#[derive(Clone, Copy, Debug)]
pub struct Alias<'a> {
    pages: &'a [AtomicU64],
    format: Format,
}

impl<'a> Alias<'a> {
    /// The alias with these entries, one for each frame from address 0; all are empty.
    pub const fn new(pages: &'a [AtomicU64], format: Format) -> Self {
        Self { pages, format }
    }

    /// Shows a table, with these rights. What was not there is remembered by no CPU (SDM volume 3, section "Caching Translation
    /// Information"), so no flush is due.
    pub fn show(&self, table: TableAt, rights: u64) {
        let page = self.format.page(table.address(), 1, MemoryType::WriteBack, rights);
        self.set(table, page);
    }

    /// Hides what was a table; a table that was not shown leaves nothing to forget.
    pub fn hide(&self, table: TableAt) -> Option<Stale> {
        (self.set(table, 0) != 0).then(Stale::taken_away)
    }

    /// Gives what was there.
    fn set(&self, table: TableAt, page: u64) -> u64 {
        // One array element for each frame that the rules know, so the index is always good.
        let slot = self.pages.get((table.address() / FRAME_BYTES) as usize);
        slot.map_or(0, |slot| slot.swap(page, Ordering::AcqRel))
    }
}
