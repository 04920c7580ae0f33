//! Loads and stores of entries, with what they count.

use loadphys_abi::{ENTRY_BYTES, Status};

use super::Typed;
use super::entry::{Claim, claim};
use super::frame::Kind;
use crate::allowed::{EntryAt, WordAt};
use crate::entries::{Entries, Found};
use crate::level::Level;
use crate::operation::Wish;
use crate::twin::{Twin, is_broken};
use crate::unmap::{self, Mapping, Walkable};
use crate::words::aligned;

impl Typed<'_> {
    /// Does this to the entry at this physical address.
    ///
    /// # Errors
    /// [`Status::Unaligned`], [`Status::OutsideMemory`] or [`Status::NotATable`] for the place; for what is to be stored
    /// - [`Status::NamesMemory`], [`Status::LargePage`], [`Status::BadFlags`], [`Status::NotPreset`] for its bits,
    /// - [`Status::OutsideMemory`], [`Status::MapsTable`], [`Status::WrongLevel`] for where it leads,
    /// - [`Status::InUse`] if more entries lead there than can be counted.
    #[inline]
    pub fn perform(
        &mut self,
        address: u64,
        wish: Wish,
        memory: &impl Entries,
    ) -> Result<Found, Status> {
        aligned(address, ENTRY_BYTES)?;
        let (at, level) = (EntryAt(address), self.table(address)?);
        let stored = match wish {
            Wish::Load => Ok(memory.load(WordAt(address))),
            Wish::Exchange(new) => {
                self.take(new, level)?;
                let found = memory.exchange(at, new);
                self.overwritten(found, level);
                Ok(found)
            }
            Wish::CompareExchange { expected, new } => {
                self.take(new, level)?;
                self.compare_exchange(at, level, expected, new, memory)
            }
        };
        Ok(Found::from(stored))
    }

    /// Empties the entry that maps a page, if it maps the frame that is expected: [`Found::differs`] says that it does not.
    ///
    /// # Errors
    /// [`Status::Unaligned`]; for the root [`Status::OutsideMemory`], [`Status::NotATable`], and [`Status::WrongLevel`] if it
    /// is none; where the walk ends early [`Status::NotMapped`], or [`Status::WrongLevel`] for an entry that leads to an open
    /// table.
    pub fn unmap(&mut self, mapping: Mapping, memory: &impl Entries) -> Result<Found, Status> {
        unmap::unmap(self, mapping, memory)
    }

    /// Stores what was taken, if what is expected is there.
    #[inline]
    fn compare_exchange(
        &mut self,
        at: EntryAt,
        level: Level,
        expected: u64,
        new: u64,
        memory: &impl Entries,
    ) -> Result<u64, u64> {
        let stored = memory.compare_exchange(at, expected, new);
        match stored {
            Ok(found) => self.overwritten(found, level),
            Err(_) if is_broken(Twin::UnstoredStaysCounted) => {}
            Err(_) => self.give_back(new, level),
        }
        stored
    }

    #[inline]
    fn overwritten(&mut self, found: u64, level: Level) {
        if !is_broken(Twin::OldStaysCounted) {
            self.give_back(found, level);
        }
    }

    /// Checks an entry for a table of this level, and counts it where it leads.
    #[inline]
    pub(super) fn take(&mut self, entry: u64, level: Level) -> Result<(), Status> {
        self.bits.check(entry, level)?;
        match claim(entry, level) {
            Claim::Nothing => Ok(()),
            Claim::Seen(frame) => self.take_seen(frame),
            Claim::Written(frame) => self.take_written(frame),
            Claim::Linked { frame, level, supervisor } => {
                self.take_linked(frame, level, supervisor)
            }
        }
    }

    fn take_seen(&self, frame: u64) -> Result<(), Status> {
        let outside = self.state(frame).is(Kind::Outside);
        if outside && !is_broken(Twin::OutsideIsMapped) {
            Err(Status::OutsideMemory)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn take_written(&mut self, frame: u64) -> Result<(), Status> {
        self.take_seen(frame)?;
        let plain = self.state(frame).is(Kind::Plain);
        if plain || is_broken(Twin::TablesAreWritable) {
            self.raise(frame)
        } else {
            Err(Status::MapsTable)
        }
    }

    fn take_linked(&mut self, frame: u64, level: Level, supervisor: bool) -> Result<(), Status> {
        let state = self.state(frame);
        let open = state.is(Kind::Open(level)) && (supervisor || is_broken(Twin::OpenIsForUsers));
        if state.is(Kind::Table(level)) || open || broken_link(state.kind(), level) {
            self.raise(frame)
        } else {
            Err(Status::WrongLevel)
        }
    }

    /// No entry of a table of this level holds this any more.
    #[inline]
    pub(super) fn give_back(&mut self, entry: u64, level: Level) {
        match claim(entry, level) {
            Claim::Nothing | Claim::Seen(_) => {}
            Claim::Written(frame) | Claim::Linked { frame, .. } => {
                if let Some(state) = self.frames.get_mut(frame as usize) {
                    *state = state.lowered();
                }
            }
        }
    }

    #[inline]
    fn raise(&mut self, frame: u64) -> Result<(), Status> {
        if let Some(state) = self.frames.get_mut(frame as usize)
            && !is_broken(Twin::NewIsNotCounted)
        {
            *state = state.raised()?;
        }
        Ok(())
    }
}

/// What twins take for a good link.
fn broken_link(kind: Kind, level: Level) -> bool {
    match kind {
        Kind::Table(_) => is_broken(Twin::AnyLevelIsBelow),
        Kind::Becoming(becoming) => becoming == level && is_broken(Twin::BecomingIsLinked),
        _ => false,
    }
}

impl Walkable for Typed<'_> {
    fn level_at(&self, address: u64) -> Result<Level, Status> {
        self.table(address)
    }

    fn empty(&mut self, at: EntryAt, expected: u64, memory: &impl Entries) -> Result<u64, u64> {
        let stored = memory.compare_exchange(at, expected, 0)?;
        if !is_broken(Twin::UnmappedStaysCounted) {
            self.give_back(stored, Level::LOWEST);
        }
        Ok(stored)
    }
}
