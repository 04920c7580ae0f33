//! The last stage: mappings and frames become free, or come back.

use super::Evicted;
use super::put_back::put_back;
use super::room::{Fate, Room, Write};
use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::{Marks, State};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::shared::Place;

/// Frees the first so many pages of the room that are in their slots, and that nobody wants back.
#[inline]
pub fn release<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    room: &mut Room<'_>,
    pages: usize,
    flushed: &Flushed,
    tally: &mut Evicted,
) {
    for page in &room.pages[..pages] {
        let frame = page.number();
        let gone = save(memory, page) && move_to_slot(memory, frame);
        if gone {
            memory.frames.free(frame, flushed);
            machine.freed(page.frame);
        } else {
            put_back(memory, machine, frame, room.operations);
        }
        count(page, gone, tally);
    }
}

/// Notes what is in the slot of a page; false, if it is not the page.
#[inline(always)]
fn save(memory: &mut Memory<'_>, page: &Write) -> bool {
    match (page.fate, page.outcome) {
        (Fate::Clean, _) => return true,
        (Fate::Write, Ok(checksum)) => memory.swap.set_checksum(page.slot, checksum),
        (Fate::Write, Err(_)) => memory.swap.set_bad(page.slot),
        (Fate::Failed, _) => {}
    }
    page.fate == Fate::Write && page.outcome.is_ok()
}

/// Counts a page that is gone, or was put back.
#[inline(always)]
fn count(page: &Write, gone: bool, tally: &mut Evicted) {
    let count = match (page.fate, gone, page.outcome) {
        (Fate::Write, true, _) => &mut tally.written,
        (Fate::Clean, true, _) => &mut tally.clean,
        (Fate::Write, false, Err(_)) => &mut tally.write_failed,
        (Fate::Write | Fate::Clean, false, _) => &mut tally.rescued,
        (Fate::Failed, ..) => &mut tally.edit_failed,
    };
    *count += 1;
    tally.evicted += u32::from(gone);
}

/// Moves the records of a page from its frame to its slot, unless it was mapped again.
#[inline(always)]
fn move_to_slot(memory: &mut Memory<'_>, frame: FrameNumber) -> bool {
    let Some(State::Data { marks, mappings, slot: Some(slot), share }) =
        memory.frames.record(frame)
    else {
        return false;
    };
    if marks.has(Marks::WANTED) {
        return false;
    }
    memory.reverse.remove_all(mappings);
    memory.swap.set_cached(slot, None);
    match share {
        // What the frame referred to, the shared page refers to now.
        Some(share) => memory.shared.set(share, Place::InSwap(slot)),
        None => memory.swap.release(slot, 1),
    }
    true
}

/// The mistake that tests must find: the frames are given away while CPUs can still reach them
/// and before the pages are written.
pub fn give_away<M: Machine>(machine: &mut M, pages: &[Write]) {
    pages.iter().for_each(|page| machine.freed(page.frame));
}
