//! Stage one: a slot for each victim, and an operation for each of its sharers.
//!
//! Each of the two is a loop and a function of its own, so that it has all registers for itself: one runs once for each victim,
//! the other once for each sharer of each victim, so every instruction counts.

use foreign_access::{Action, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use super::room::{Fate, Write};
use crate::Memory;
use crate::frames::{Frames, Marks};
use crate::machine::DeviceError;
use crate::number::{FrameNumber, Node, Slot};
use crate::reverse::Reverse;
use crate::swap_entry::swap_entry;

/// The pages that are being evicted.
#[derive(Clone, Copy)]
pub struct Begun {
    /// How many of the room.
    pub pages: usize,
    /// Their slots ascend.
    pub slots_ascend: bool,
}

/// Prepares the victims that can be evicted.
#[inline(never)]
pub fn begin(
    memory: &mut Memory<'_>,
    victims: &[PhysFrame],
    pages: &mut [Write],
    tally: &mut Evicted,
) -> Begun {
    let mut begun = Begun { pages: 0, slots_ascend: true };
    let mut last_slot = 0;
    for victim in victims {
        let Some(page) = pages.get_mut(begun.pages) else { break };
        let Some((frame, slot)) = prepare(memory, *victim, page, tally) else { continue };
        (page.frame, page.number, page.slot) = (*victim, frame, slot);
        (page.laid, page.outcome, page.fate) = (0, Err(DeviceError), Fate::Write);
        begun.pages += 1;
        begun.slots_ascend &= slot.number() > last_slot;
        last_slot = slot.number();
    }
    begun
}

/// Marks a victim, and gives it a slot; notes where its ring is. Nothing, if it must be left alone.
#[inline(always)]
fn prepare(
    memory: &mut Memory<'_>,
    victim: PhysFrame,
    page: &mut Write,
    tally: &mut Evicted,
) -> Option<(FrameNumber, Slot)> {
    let frame = FrameNumber::of(victim);
    let Some((frame, record)) = frame.and_then(|frame| Some((frame, memory.frames.page(frame)?)))
    else {
        tally.no_page += 1;
        return None;
    };
    if record.marks.has(Marks::EVICTING) {
        return None; // It is named twice, or another eviction has it.
    }
    let slot = match *record.slot {
        None => memory.swap.allocate(frame),
        Some(slot) if memory.swap.is_bad(slot) => {
            return another_slot(memory, frame, slot, page, tally);
        }
        slot => slot,
    };
    let Some(slot) = slot else {
        tally.swap_full += 1;
        return None;
    };
    *record.slot = Some(slot);
    record.marks.set(Marks::EVICTING);
    page.last = *record.mappings;
    Some((frame, slot))
}

/// A page whose slot is bad goes to another one, unless entries still name this one.
#[cold]
fn another_slot(
    memory: &mut Memory<'_>,
    frame: FrameNumber,
    bad: Slot,
    page: &mut Write,
    tally: &mut Evicted,
) -> Option<(FrameNumber, Slot)> {
    if memory.swap.references(bad) > 1 {
        tally.bad_slot += 1;
        return None;
    }
    *memory.page(frame).slot = None;
    memory.swap.release(bad, 1);
    prepare(memory, frame.frame(), page, tally)
}

/// Goes through the sharers of each page; stops where the room ends and goes on from there.
#[derive(Default)]
pub struct Sharers {
    /// The page that comes next.
    page: usize,
    /// Its next sharer, if some have had their turn.
    rest: Option<Node>,
}

/// What was laid out in a round.
pub struct Round {
    /// How many operations.
    pub operations: usize,
    /// The first page that they are about; the others follow.
    pub first: usize,
    /// So many pages are finished now, from the first of all.
    pub finished: usize,
}

impl Sharers {
    /// Fills the room from its beginning. What an operation found is written when it is done.
    #[inline]
    pub fn fill(
        &mut self,
        memory: &Memory<'_>,
        pages: &mut [Write],
        room: &mut [Operation],
    ) -> Round {
        let (first, Memory { frames, reverse, .. }) = (self.page, memory);
        let (operations, rest) = lay_out(frames, reverse, (&mut pages[first..], self.rest), room);
        let (finished, rest) =
            rest.map_or((pages.len(), None), |(more, node)| (first + more, node));
        (self.page, self.rest) = (finished, rest);
        Round { operations, first, finished }
    }
}

/// Lays out operations for the sharers of these pages, of the first one from the given one on; gives back how many, and in which
/// page it stopped before which sharer, if it did.
#[inline(never)]
fn lay_out(
    frames: &Frames<'_>,
    reverse: &Reverse<'_>,
    (pages, from): (&mut [Write], Option<Node>),
    room: &mut [Operation],
) -> (usize, Option<(usize, Option<Node>)>) {
    let (all, all_pages) = (room.len(), pages.len());
    let (mut pages, mut room, mut from) = (pages.iter_mut(), room.iter_mut(), from);
    while let Some(page) = pages.next() {
        let Some(last) = page.last else { continue };
        let (before, action) = (room.len(), Action::Exchange(swap_entry(page.slot)));
        let mut next = from.take().map_or_else(|| reverse.after(last), Node::number);
        let mut rest = true;
        for operation in room.by_ref() {
            let (mapping, after) = reverse.at_number(next);
            operation.name = frames.leaf_name(mapping);
            operation.action = action;
            if next == last.number() {
                rest = false;
                break;
            }
            next = after;
        }
        page.laid = (before - room.len()) as u32;
        if rest {
            return (all, Some((all_pages - pages.len() - 1, Node::new(next))));
        }
    }
    (all - room.len(), None)
}
