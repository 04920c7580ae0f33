//! The kernel's part.
#![expect(unsafe_code, reason = "what a kernel does for its tables is trusted and has duties")]

use x86_64::structures::paging::PhysFrame;

use crate::operation::{EntryName, Refusal};

/// A table that no entry leads to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlinked {
    /// The entry that led to it; it is empty now.
    pub entry: EntryName,
    /// The table; it holds no entries.
    pub table: PhysFrame,
}

/// What a kernel does for the tables of a space, and no method can.
///
/// # Safety
/// Each function does what it says: frames become tables, and are free, by its word.
pub unsafe trait TableDeeds {
    /// Fills a frame with zeros that is to become a table. No entry leads to it yet, so methods cannot reach it; and
    /// nobody promises that a frame just allocated is zero.
    fn zero(&mut self, frame: PhysFrame);

    /// Comes back when no CPU knows a way through these entries any more, nor can get to know one: neither
    /// translations nor paging-structure caches, under any PCID, for none of the pages that each entry takes part in
    /// translating ([`walk::bytes_per_entry`](crate::walk::bytes_per_entry)). Only then are the tables released and
    /// their frames given back.
    ///
    /// On each CPU that has the space loaded, INVLPG of `entry.page()` is enough, if what the pages' own entries held was
    /// flushed when it was taken away. Where the space may be cached under a PCID without being loaded, that must be
    /// flushed, or noted for when it is loaded. On every CPU but this one, [`Method::detach`](crate::Method::detach)
    /// belongs to it.
    fn shoot_down(&mut self, unlinked: &[Unlinked]);

    /// Whoever must agree has not let go of a table that was unlinked and shot down, or that nothing ever led to. It stays a table, and its frame
    /// must not be used for anything else until [`Method::release`](crate::Method::release) succeeds.
    ///
    /// # Panics
    /// The default does: only the stub can refuse, and only what it was never told.
    fn kept(&mut self, table: PhysFrame, refusal: Refusal) {
        panic!("{table:?} was not released: {refusal:?}");
    }
}
