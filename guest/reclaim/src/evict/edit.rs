//! Stage two: the entries are exchanged, and what was in them is gathered.

use foreign_access::{Action, Entry, Operation};

use super::Evicted;
use crate::Memory;
use crate::frames::Marks;
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::page::{ACCESSED, DIRTY};
use crate::swap_entry::slot_of;

/// Present, and the frame.
const NAMES_FRAME: u64 = Entry::FRAME_BITS | 1;

/// Exchanges entries. A victim of which one was refused, or held something else, is marked as
/// failed.
pub fn edit<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    operations: &mut [Operation],
    tally: &mut Evicted,
) {
    apply_all(machine, operations);
    machine.edited(operations);
    let mut rest = operations;
    while let Some(first) = rest.first() {
        let stored = stored_by(first);
        let frame = frame_of(memory, stored);
        let gathered = gather(rest, stored, frame);
        let (mine, others) = rest.split_at_mut(gathered.operations);
        let undone = if gathered.wrong == 0 { 0 } else { undo(machine, mine, frame) };
        settle(memory, stored, frame, &gathered, undone);
        tally.edited += gathered.exchanged - undone;
        rest = others;
    }
}

/// Does all that can be done. One that is refused becomes a load (it changed nothing) which found
/// what it should have stored, so that it is known whose it was.
fn apply_all<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        let refused = &mut operations[start + stopped.done];
        *refused = Operation { found: stored_by(refused), action: Action::Load, ..*refused };
        start += stopped.done + 1;
    }
}

/// The swap entry that an operation is about; operations with the same one are about the same page.
#[inline]
fn stored_by(operation: &Operation) -> Entry {
    match operation.action {
        Action::Exchange(stored) => stored,
        _ => operation.found,
    }
}

fn frame_of(memory: &Memory<'_>, stored: Entry) -> FrameNumber {
    let frame = slot_of(stored).and_then(|slot| memory.swap.cached(slot));
    frame.unwrap_or_else(|| unreachable!("{stored:?} was made for a page that is in a frame"))
}

/// What the entries of one page held.
struct Gathered {
    operations: usize,
    exchanged: u32,
    /// Everything that was found, ORed.
    found: u64,
    /// Nonzero if an entry did not name the frame.
    wrong: u64,
}

/// Gathers from the first operations, as many as are about the same page.
#[inline]
fn gather(operations: &[Operation], stored: Entry, frame: FrameNumber) -> Gathered {
    let expected = frame.frame().start_address().as_u64() | 1;
    let mut all = Gathered { operations: 0, exchanged: 0, found: 0, wrong: 0 };
    for operation in operations {
        if stored_by(operation) != stored {
            break;
        }
        all.operations += 1;
        all.exchanged += u32::from(operation.action != Action::Load);
        all.found |= operation.found.0;
        all.wrong |= (operation.found.0 ^ expected) & NAMES_FRAME;
    }
    all
}

/// Puts back what did not name the frame; gives back how often.
#[cold]
fn undo<M: Machine>(machine: &mut M, operations: &[Operation], frame: FrameNumber) -> u32 {
    let mut undone = 0;
    for Operation { name, action, found } in operations {
        let right = found.frame() == Some(frame.frame());
        if *action != Action::Load && !right {
            let back = machine.apply(&mut [Operation::new(*name, Action::Exchange(*found))]);
            undone += u32::from(back.is_ok());
        }
    }
    undone
}

/// Takes note of what was gathered.
#[inline]
fn settle(
    memory: &mut Memory<'_>,
    stored: Entry,
    frame: FrameNumber,
    gathered: &Gathered,
    undone: u32,
) {
    let page = memory.page(frame);
    if gathered.wrong != 0 {
        page.marks.set(Marks::FAILED);
    } else if gathered.found & DIRTY != 0 {
        page.marks.set(Marks::DIRTY);
    }
    if gathered.found & ACCESSED == 0 {
        page.marks.clear(Marks::RECENT);
    }
    if let Some(slot) = slot_of(stored) {
        memory.swap.refer(slot, gathered.exchanged - undone);
    }
}
