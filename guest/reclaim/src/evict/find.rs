//! Stage one: a slot for each victim, and an operation for each of its sharers.

use core::ops::Range;

use foreign_access::{Action, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use super::room::{Room, Write};
use crate::Memory;
use crate::frames::Marks;
use crate::number::{FrameNumber, Node, Slot};
use crate::swap_entry::swap_entry;

/// Goes through the victims, and through the sharers of each; stops where the room ends and goes on
/// from there.
pub struct Sharers<'v> {
    /// Those that were not begun.
    victims: core::slice::Iter<'v, PhysFrame>,
    /// How many pages are being evicted.
    pages: usize,
    /// The sharers of the last one of them that are left, if it was not finished.
    rest: Option<Ring>,
}

/// What is left of a ring.
#[derive(Clone, Copy)]
struct Ring {
    next: Node,
    last: Node,
}

/// What was found in a round.
pub struct Found {
    /// How many operations were laid out.
    pub operations: usize,
    /// For these pages of the room, in order.
    pub pages: Range<usize>,
    /// All sharers of all victims were found; else, some of the last page are left.
    pub is_last: bool,
}

impl<'v> Sharers<'v> {
    /// From the first sharer of the first victim.
    pub fn of(victims: &'v [PhysFrame]) -> Self {
        Self { victims: victims.iter(), pages: 0, rest: None }
    }

    /// Fills the room from its beginning.
    #[inline]
    pub fn fill(
        &mut self,
        memory: &mut Memory<'_>,
        room: &mut Room<'_>,
        tally: &mut Evicted,
    ) -> Found {
        let mut filled = 0;
        let first = self.pages - usize::from(self.rest.is_some());
        if let Some(rest) = self.rest.take() {
            (filled, self.rest) = lay_out(memory, &mut room.pages[first], rest, room.operations);
        }
        while self.rest.is_none()
            && let Some(victim) = self.victims.next()
        {
            let Some((page, last)) = begin(memory, *victim, tally) else { continue };
            room.pages[self.pages] = page;
            let page = &mut room.pages[self.pages];
            self.pages += 1;
            let ring =
                last.and_then(|last| Some(Ring { next: memory.reverse.first(Some(last))?, last }));
            if let Some(ring) = ring {
                let (laid, rest) = lay_out(memory, page, ring, &mut room.operations[filled..]);
                (filled, self.rest) = (filled + laid, rest);
            }
        }
        Found { operations: filled, pages: first..self.pages, is_last: self.rest.is_none() }
    }
}

/// Lays out an operation for each of the next sharers of a page, with a reference to its slot for each; gives back how many,
/// and what is left. What an operation found is written when it is done. The loop runs once for each sharer of
/// each victim, so every instruction counts.
#[inline(always)]
fn lay_out(
    memory: &mut Memory<'_>,
    page: &mut Write,
    ring: Ring,
    room: &mut [Operation],
) -> (usize, Option<Ring>) {
    let (mut next, last) = (ring.next.number(), ring.last.number());
    let (mut laid, mut rest) = (0, true);
    let action = Action::Exchange(swap_entry(page.slot));
    for operation in room {
        let (mapping, after) = memory.reverse.at_number(next);
        operation.name = memory.frames.leaf_name(mapping);
        operation.action = action;
        laid += 1;
        if next == last {
            rest = false;
            break;
        }
        next = after;
    }
    page.laid = laid as u32;
    memory.swap.refer(page.slot, laid as u32);
    let rest = Node::new(next).filter(|_| rest).map(|next| Ring { next, ..ring });
    (laid, rest)
}

/// Prepares a victim; gives back the last one of its ring too. Nothing, if it must be left alone.
#[inline(always)]
fn begin(
    memory: &mut Memory<'_>,
    victim: PhysFrame,
    tally: &mut Evicted,
) -> Option<(Write, Option<Node>)> {
    let frame = FrameNumber::of(victim);
    let Some((frame, page)) = frame.and_then(|frame| Some((frame, memory.frames.page(frame)?)))
    else {
        tally.no_page += 1;
        return None;
    };
    if page.marks.has(Marks::EVICTING) {
        return None; // It is named twice, or another eviction has it.
    }
    let slot = match *page.slot {
        None => memory.swap.allocate(frame),
        Some(slot) if memory.swap.is_bad(slot) => return another_slot(memory, frame, slot, tally),
        slot => slot,
    };
    let Some(slot) = slot else {
        tally.swap_full += 1;
        return None;
    };
    *page.slot = Some(slot);
    page.marks.set(Marks::EVICTING);
    Some((Write::new(victim, slot), *page.mappings))
}

/// A page whose slot is bad goes to another one, unless entries still name this one.
#[cold]
fn another_slot(
    memory: &mut Memory<'_>,
    frame: FrameNumber,
    bad: Slot,
    tally: &mut Evicted,
) -> Option<(Write, Option<Node>)> {
    if memory.swap.references(bad) > 1 {
        tally.bad_slot += 1;
        return None;
    }
    *memory.page(frame).slot = None;
    memory.swap.release(bad, 1);
    begin(memory, frame.frame(), tally)
}
