//! Tables of one level: the entry that leads to each is taken out, and leads to another frame when it is put in
//! again.

use foreign_access::walk::{self, ENTRIES};
use foreign_access::{Action, Entry, EntryName, Operation};
use heapless::Vec;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::entries::{MOVING, put_in, take_out};
use super::{BATCH, EvacuateError, Evacuated, Move, Why};
use crate::Memory;
use crate::flushed::Flushed;
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::reverse::Mapping;
use crate::rights::Rights;

/// A table on its way.
struct Table {
    from: FrameNumber,
    to: FrameNumber,
    /// The entry that leads to it, and what was there.
    above: EntryName,
    found: Entry,
    /// It stays where it is.
    stays: Option<Why>,
}

/// Moves a batch of tables of one level; there is room for an operation each.
pub fn move_tables<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    batch: &[Move],
    level: PageTableLevel,
    room: &mut [Operation],
    so_far: &mut Evacuated,
) -> Result<(), EvacuateError> {
    let mut tables: Vec<Table, BATCH> = Vec::new();
    for Move { from, to } in batch {
        match entry_above(memory, machine, *from) {
            Some(above) => tables
                .push(Table::new(*from, *to, above))
                .unwrap_or_else(|_| unreachable!("a batch has room")),
            None => {
                so_far.leave(from.frame(), Why::NotLinked);
                memory.frames.free(*to, &Flushed::never_mapped());
            }
        }
    }
    unlink(machine, &mut tables, room)?;
    let flushed = Flushed::by_unlinking(machine);
    for table in &mut tables {
        table.change_frame(memory, machine, level, &flushed)?;
    }
    link(machine, &tables, room)?;
    for table in tables {
        if table.stays.is_none() && level == PageTableLevel::One {
            name_new_table(memory, machine, &table, room)?;
        }
        table.tell(so_far);
    }
    Ok(())
}

/// The name of the entry that leads to a table, if there is one.
fn entry_above<M: Machine>(
    memory: &Memory<'_>,
    machine: &mut M,
    table: FrameNumber,
) -> Option<EntryName> {
    let first = memory.frames.name(table, 0);
    let (root, page, level) = (first.root(), first.page(), first.level());
    let apply = |operations: &mut [Operation]| machine.apply(operations);
    let (above, entry) = walk::find(apply, root, page, level.next_higher_level()?).ok()?;
    (above.level() != level && entry.table() == Some(table.frame())).then_some(above)
}

/// Takes the entries out that lead to the tables.
fn unlink<M: Machine>(
    machine: &mut M,
    tables: &mut [Table],
    room: &mut [Operation],
) -> Result<(), EvacuateError> {
    let room = &mut room[..tables.len()];
    for (table, operation) in tables.iter().zip(&mut *room) {
        *operation = Operation::new(table.above, Action::Exchange(MOVING));
    }
    take_out(machine, room, |at, refusal| tables[at].stays = Some(Why::Refused(refusal)));
    for (table, operation) in tables.iter_mut().zip(room) {
        table.found = operation.found;
        if table.stays.is_none() && table.found.table() != Some(table.from.frame()) {
            table.stays = Some(Why::NotLinked);
        }
    }
    Ok(())
}

/// Puts the entries in again.
fn link<M: Machine>(
    machine: &mut M,
    tables: &[Table],
    room: &mut [Operation],
) -> Result<(), EvacuateError> {
    let room = &mut room[..tables.len()];
    for (table, operation) in tables.iter().zip(&mut *room) {
        *operation = Operation::new(table.above, table.action());
    }
    put_in(machine, room)
}

/// The reverse map names the entries of a table of level one where they are now.
fn name_new_table<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    table: &Table,
    room: &mut [Operation],
) -> Result<(), EvacuateError> {
    let mut still = memory.frames.live(table.to);
    let mut start = 0;
    while start < ENTRIES as u64 && still > 0 {
        let count = room.len().min(ENTRIES - start as usize);
        let room = &mut room[..count];
        for (index, operation) in (start..).zip(&mut *room) {
            *operation = Operation::new(memory.frames.name(table.to, index), Action::Load);
        }
        let stuck = |name, refusal| EvacuateError::Stuck(name, refusal);
        machine.apply(room).map_err(|stopped| stuck(table.above, stopped.refusal))?;
        for (index, operation) in (start..).zip(&*room) {
            still -= u16::from(operation.found != Entry::EMPTY);
            memory.move_entry(table, index, operation.found);
        }
        start += count as u64;
    }
    Ok(())
}

impl Memory<'_> {
    /// An entry of a table that moved may map a page, whose ring names it.
    fn move_entry(&mut self, table: &Table, index: u64, entry: Entry) {
        let Some(frame) = entry.frame().and_then(FrameNumber::of) else { return };
        let moved = Mapping::new(table.from, index, Rights::of(entry));
        self.reverse.move_entry(self.frames.mappings(frame), moved, table.to);
    }
}

impl Table {
    const fn new(from: FrameNumber, to: FrameNumber, above: EntryName) -> Self {
        Self { from, to, above, found: Entry::EMPTY, stays: None }
    }

    /// Nobody can reach the table: it and its record move, if whoever must agree does.
    fn change_frame<M: Machine>(
        &mut self,
        memory: &mut Memory<'_>,
        machine: &mut M,
        level: PageTableLevel,
        flushed: &Flushed,
    ) -> Result<(), EvacuateError> {
        if self.stays.is_none() {
            self.stays = change_frame(machine, self.above, (self.from, self.to), level)?;
        }
        if self.stays.is_some() {
            memory.frames.free(self.to, &Flushed::never_mapped());
            return Ok(());
        }
        memory.frames.move_table(self.from, self.to);
        memory.frames.free(self.from, flushed);
        machine.freed(self.from.frame());
        Ok(())
    }

    /// How the entry is put in again; one that was not taken out stays as it is.
    fn action(&self) -> Action {
        let leads_to = |frame: PhysFrame| {
            Entry(self.found.0 & !Entry::FRAME_BITS | frame.start_address().as_u64())
        };
        match self.stays {
            None => Action::Exchange(leads_to(self.to.frame())),
            Some(_) => Action::CompareExchange { expected: MOVING, new: self.found },
        }
    }

    fn tell(&self, so_far: &mut Evacuated) {
        match self.stays {
            Some(why) => so_far.leave(self.from.frame(), why),
            None => (so_far.tables, so_far.entries) = (so_far.tables + 1, so_far.entries + 1),
        }
    }
}

/// A table that nobody can reach ceases to be one, and its copy becomes one. Says why not, if not; it is what it
/// was then.
pub fn change_frame<M: Machine>(
    machine: &mut M,
    above: EntryName,
    (from, to): (FrameNumber, FrameNumber),
    level: PageTableLevel,
) -> Result<Option<Why>, EvacuateError> {
    if let Err(refusal) = machine.release(from.frame()) {
        return Ok(Some(Why::Refused(refusal)));
    }
    machine.copy(from.frame(), to.frame());
    let Err(refusal) = machine.adopt(to.frame(), level) else { return Ok(None) };
    machine.freed(to.frame());
    let stuck = |refusal| EvacuateError::Stuck(above, refusal);
    machine.adopt(from.frame(), level).map_err(stuck)?;
    Ok(Some(Why::Refused(refusal)))
}
