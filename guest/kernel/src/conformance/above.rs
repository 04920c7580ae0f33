//! A table in a frame above 4 GiB: reached, or refused with nothing done.

use foreign_access::{Action, Entry, EntryName, Operation, Refusal};
use loadphys_plan::command_line::MethodName;
use page_reclaim::{Machine as Deeds, tables};
use x86_64::PhysAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

use super::Outcome;
use super::entries::ABSENT;
use super::reference::PHYSICAL_MODE_END;
use super::trial::{FOREIGN, HOME, SPARE_PAGE, Trial};
use crate::scene::Failure;

/// What a table of level one serves, in bytes.
const SERVED: u64 = 2 << 20;

const LEADS_TO_TABLE: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::USER_ACCESSIBLE);

/// Makes a frame up there a table of the loaded space, then of a foreign one.
pub fn above(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let end = PhysAddr::new(PHYSICAL_MODE_END);
    let Some(frame) = trial.kernel.core().memory.frames.take_above(end) else {
        return Ok(Outcome::Untested("there is no memory"));
    };
    trial.kernel.machine.zero(frame);
    let reaches = trial.method != MethodName::PagingOff;
    let tried = if reaches { reached(trial, frame) } else { refused(trial, frame) };
    let back = trial.kernel.core().memory.frames.give_back_last(frame);
    back.expect("it was taken for the kernel");
    tried?;
    trial.found.above_4gib = Some(reaches);
    Ok(Outcome::Passed)
}

fn reached(trial: &mut Trial<'_>, frame: PhysFrame) -> Result<(), Failure> {
    let answer = trial.kernel.machine.adopt(frame, PageTableLevel::One);
    answer.map_err(|why| Failure::new(format_args!("the table was refused: {why:?}")))?;
    for number in [HOME, FOREIGN] {
        as_table_of(trial, number, frame)?;
    }
    let answer = trial.kernel.machine.release(frame);
    answer.map_err(|why| Failure::new(format_args!("the table cannot be released: {why:?}")))
}

/// Puts the table into a space, edits its entries, takes it out again.
fn as_table_of(trial: &mut Trial<'_>, number: usize, frame: PhysFrame) -> Result<(), Failure> {
    let upper = upper_entry(trial, number)?;
    let link = |entry| [Operation::new(upper, Action::Exchange(entry))];
    trial.batch(&mut link(Entry::new(frame, LEADS_TO_TABLE)))?;
    let leaf = upper.in_table(frame, PageTableLevel::One);
    trial.batch(&mut edits(leaf))?;
    let mut unlink = link(Entry::EMPTY);
    trial.batch(&mut unlink)?;
    trial.flush(&unlink);
    Ok(())
}

/// An empty entry of level two of a space.
fn upper_entry(trial: &mut Trial<'_>, number: usize) -> Result<EntryName, Failure> {
    let root = trial.root(number);
    let (mut core, machine, _) = trial.kernel.parts();
    let built = tables::find_or_build(&mut core.memory, machine, root, SPARE_PAGE);
    drop(core);
    built.map_err(|why| Failure::new(format_args!("no tables: {why:?}")))?;
    let names = trial.walk(root, SPARE_PAGE)?;
    Ok(names[2].of_page(SPARE_PAGE + SERVED))
}

/// All actions on an entry that is empty before and after.
fn edits(leaf: EntryName) -> [Operation; 4] {
    let (empty, full) = (Entry::EMPTY, ABSENT);
    [
        Operation::new(leaf, Action::Exchange(full)),
        Operation::new(leaf, Action::Load),
        Operation::new(leaf, Action::CompareExchange { expected: full, new: empty }),
        Operation::new(leaf, Action::Load),
    ]
}

/// The frame may not become a table; and in a batch the operation before the refused one is done, itself and the one after it
/// are not. (The reference stops there too.)
fn refused(trial: &mut Trial<'_>, frame: PhysFrame) -> Result<(), Failure> {
    let answer = trial.kernel.machine.adopt(frame, PageTableLevel::One);
    if answer != Err(Refusal::Above4GiB) {
        return Err(Failure::new(format_args!("asked to take the table it said {answer:?}")));
    }
    for number in [HOME, FOREIGN] {
        let low = upper_entry(trial, number)?;
        let high = low.in_table(frame, PageTableLevel::One);
        let full = Action::Exchange(ABSENT);
        trial.batch(&mut [low, high, low].map(|name| Operation::new(name, full)))?;
        trial.batch(&mut [Operation::new(low, Action::Exchange(Entry::EMPTY))])?;
    }
    Ok(())
}
