//! The last stage: mappings and frames become free, or come back.

use foreign_access::Operation;

use super::Evicted;
use super::put_back::put_back;
use super::room::{Fate, Write};
use crate::Memory;
use crate::checksum::Checksum;
use crate::flushed::Flushed;
use crate::frames::Marks;
use crate::machine::Machine;
use crate::shared::Place;

/// Frees the pages that are in their slots, and that nobody wants back. It is a function of its
/// own, so that the registers are its own too.
#[inline(never)]
pub fn release<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    pages: &[Write],
    room: &mut [Operation],
    flushed: &Flushed,
    tally: &mut Evicted,
) {
    for page in pages {
        let checksum = match (page.fate, page.outcome) {
            (Fate::Write, Ok(checksum)) => Some(checksum),
            (Fate::Clean, _) => Some(memory.swap.checksum(page.slot)),
            _ => None,
        };
        let gone = checksum.is_some_and(|checksum| move_to_slot(memory, page, checksum));
        if gone {
            memory.frames.free(page.number, flushed);
            machine.freed(page.frame);
            *if page.fate == Fate::Write { &mut tally.written } else { &mut tally.clean } += 1;
        } else {
            keep(memory, machine, page, room, tally);
        }
    }
    tally.evicted = tally.written + tally.clean;
}

/// Moves the records of a page from its frame to its slot, unless it was mapped again.
#[inline(always)]
fn move_to_slot(memory: &mut Memory<'_>, page: &Write, checksum: Checksum) -> bool {
    let record = memory.page(page.number);
    if record.marks.has(Marks::WANTED) {
        return false;
    }
    let (share, mappings) = (*record.share, *record.mappings);
    memory.reverse.remove_all(mappings);
    // What the frame referred to, the shared page refers to now.
    if let Some(share) = share {
        memory.shared.set(share, Place::InSwap(page.slot));
    }
    memory.swap.keep(page.slot, checksum, share.is_some());
    true
}

/// A page stays: why is counted, and its mappings come back.
#[cold]
fn keep<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    page: &Write,
    room: &mut [Operation],
    tally: &mut Evicted,
) {
    match (page.fate, page.outcome) {
        (Fate::Failed, _) => tally.edit_failed += 1,
        (Fate::Write, Err(_)) => {
            memory.swap.set_bad(page.slot);
            tally.write_failed += 1;
        }
        (Fate::Write, Ok(_)) | (Fate::Clean, _) => tally.rescued += 1,
    }
    put_back(memory, machine, (page.number, page.fate == Fate::Clean), room);
}

/// The mistake that tests must find: the frames are given away while CPUs can still reach them
/// and before the pages are written.
pub fn give_away<M: Machine>(machine: &mut M, pages: &[Write]) {
    pages.iter().for_each(|page| machine.freed(page.frame));
}
