//! Which guest-physical address leads where.
//!
//! ```text
//! 0                                a power of two                               2^width
//! | memory, devices ... [stub] ... | alias, as long as memory | devices ...    |
//! ```
//!
//! Everything is mapped 1:1, with the largest pages that have one memory type, except the stub's range,
//! which is not mapped, and the alias. A layout is one view: views differ in rights and in what their alias shows.

use core::ops::Range;

use crate::mtrr::Mtrrs;
use crate::nested::alias::Window;
use crate::nested::ept::{EXECUTE, READ, WRITE};
use crate::nested::format::Format;
use crate::places::overlap;
use crate::tree::{Shape, Slot};

/// Guest-physical addresses that a walk of four levels can reach.
const FOUR_LEVELS: u32 = 48;

/// What the guest may do in its usual view.
pub const ALL_RIGHTS: u64 = READ | WRITE | EXECUTE;

/// What it may do in others, where the gate alone can be executed.
pub const VIEW_RIGHTS: u64 =
    if cfg!(feature = "broken-executable-views") { ALL_RIGHTS } else { READ | WRITE };

/// The nested map of a guest.
#[derive(Clone, Debug)]
pub struct Layout<'a> {
    /// How entries are written down.
    pub format: Format,
    /// What the guest must not see.
    pub stub: Range<u64>,
    /// Where the 1:1 map ends.
    pub end: u64,
    /// The highest level whose entries may map pages.
    pub largest: u8,
    /// What is mapped by the smallest pages, so that rights can be those of single frames.
    pub fine: Range<u64>,
    /// What may only be read.
    pub guarded: Range<u64>,
    /// What the guest may do with what is mapped 1:1.
    pub rights: u64,
    /// The alias, if there is one.
    pub alias: Option<Window>,
    /// What the firmware said about memory types.
    pub mtrrs: &'a Mtrrs,
}

/// Addresses that are mapped without 1 GiB pages, by 2 MiB of tables. CPUs that lack those pages have few more.
const WITHOUT_GIB_PAGES: u32 = 39;

/// Where the 1:1 map ends: with 1 GiB pages, with the CPU's addresses; without, tables for all that could be too many, and it
/// may end before them, but never before memory does.
pub const fn end(width: u32, gib_pages: bool, top: u64) -> u64 {
    let most = if gib_pages { FOUR_LEVELS } else { WITHOUT_GIB_PAGES };
    let end = 1 << if width < most { width } else { most };
    let memory = top.next_multiple_of(1 << 30);
    if memory > end { memory } else { end }
}

impl Shape for Layout<'_> {
    fn slot(&self, page: &Range<u64>, level: u8) -> Slot {
        if let Some(alias) = &self.alias
            && overlap(page, &alias.range())
        {
            return alias.slot(page, level, self.format);
        }
        if page.start >= self.end || within(page, &self.stub) {
            return Slot::Nothing;
        }
        let small = [&self.fine, &self.guarded];
        let cut =
            overlap(page, &self.stub) || level > 1 && small.iter().any(|it| overlap(page, it));
        let rights = if overlap(page, &self.guarded) { READ } else { self.rights };
        if level > self.largest || page.end > self.end || cut {
            return Slot::Table;
        }
        let entry = |kind| Slot::Entry(self.format.page(page.start, level, kind, rights));
        self.format.kind(self.mtrrs, page).map_or(Slot::Table, entry)
    }

    fn upper(&self, table: u64) -> u64 {
        self.format.table(table, READ | WRITE | EXECUTE)
    }
}

const fn within(inner: &Range<u64>, outer: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests;
