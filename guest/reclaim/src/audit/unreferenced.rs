//! The proof that a range of frames is empty: nothing that is known leads there, and nothing will.

use core::ops::Range;

use foreign_access::{Entry, EntryName, Operation, Stopped, walk};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::frame::PhysFrameRange;

use crate::Memory;
use crate::frames::State;
use crate::machine::Machine;
use crate::number::{FrameNumber, Share, Slot};
use crate::shared::Place;

/// What was looked at, and leads nowhere into the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unreferenced {
    /// Frames of the range, all offline.
    pub frames: u32,
    /// Entries that are not empty, of all levels of all spaces.
    pub entries: u32,
    /// Records of frames outside, of mappings, slots and shared pages.
    pub records: u32,
}

/// What leads into the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// This frame is not offline.
    InUse(PhysFrame),
    /// This root lies there.
    Root(PhysFrame),
    /// This entry leads there.
    Entry(EntryName, Entry),
    /// The record of this frame names one there.
    Record(PhysFrame),
    /// The list of the mappings of this frame names a table there.
    Mapping(PhysFrame),
    /// The list of free frames leads there.
    FreeList(PhysFrame),
    /// The page of this slot seems to be there.
    Slot(Slot),
    /// This shared page seems to be there.
    Share(Share),
    /// The method stopped.
    Stopped(Stopped),
}

impl From<Stopped> for Reference {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Walks the lower halves of all spaces, and then all records, and looks for whatever names a frame of a range. What the
/// kernel's half leads to is the kernel's to look at.
///
/// # Errors
/// The first [`Reference`] that is found.
///
/// # Panics
/// If there is no room for four operations.
pub fn unreferenced<M: Machine>(
    memory: &Memory<'_>,
    machine: &mut M,
    roots: &[PhysFrame],
    range: PhysFrameRange,
    room: &mut [Operation],
) -> Result<Unreferenced, Reference> {
    let mut search =
        Search { memory, range: memory.frames.numbers(range), found: Unreferenced::default() };
    for root in roots {
        search.space(machine, *root, room)?;
    }
    search.frames()?;
    search.free_list()?;
    search.slots()?;
    search.shares()?;
    Ok(search.found)
}

struct Search<'s, 'a> {
    memory: &'s Memory<'a>,
    range: Range<u32>,
    found: Unreferenced,
}

impl Search<'_, '_> {
    fn space<M: Machine>(
        &mut self,
        machine: &mut M,
        root: PhysFrame,
        room: &mut [Operation],
    ) -> Result<(), Reference> {
        self.outside(root, Reference::Root(root))?;
        let apply = |operations: &mut [Operation]| machine.apply(operations);
        walk::visit(apply, root, room, |name, entry| {
            self.found.entries += 1;
            let leads_to = entry.frame().filter(|frame| self.is_inside(*frame));
            leads_to.map_or(Ok(()), |_| Err(Reference::Entry(*name, entry)))
        })
    }

    fn frames(&mut self) -> Result<(), Reference> {
        for number in (1..self.memory.frames.len() as u32).filter_map(FrameNumber::new) {
            let record = self.memory.frames.record(number).unwrap_or_default();
            if self.range.contains(&number.number()) {
                if record != State::Offline {
                    return Err(Reference::InUse(number.frame()));
                }
                self.found.frames += 1;
            } else {
                self.record(number, record)?;
            }
        }
        Ok(())
    }

    /// Whatever the record of a frame outside names.
    fn record(&mut self, number: FrameNumber, record: State) -> Result<(), Reference> {
        self.found.records += 1;
        let names = match record {
            State::Table { root, older, .. } => [Some(root), older],
            State::Free { next } | State::Retired { next } => [next, None],
            State::Data { mappings, .. } => {
                for mapping in self.memory.reverse.ring(mappings) {
                    self.found.records += 1;
                    if self.range.contains(&mapping.table()) {
                        return Err(Reference::Mapping(number.frame()));
                    }
                }
                [None; 2]
            }
            State::Reserved | State::Kernel | State::Offline => [None; 2],
        };
        let mut names = names.into_iter().flatten();
        match names.any(|name| self.range.contains(&name.number())) {
            true => Err(Reference::Record(number.frame())),
            false => Ok(()),
        }
    }

    fn free_list(&self) -> Result<(), Reference> {
        let mut free = self.memory.frames.free_list();
        let inside = free.find(|number| self.range.contains(&number.number()));
        inside.map_or(Ok(()), |number| Err(Reference::FreeList(number.frame())))
    }

    fn slots(&mut self) -> Result<(), Reference> {
        for slot in (1..self.memory.swap.len() as u32).filter_map(Slot::new) {
            self.found.records += 1;
            if let Some(frame) = self.memory.swap.cached(slot) {
                self.outside(frame.frame(), Reference::Slot(slot))?;
            }
        }
        Ok(())
    }

    fn shares(&mut self) -> Result<(), Reference> {
        for share in (0..self.memory.shared.len() as u32).map(Share::new) {
            self.found.records += 1;
            if let Place::InFrame(frame) = self.memory.shared.place(share) {
                self.outside(frame.frame(), Reference::Share(share))?;
            }
        }
        Ok(())
    }

    fn outside(&self, frame: PhysFrame, reference: Reference) -> Result<(), Reference> {
        if self.is_inside(frame) { Err(reference) } else { Ok(()) }
    }

    fn is_inside(&self, frame: PhysFrame) -> bool {
        FrameNumber::of(frame).is_some_and(|number| self.range.contains(&number.number()))
    }
}
