//! Stage two, its end: what was in the entries goes to the records.

use foreign_access::{Action, Entry, Operation};

use super::Evicted;
use super::find::Round;
use super::room::{Fate, Write};
use crate::Memory;
use crate::frames::Marks;
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::page::DIRTY;
use crate::swap::SwapMap;

/// Entry bit without which the walker does not use it.
const PRESENT: u64 = 1;

/// Takes note of what the operations of a round found. A page of which an entry was refused, or held something
/// else, has failed. Gives back how many pages are to be written, of those that are finished in this round. It is a
/// function of its own, so that it has all registers for itself.
#[inline(never)]
pub fn settle<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    pages: &mut [Write],
    operations: &[Operation],
    round: &Round,
    tally: &mut Evicted,
) -> usize {
    tally.edited += operations.len() as u32;
    let (done, unfinished) = pages.split_at_mut(round.finished);
    let (mut rest, mut writes) = (operations, 0);
    for page in &mut done[round.first..] {
        let (mine, others) = rest.split_at(page.laid as usize);
        rest = others;
        let marks = memory.frames.page_in(page.number).marks;
        gather(machine, page, mine, marks, &mut memory.swap, tally);
        writes += usize::from(settled(page, marks));
    }
    if let Some(page) = unfinished.first_mut() {
        let marks = memory.frames.page_in(page.number).marks;
        gather(machine, page, rest, marks, &mut memory.swap, tally);
    }
    writes
}

/// Takes note of what was found in entries of one page.
#[inline(always)]
fn gather<M: Machine>(
    machine: &mut M,
    page: &mut Write,
    operations: &[Operation],
    marks: &mut Marks,
    swap: &mut SwapMap<'_>,
    tally: &mut Evicted,
) {
    swap.refer(page.slot, operations.len() as u32);
    let expected = page.frame.start_address().as_u64() | PRESENT;
    let [first, others @ ..] = operations else { return };
    // If all is well, what was found differs by what the walker set.
    let mut differs = first.found.0 ^ expected;
    for operation in others {
        differs |= operation.found.0 ^ expected;
    }
    if differs & DIRTY != 0 {
        marks.set(Marks::DIRTY);
    }
    if differs & (Entry::FRAME_BITS | PRESENT) != 0 {
        page.fate = Fate::Failed;
        let left = operations.len() as u32 - undo(machine, operations, page.number);
        swap.release(page.slot, left);
        tally.edited -= left;
    }
}

/// All entries of a page were exchanged, or could not be: what becomes of it is known. Says whether it is written.
#[inline(always)]
fn settled(page: &mut Write, marks: &mut Marks) -> bool {
    marks.set(Marks::SETTLED);
    if marks.has(Marks::COPY) && !marks.has(Marks::DIRTY) && page.fate == Fate::Write {
        page.fate = Fate::Clean;
    }
    page.fate == Fate::Write
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
