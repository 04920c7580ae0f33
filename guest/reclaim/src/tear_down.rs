//! The end of a space.

use foreign_access::walk::{ENTRIES, USER_ENTRIES};
use foreign_access::{Action, Entry, Operation, Refusal, Stopped};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::State;
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::reverse::Mapping;
use crate::rights::Rights;
use crate::swap_entry::slot_of;

/// What went with a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TornDown {
    /// Frames that held its tables, the root included.
    pub tables: u32,
    /// Frames that held pages nobody else needs.
    pub pages: u32,
    /// Entries of level one that mapped a page.
    pub mapped: u32,
    /// Entries of level one that named a slot.
    pub swapped: u32,
}

/// Why a space could not be torn down to the end. It can be tried again; what is gone is gone. Until then it
/// must not be loaded: what CPUs may know of it was not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TearDownError {
    /// This frame is not a root that was made here.
    NotARoot(PhysFrame),
    /// The method stopped.
    Stopped(Stopped),
    /// This table may not cease to be one.
    Refused(PhysFrame, Refusal),
}

impl From<Stopped> for TearDownError {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Ends a space that no CPU has loaded: unmaps all its pages, frees its tables and its root.
///
/// Tables are emptied from the newest to the oldest, so each before the one above it: no table is
/// freed that is still needed to reach another. Then every CPU lets go of the space
/// ([`Machine::let_go`], where it says why nothing is flushed); only then is anything freed.
///
/// # Errors
/// [`TearDownError`].
///
/// # Panics
/// If there is no room for a single operation.
pub fn tear_down<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    root: PhysFrame,
    room: &mut [Operation],
) -> Result<TornDown, TearDownError> {
    assert!(!room.is_empty(), "room for at least one operation");
    let number = root_number(memory, root)?;
    memory.frames.forget_recent();
    let mut work = TearDown { memory, machine, room, retired: None, gone: TornDown::default() };
    let emptied = work.empty_all(number);
    let flushed = Flushed::by_letting_go(work.machine);
    work.free_pages(&flushed);
    emptied?;
    work.free_tables(number, &flushed)?;
    Ok(work.gone)
}

fn root_number(memory: &Memory<'_>, root: PhysFrame) -> Result<FrameNumber, TearDownError> {
    let number = FrameNumber::of(root).ok_or(TearDownError::NotARoot(root))?;
    match memory.frames.record(number) {
        Some(State::Table { level: PageTableLevel::Four, .. }) => Ok(number),
        _ => Err(TearDownError::NotARoot(root)),
    }
}

struct TearDown<'w, 'a, M> {
    memory: &'w mut Memory<'a>,
    machine: &'w mut M,
    room: &'w mut [Operation],
    /// Frames that nobody needs any more, linked; they wait until every CPU has let go.
    retired: Option<FrameNumber>,
    gone: TornDown,
}

impl<M: Machine> TearDown<'_, '_, M> {
    fn empty_all(&mut self, root: FrameNumber) -> Result<(), Stopped> {
        let mut table = self.memory.frames.older(root);
        while let Some(number) = table {
            self.empty(number, ENTRIES)?;
            table = self.memory.frames.older(number);
        }
        self.empty(root, USER_ENTRIES)
    }

    /// Empties a table, in as many batches as the room asks for, until no entry is left.
    fn empty(&mut self, table: FrameNumber, entries: usize) -> Result<(), Stopped> {
        let mut start = 0;
        while start < entries && self.memory.frames.live(table) > 0 {
            let count = self.room.len().min(entries - start);
            for (index, operation) in (start as u64..).zip(&mut self.room[..count]) {
                let name = self.memory.frames.name(table, index);
                *operation = Operation::new(name, Action::Exchange(Entry::EMPTY));
            }
            self.take(table, start as u64, count)?;
            start += count;
        }
        Ok(())
    }

    /// Does the operations in the room and takes note of what each found.
    fn take(&mut self, table: FrameNumber, start: u64, count: usize) -> Result<(), Stopped> {
        let applied = self.machine.apply(&mut self.room[..count]);
        let done = applied.map_or_else(|stopped| stopped.done, |()| count);
        for at in 0..done {
            let Operation { name, found, .. } = self.room[at];
            if found != Entry::EMPTY {
                self.memory.frames.count_live(name.table(), -1);
            }
            if found != Entry::EMPTY && name.level() == PageTableLevel::One {
                self.drop_leaf(table, start + at as u64, found);
            }
        }
        applied
    }

    fn drop_leaf(&mut self, table: FrameNumber, index: u64, found: Entry) {
        let unneeded = if let Some(slot) = slot_of(found) {
            self.gone.swapped += 1;
            self.memory.drop_swap_entry(slot)
        } else {
            self.gone.mapped += 1;
            self.drop_mapping(table, index, found)
        };
        if let Some(frame) = unneeded {
            self.retire(frame);
        }
    }

    fn drop_mapping(
        &mut self,
        table: FrameNumber,
        index: u64,
        found: Entry,
    ) -> Option<FrameNumber> {
        let frame = found.frame().and_then(FrameNumber::of)?;
        let mapping = Mapping::new(table, index, Rights::of(found));
        let needed = self.memory.remove_mapping(frame, mapping, found)?;
        (!needed).then_some(frame)
    }

    fn retire(&mut self, frame: FrameNumber) {
        self.memory.drop_page(frame);
        self.memory.frames.set(frame, State::Retired { next: self.retired });
        self.retired = Some(frame);
    }

    fn free_pages(&mut self, flushed: &Flushed) {
        while let Some(frame) = self.retired {
            self.retired = self.memory.frames.next_retired(frame);
            self.free(frame, flushed);
            self.gone.pages += 1;
        }
    }

    fn free_tables(&mut self, root: FrameNumber, flushed: &Flushed) -> Result<(), TearDownError> {
        while let Some(table) = self.memory.frames.older(root) {
            self.release(table)?;
            self.memory.frames.unlink_table(root);
            self.free(table, flushed);
        }
        self.release(root)?;
        self.free(root, flushed);
        Ok(())
    }

    fn release(&mut self, table: FrameNumber) -> Result<(), TearDownError> {
        let refused = |refusal| TearDownError::Refused(table.frame(), refusal);
        self.machine.release(table.frame()).map_err(refused)?;
        self.gone.tables += 1;
        Ok(())
    }

    fn free(&mut self, frame: FrameNumber, flushed: &Flushed) {
        self.memory.frames.free(frame, flushed);
        self.machine.freed(frame.frame());
    }
}
