//! Stage two: the entries are exchanged, and what was in them is gathered.

use foreign_access::{Action, Entry, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use crate::Memory;
use crate::frames::{Marks, Page};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::page::DIRTY;
use crate::swap::SwapMap;
use crate::swap_entry::slot_of;

/// Entry bit without which the walker does not use it.
const PRESENT: u64 = 1;

/// Exchanges the entries of some victims. A victim of which one was refused, or held something
/// else, is marked as failed.
pub fn edit<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    victims: &[PhysFrame],
    operations: &mut [Operation],
    tally: &mut Evicted,
) {
    apply_all(memory, machine, operations);
    machine.edited(operations);
    let mut rest = &*operations;
    for frame in victims.iter().filter_map(|victim| FrameNumber::of(*victim)) {
        let Some(page) = memory.frames.page(frame) else { continue };
        let laid = usize::from(core::mem::take(page.laid));
        if laid > 0 {
            let (mine, others) = rest.split_at(laid);
            tally.edited += settle(machine, frame, page, mine, &mut memory.swap);
            rest = others;
        }
    }
}

/// Does all that can be done. The victim of one that is refused is marked; the operation becomes a
/// load (it changed nothing) that found nothing unexpected.
#[inline]
fn apply_all<M: Machine>(memory: &mut Memory<'_>, machine: &mut M, operations: &mut [Operation]) {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        let refused = &mut operations[start + stopped.done];
        let frame = frame_of(memory, refused);
        memory.page(frame).marks.set(Marks::FAILED);
        refused.action = Action::Load;
        refused.found = Entry(frame.frame().start_address().as_u64() | PRESENT);
        start += stopped.done + 1;
    }
}

/// Which victim an operation is about.
fn frame_of(memory: &Memory<'_>, operation: &Operation) -> FrameNumber {
    let slot = match operation.action {
        Action::Exchange(entry) => slot_of(entry),
        _ => None,
    };
    let frame = slot.and_then(|slot| memory.swap.cached(slot));
    frame.unwrap_or_else(|| unreachable!("{operation:?} was laid out for a page in a frame"))
}

/// Takes note of what was found in the entries of one page; gives back how many were exchanged.
#[inline(always)]
fn settle<M: Machine>(
    machine: &mut M,
    frame: FrameNumber,
    page: Page<'_>,
    operations: &[Operation],
    swap: &mut SwapMap<'_>,
) -> u32 {
    let (found, wrong) = gather(operations, frame);
    if found & DIRTY != 0 {
        page.marks.set(Marks::DIRTY);
    }
    if wrong {
        page.marks.set(Marks::FAILED);
    }
    let exchanged = match page.marks.has(Marks::FAILED) {
        true => undo(machine, operations, frame),
        false => operations.len() as u32,
    };
    if let Some(slot) = *page.slot {
        swap.refer(slot, exchanged);
    }
    exchanged
}

/// Everything that was found, ORed, and whether any of it did not name the frame.
#[inline(always)]
fn gather(operations: &[Operation], frame: FrameNumber) -> (u64, bool) {
    let expected = frame.frame().start_address().as_u64() | PRESENT;
    let (mut found, mut wrong) = (0, 0);
    for operation in operations {
        found |= operation.found.0;
        wrong |= operation.found.0 ^ expected;
    }
    (found, wrong & (Entry::FRAME_BITS | PRESENT) != 0)
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
