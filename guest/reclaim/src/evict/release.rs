//! Stage five: mappings and frames become free.

use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::{Marks, State};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::shared::Place;

/// Frees the victims that are still marked: those that are in their slots.
pub fn release<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    victims: &[PhysFrame],
    flushed: &Flushed,
    tally: &mut Evicted,
) {
    for frame in victims.iter().filter_map(|victim| FrameNumber::of(*victim)) {
        if move_to_slot(memory, frame) {
            memory.frames.free(frame, flushed);
            machine.freed(frame.frame());
            tally.evicted += 1;
        }
    }
}

/// Moves the records of a page from its frame to its slot, if it is marked.
#[inline]
fn move_to_slot(memory: &mut Memory<'_>, frame: FrameNumber) -> bool {
    let Some(State::Data { marks, mappings, slot: Some(slot), share, .. }) =
        memory.frames.record(frame)
    else {
        return false;
    };
    if !marks.has(Marks::EVICTING) {
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
pub fn give_away<M: Machine>(memory: &mut Memory<'_>, machine: &mut M, victims: &[PhysFrame]) {
    for victim in victims {
        let number = FrameNumber::of(*victim);
        let page = number.and_then(|number| memory.frames.page(number));
        if page.is_some_and(|page| page.marks.has(Marks::EVICTING)) {
            machine.freed(*victim);
        }
    }
}
