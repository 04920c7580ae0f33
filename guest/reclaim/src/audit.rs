//! The audit: everything is compared with everything else.
//!
//! All tables are walked, level by level, without the reverse map. Every leaf must stand in the
//! list of its frame; since leaves are all different and both are counted, the two are equal then.
//! The same goes for tables and the lists of their roots, swap entries and the counts of slots,
//! free frames and the free list.

mod frames;
mod spaces;
mod unreferenced;

use foreign_access::{Entry, EntryName, Operation, Stopped};
use x86_64::structures::paging::PhysFrame;

use crate::Memory;
use crate::machine::Machine;
use crate::number::{Share, Slot};

pub use unreferenced::{Reference, Unreferenced, unreferenced};

/// What was found to be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Tables, roots included.
    pub tables: u32,
    /// Entries that map a page.
    pub leaves: u32,
    /// Entries that name a slot.
    pub swap_entries: u32,
    /// Frames that hold a page.
    pub pages: u32,
    /// Frames that are free.
    pub free: u32,
    /// Frames that are offline.
    pub offline: u32,
}

/// What is not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// This entry maps a frame that holds no page: it was freed too early, or is not ours.
    MapsNoPage(EntryName, Entry),
    /// This entry is missing in the list of the frame that it maps.
    NotInReverseMap(EntryName, Entry),
    /// This entry gives other rights than the reverse map says.
    OtherRights(EntryName, Entry),
    /// This entry is neither empty, nor a leaf, nor a table that we know, nor names a slot in use.
    Unknown(EntryName, Entry),
    /// The record of this table says something else: not the root, level or place where it was
    /// found.
    TableRecord(PhysFrame),
    /// In this table so many entries are not empty, and its record says otherwise.
    LiveCount(PhysFrame, u32),
    /// So many tables were found below this root, and its list is longer or shorter.
    TableCount(PhysFrame, u32),
    /// So many entries map pages, and the reverse map knows so many.
    MappingCount(u32, u32),
    /// So many entries name this slot, and its record says otherwise.
    SlotCount(Slot, u32),
    /// The frame and the slot of a page do not name each other.
    Cache(PhysFrame),
    /// The frame and the shared page do not name each other.
    SharedPlace(Share),
    /// So many frames are free, and the free list is longer or shorter.
    FreeCount(u32),
    /// This frame was left in the middle of something.
    Unfinished(PhysFrame),
    /// The method stopped.
    Stopped(Stopped),
}

impl From<Stopped> for Wrong {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Walks all spaces and compares them with the records. `scratch` has one number for each record of
/// the swap map; `room` is for operations.
///
/// # Errors
/// The first thing that is [`Wrong`].
///
/// # Panics
/// If `scratch` is shorter than the swap map, or there is no room for four operations.
pub fn audit<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    roots: &[PhysFrame],
    scratch: &mut [u32],
    room: &mut [Operation],
) -> Result<Audited, Wrong> {
    assert!(scratch.len() >= memory.swap.len(), "a number for each slot");
    scratch.fill(0);
    let mut audited = Audited::default();
    for root in roots {
        spaces::audit(memory, machine, *root, scratch, room, &mut audited)?;
    }
    frames::audit(memory, scratch, &mut audited)?;
    Ok(audited)
}
