//! The tables of spaces: roots, and the way down to the entry of a page.

use foreign_access::walk::{self, NoEntry};
use foreign_access::{Action, Entry, EntryName, Operation, Refusal, Stopped};
use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::{Frames, State};
use crate::machine::Machine;
use crate::number::FrameNumber;

/// Why a table could not be found or built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// No frame is free.
    NoFrame,
    /// The page does not lie in the lower half.
    NotUsers(VirtAddr),
    /// This frame is not a root that was made here.
    NotARoot(PhysFrame),
    /// This entry on the way is nothing that was built here.
    Foreign(EntryName, Entry),
    /// The frame may not become a table.
    Refused(Refusal),
    /// The method stopped.
    Stopped(Stopped),
}

impl From<Stopped> for TableError {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// What leads to a table allows everything; entries of level one decide. Bits 7 and 8 are clear,
/// see [`foreign_access::methods::Recursive`].
const LEADS_TO_TABLE: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::USER_ACCESSIBLE);

/// Makes the root of a new space; the kernel fills its upper half when it adopts it.
///
/// # Errors
/// [`TableError::NoFrame`] and [`TableError::Refused`].
pub fn new_root<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
) -> Result<PhysFrame, TableError> {
    let level = PageTableLevel::Four;
    let root =
        new_table(memory, machine, |table| Frames::table_for(VirtAddr::zero(), level, table))?;
    Ok(root.frame())
}

/// Finds the entry of level one of a page, without building anything.
///
/// # Errors
/// [`NoEntry`] says what is in the way.
pub fn find<M: Machine>(
    machine: &mut M,
    root: PhysFrame,
    page: VirtAddr,
) -> Result<(EntryName, Entry), NoEntry> {
    walk::find(|operations| machine.apply(operations), root, page, PageTableLevel::One)
}

/// Finds the entry of level one of a page, building the tables that are missing on the way.
///
/// # Errors
/// [`TableError`]; tables that were built stay.
pub fn find_or_build<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    root: PhysFrame,
    page: VirtAddr,
) -> Result<EntryName, TableError> {
    if u64::from(page.p4_index()) >= walk::USER_ENTRIES as u64 {
        return Err(TableError::NotUsers(page));
    }
    let number = FrameNumber::of(root).ok_or(TableError::NotARoot(root))?;
    if let Some(name) = memory.frames.recent_leaf(number, page) {
        return Ok(name);
    }
    let name = walk_or_build(memory, machine, root, page)?;
    memory.frames.keep_leaf(number, &name);
    Ok(name)
}

/// The same by a walk.
fn walk_or_build<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    root: PhysFrame,
    page: VirtAddr,
) -> Result<EntryName, TableError> {
    let mut name = walk::top(root, page.align_down(4096u64));
    while name.level() != PageTableLevel::One {
        let entry = load(machine, name)?;
        name = match walk::below(&name, entry) {
            Ok(next) => next,
            Err(NoEntry::Absent(..)) if entry == Entry::EMPTY => build(memory, machine, &name)?,
            Err(_) => return Err(TableError::Foreign(name, entry)),
        };
    }
    Ok(name)
}

/// Loads one entry.
pub(crate) fn load<M: Machine>(machine: &mut M, name: EntryName) -> Result<Entry, Stopped> {
    let mut operation = Operation::new(name, Action::Load);
    machine.apply(core::slice::from_mut(&mut operation))?;
    Ok(operation.found)
}

/// Builds the table that an empty entry will lead to; gives back the name of the entry in it.
fn build<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    above: &EntryName,
) -> Result<EntryName, TableError> {
    let level =
        above.level().next_lower_level().ok_or(TableError::Foreign(*above, Entry::EMPTY))?;
    let root = FrameNumber::of(above.root()).ok_or(TableError::NotARoot(above.root()))?;
    let table = new_table(memory, machine, |_| Frames::table_for(above.page(), level, root))?;
    let new = Entry::new(table.frame(), LEADS_TO_TABLE);
    let action = Action::CompareExchange { expected: Entry::EMPTY, new };
    if let Err(stopped) = machine.apply(&mut [Operation::new(*above, action)]) {
        give_up(memory, machine, table).map_err(TableError::Refused)?;
        return Err(stopped.into());
    }
    memory.frames.link_table(root, table);
    memory.frames.count_live(above.table(), 1);
    Ok(above.in_table(table.frame(), level))
}

/// Makes a free frame a table that nothing leads to yet.
fn new_table<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    record: impl FnOnce(FrameNumber) -> State,
) -> Result<FrameNumber, TableError> {
    let table = memory.frames.allocate(State::Kernel).ok_or(TableError::NoFrame)?;
    let record = record(table);
    let State::Table { level, .. } = record else { unreachable!("only tables are made here") };
    memory.frames.set(table, record);
    machine.zero(table.frame());
    match machine.adopt(table.frame(), level) {
        Ok(()) => Ok(table),
        Err(refusal) => {
            memory.frames.free(table, &Flushed::never_mapped());
            machine.freed(table.frame());
            Err(TableError::Refused(refusal))
        }
    }
}

/// Gives up a table that nothing ever led to.
fn give_up<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    table: FrameNumber,
) -> Result<(), Refusal> {
    machine.release(table.frame())?;
    memory.frames.free(table, &Flushed::never_mapped());
    machine.freed(table.frame());
    Ok(())
}
