//! The answer to a page fault: a page gets a frame, from zero, from swap, or from where it is
//! already.
//!
//! The page may be on its way out ([`crate::evict()`] says what holds meanwhile). Then its frame is still there, and the page
//! is rescued: mapped again, and marked so that the eviction lets it be.
//!
//! A page that is in swap is read in the same step with the records: while a device is slow, all others wait who need them.

use foreign_access::{Action, Entry, EntryName, Operation, Stopped};

use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::{Marks, State};
use crate::machine::{DeviceError, Machine};
use crate::number::{FrameNumber, Share, Slot};
use crate::reverse::Mapping;
use crate::rights::Rights;
use crate::shared::Place;
use crate::swap_entry::slot_of;
use crate::tables::load;

/// A page that comes back before a share of the pages in memory went (one in so many) is not on trial again.
const COMES_BACK: u32 = 2;

/// Whose a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// This space's alone.
    Private,
    /// It is this shared page.
    Shared(Share),
}

/// Where a page came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BroughtIn {
    /// It is new and all zeros.
    Zeroed,
    /// It was read from swap.
    FromSwap,
    /// It was in a frame already.
    FromCache,
    /// It was mapped already; nothing was done.
    AlreadyPresent,
}

/// Why a page could not be brought in. Nothing has changed then, except that a shared page may
/// be in a frame now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// No frame is free.
    NoFrame,
    /// The reverse map is full.
    NoMapping,
    /// The page could not be read from this slot.
    Device(Slot),
    /// What was read from this slot is not what was written there.
    Checksum(Slot),
    /// The page is on its way out, and its entries are being exchanged: the program tries again.
    Busy,
    /// The entry holds something that was not put there by this crate.
    Unknown(Entry),
    /// There is no record for this shared page.
    NoSuchShare(Share),
    /// The method stopped.
    Stopped(Stopped),
}

impl From<Stopped> for FaultError {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Maps a page at an entry of level one, after finding or making it.
///
/// # Errors
/// [`FaultError`].
pub fn bring_in<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    name: EntryName,
    backing: Backing,
    rights: Rights,
) -> Result<BroughtIn, FaultError> {
    let found = load(machine, name)?;
    if found.is_present() {
        return Ok(BroughtIn::AlreadyPresent);
    }
    let slot = slot_of(found);
    if slot.is_none() && found != Entry::EMPTY {
        return Err(FaultError::Unknown(found));
    }
    if !memory.reverse.has_room() {
        return Err(FaultError::NoMapping);
    }
    let (frame, how) = residence(memory, machine, slot, backing)?;
    let mapped = map(memory, machine, name, found, frame, rights);
    if mapped.is_err() && !memory.is_needed(frame) {
        memory.drop_page(frame);
        memory.frames.free(frame, &Flushed::never_mapped());
        machine.freed(frame.frame());
    }
    mapped?;
    Ok(how)
}

/// Puts the leaf in its place, and everything that follows from it in the records.
fn map<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    name: EntryName,
    found: Entry,
    frame: FrameNumber,
    rights: Rights,
) -> Result<(), FaultError> {
    let action = Action::CompareExchange { expected: found, new: rights.leaf(frame.frame()) };
    machine.apply(&mut [Operation::new(name, action)])?;
    let table = FrameNumber::of(name.table()).ok_or(FaultError::Unknown(found))?;
    note(memory, frame, Mapping::new(table, u64::from(name.index()), rights));
    match slot_of(found) {
        // The frame refers to the slot too, so the slot stays.
        Some(slot) => memory.swap.release(slot, 1),
        None => memory.frames.count_live(name.table(), 1),
    }
    Ok(())
}

/// Notes that an entry maps a page now. A page on its way out stays; what this eviction exchanged, its ring has already. Only
/// for such a page the ring is searched.
fn note(memory: &mut Memory<'_>, frame: FrameNumber, mapping: Mapping) {
    let page = memory.page(frame);
    if page.marks.has(Marks::EVICTING) {
        page.marks.set(Marks::WANTED);
        let mappings = *page.mappings;
        if memory.reverse.ring(mappings).any(|known| known.same_entry(mapping)) {
            return;
        }
    }
    memory.add_mapping(frame, mapping);
}

/// The frame that holds a page, and how it came there.
fn residence<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    slot: Option<Slot>,
    backing: Backing,
) -> Result<(FrameNumber, BroughtIn), FaultError> {
    let share = match backing {
        Backing::Private => None,
        Backing::Shared(share) => Some(share),
    };
    let place = share.map_or(Ok(Place::Nowhere), |share| place(memory, share))?;
    let cached = slot.and_then(|slot| memory.swap.cached(slot));
    match (cached, place, slot) {
        (Some(frame), _, _) | (None, Place::InFrame(frame), _) => {
            Ok((settled(memory, frame)?, BroughtIn::FromCache))
        }
        (None, Place::InSwap(slot), _) | (None, Place::Nowhere, Some(slot)) => {
            let frame = read(memory, machine, slot, share)?;
            Ok((frame, BroughtIn::FromSwap))
        }
        (None, Place::Nowhere, None) => Ok((zeroed(memory, machine, share)?, BroughtIn::Zeroed)),
    }
}

/// The frame, unless the entries that lead to it are being exchanged.
fn settled(memory: &mut Memory<'_>, frame: FrameNumber) -> Result<FrameNumber, FaultError> {
    let marks = *memory.page(frame).marks;
    let changing = marks.has(Marks::EVICTING) && !marks.has(Marks::SETTLED);
    if changing { Err(FaultError::Busy) } else { Ok(frame) }
}

fn place(memory: &Memory<'_>, share: Share) -> Result<Place, FaultError> {
    match memory.shared.len() > share.index() as usize {
        true => Ok(memory.shared.place(share)),
        false => Err(FaultError::NoSuchShare(share)),
    }
}

fn zeroed<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    share: Option<Share>,
) -> Result<FrameNumber, FaultError> {
    let page = State::page(Marks::default(), None, share);
    let frame = memory.frames.allocate(page).ok_or(FaultError::NoFrame)?;
    machine.zero(frame.frame());
    if let Some(share) = share {
        memory.shared.set(share, Place::InFrame(frame));
    }
    Ok(frame)
}

/// Reads a page into a new frame. The slot is kept: as long as the page stays clean, it need not
/// be written again.
fn read<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    slot: Slot,
    share: Option<Share>,
) -> Result<FrameNumber, FaultError> {
    let mut marks = Marks::COPY;
    if memory
        .swap
        .gone_for(slot)
        .is_some_and(|others| others < memory.frames.page_count() / COMES_BACK)
    {
        marks.set(Marks::KEPT);
    }
    let page = State::page(marks, Some(slot), share);
    let frame = memory.frames.allocate(page).ok_or(FaultError::NoFrame)?;
    let read = machine.read_in(slot, frame.frame()).map_err(|DeviceError| FaultError::Device(slot));
    let wrong = read.map(|found| found != memory.swap.checksum(slot));
    if wrong != Ok(false) {
        memory.frames.free(frame, &Flushed::never_mapped());
        machine.freed(frame.frame());
        wrong?;
        return Err(FaultError::Checksum(slot));
    }
    memory.swap.set_cached(slot, Some(frame));
    match share {
        // What the shared page referred to, its frame refers to now.
        Some(share) => memory.shared.set(share, Place::InFrame(frame)),
        None => memory.swap.refer(slot, 1),
    }
    Ok(frame)
}
