//! Stage two, its end: what was in the entries goes to the records.

use foreign_access::{Action, Entry, Operation};

use super::Evicted;
use super::find::Found;
use super::room::{Fate, Write};
use crate::Memory;
use crate::frames::{Marks, Page};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::page::DIRTY;
use crate::swap::SwapMap;

/// Entry bit without which the walker does not use it.
const PRESENT: u64 = 1;

/// Takes note of what the operations of a round found. A page of which an entry was refused, or held something
/// else, has failed.
#[inline]
pub fn settle<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    pages: &mut [Write],
    operations: &[Operation],
    found: &Found,
    tally: &mut Evicted,
) {
    let mut rest = operations;
    let unfinished = if found.is_last { usize::MAX } else { pages.len() - 1 };
    for (number, page) in pages.iter_mut().enumerate() {
        let (mine, others) = rest.split_at(page.laid as usize);
        rest = others;
        let frame = page.number();
        let Some(record) = memory.frames.page(frame) else { continue };
        tally.edited += gather(machine, page, mine, record.marks, &mut memory.swap);
        if number != unfinished {
            settled(page, record);
        }
    }
}

/// Takes note of what was found in entries of one page; gives back how many were exchanged.
#[inline(always)]
fn gather<M: Machine>(
    machine: &mut M,
    page: &mut Write,
    operations: &[Operation],
    marks: &mut Marks,
    swap: &mut SwapMap<'_>,
) -> u32 {
    let expected = page.frame.start_address().as_u64() | PRESENT;
    let (mut found, mut wrong) = (0, 0);
    for operation in operations {
        found |= operation.found.0;
        wrong |= operation.found.0 ^ expected;
    }
    if found & DIRTY != 0 {
        marks.set(Marks::DIRTY);
    }
    if wrong & (Entry::FRAME_BITS | PRESENT) == 0 {
        return operations.len() as u32;
    }
    page.fate = Fate::Failed;
    let exchanged = undo(machine, operations, page.number());
    swap.release(page.slot, operations.len() as u32 - exchanged);
    exchanged
}

/// All entries of a page were exchanged, or could not be: what becomes of it is known.
#[inline(always)]
fn settled(page: &mut Write, record: Page<'_>) {
    record.marks.set(Marks::SETTLED);
    let same = record.marks.has(Marks::COPY) && !record.marks.has(Marks::DIRTY);
    if same && page.fate == Fate::Write {
        page.fate = Fate::Clean;
    }
}

/// Puts back what did not name the frame; gives back how many entries stay exchanged.
#[cold]
fn undo<M: Machine>(machine: &mut M, operations: &[Operation], frame: FrameNumber) -> u32 {
    let mut exchanged = 0;
    for Operation { name, action, found } in operations {
        let right = found.frame() == Some(frame.frame());
        let stays = *action != Action::Load
            && (right
                || machine.apply(&mut [Operation::new(*name, Action::Exchange(*found))]).is_err());
        exchanged += u32::from(stays);
    }
    exchanged
}
