//! Why something could not be done to a space.

use core::fmt;

use x86_64::structures::paging::{PageTableFlags, PhysFrame};

use crate::entry::Entry;
use crate::operation::{EntryName, Refusal, Stopped};
use crate::walk::NoEntry;

/// Why an edit, or a translation of a page of a given size, was not done. Unless it says otherwise the entry in question
/// is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// There is no such entry, or nothing in it; or the method refused.
    NoEntry(NoEntry),
    /// This entry leads to a table, where a large page was asked for.
    Table(EntryName, Entry),
    /// This entry is not empty, so nothing can be mapped there. Or it was to lead to a new table, and somebody else has put
    /// something into it; the table was not released, and the kernel has been told ([`TableDeeds::kept`]).
    ///
    /// [`TableDeeds::kept`]: super::TableDeeds::kept
    Occupied(EntryName, Entry),
    /// The address in this entry is not aligned to the size of its page.
    Misaligned(EntryName, Entry),
    /// A table is needed, and there is no frame for it. Tables that were made before remain.
    NoFrame,
    /// Flags that an entry which leads to a table must not have: page size and Global. Methods that go through slots
    /// of the root would make the walker take them for PAT and Global of a page.
    NotForTables(PageTableFlags),
    /// This frame was allocated for a table and has not become one. Whoever must agree refused; or the method refused the
    /// entry that was to lead to it; or [`Refusal::Differs`]: somebody else has put something into that entry.
    NewTable {
        /// The frame, which is the caller's.
        frame: PhysFrame,
        /// Why.
        refusal: Refusal,
    },
}

impl From<NoEntry> for EditError {
    fn from(why: NoEntry) -> Self {
        Self::NoEntry(why)
    }
}

impl From<Stopped> for EditError {
    fn from(stopped: Stopped) -> Self {
        Self::NoEntry(NoEntry::Stopped(stopped))
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name, entry) = match self {
            Self::NoFrame => return f.write_str("there is no frame for a table"),
            Self::NotForTables(flags) => {
                return write!(f, "an entry that leads to a table must not have all of {flags:?}");
            }
            Self::NewTable { frame, refusal } => {
                return write!(f, "{frame:?} has not become a table: {refusal:?}");
            }
            Self::NoEntry(NoEntry::Stopped(Stopped { refusal, .. })) => {
                return write!(f, "the method refused: {refusal:?}");
            }
            Self::NoEntry(NoEntry::Absent(name, entry)) => ("is not present", name, entry),
            Self::NoEntry(NoEntry::Large(name, entry)) => ("maps a large page", name, entry),
            Self::Table(name, entry) => ("leads to a table", name, entry),
            Self::Occupied(name, entry) => ("is not empty", name, entry),
            Self::Misaligned(name, entry) => ("has a misaligned address", name, entry),
        };
        write!(f, "{entry:?} of level {} for {:?} {what}", name.level() as u8, name.page())
    }
}

impl core::error::Error for EditError {}
