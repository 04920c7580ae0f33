//! Stage one: a slot for each victim, and an operation for each of its sharers.

use foreign_access::{Action, Entry, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use crate::Memory;
use crate::frames::Marks;
use crate::number::{FrameNumber, Node};
use crate::swap_entry::swap_entry;

/// The most operations in a round: as many as a frame's record can count.
pub const MOST: usize = u16::MAX as usize;

/// Goes through the victims, and through the sharers of each; stops where the room ends and goes on
/// from there.
pub struct Sharers<'v> {
    victims: &'v [PhysFrame],
    /// How many victims were begun.
    begun: usize,
    /// The next sharer of the last one of them, if it was not finished.
    rest: Option<Node>,
}

/// A victim whose sharers are being found.
struct Victim {
    frame: FrameNumber,
    /// What its entries become.
    entry: Entry,
    /// Where the next sharer is, and the last one.
    next: Node,
    last: Node,
}

impl<'v> Sharers<'v> {
    /// From the first sharer of the first victim.
    pub fn of(victims: &'v [PhysFrame]) -> Self {
        Self { victims, begun: 0, rest: None }
    }

    /// Fills the room from its beginning; gives back how far, and which victims that is about (some
    /// of them may have no part in it). If the room is not full, all sharers of all victims were
    /// found.
    pub fn fill(
        &mut self,
        memory: &mut Memory<'_>,
        room: &mut [Operation],
        tally: &mut Evicted,
    ) -> (usize, &'v [PhysFrame]) {
        let mut filled = 0;
        let mut next = self.begun - usize::from(self.rest.is_some());
        let first = next;
        while filled < room.len()
            && let Some(victim) = self.victims.get(next)
        {
            let victim = match self.rest.take() {
                Some(rest) => resume(memory, *victim, rest),
                None => begin(memory, *victim, tally),
            };
            if let Some(victim) = victim {
                let (laid, rest) = victim.lay_out(memory, &mut room[filled..]);
                (filled, self.rest) = (filled + laid, rest);
            }
            next += 1;
        }
        self.begun = next;
        (filled, &self.victims[first..next])
    }
}

impl Victim {
    /// Lays out an operation for each of the next sharers; gives back how many, and what is left.
    /// What an operation found is written when it is done. The loop runs once for each sharer of
    /// each victim, so every instruction counts.
    #[inline(always)]
    fn lay_out(self, memory: &mut Memory<'_>, room: &mut [Operation]) -> (usize, Option<Node>) {
        let (mut next, last) = (self.next.number(), self.last.number());
        let (mut laid, mut rest) = (0, true);
        for operation in room {
            let (mapping, after) = memory.reverse.at_number(next);
            operation.name = memory.frames.leaf_name(mapping);
            operation.action = Action::Exchange(self.entry);
            laid += 1;
            if next == last {
                rest = false;
                break;
            }
            next = after;
        }
        *memory.page(self.frame).laid = laid as u16;
        (laid, Node::new(next).filter(|_| rest))
    }
}

/// Prepares a victim; gives back nothing if it must be left alone or has no sharers.
#[inline(always)]
fn begin(memory: &mut Memory<'_>, victim: PhysFrame, tally: &mut Evicted) -> Option<Victim> {
    let frame = FrameNumber::of(victim);
    let Some((frame, page)) = frame.and_then(|frame| Some((frame, memory.frames.page(frame)?)))
    else {
        tally.no_page += 1;
        return None;
    };
    if page.marks.has(Marks::EVICTING) {
        return None; // It is named twice.
    }
    let Some(slot) = page.slot.or_else(|| memory.swap.allocate(frame)) else {
        tally.swap_full += 1;
        return None;
    };
    *page.slot = Some(slot);
    page.marks.set(Marks::EVICTING);
    let last = (*page.mappings)?;
    let next = memory.reverse.first(Some(last))?;
    Some(Victim { frame, entry: swap_entry(slot), next, last })
}

/// Goes on with a victim that was begun.
#[cold]
fn resume(memory: &mut Memory<'_>, victim: PhysFrame, next: Node) -> Option<Victim> {
    let frame = FrameNumber::of(victim)?;
    let page = memory.frames.page(frame)?;
    Some(Victim { frame, entry: swap_entry((*page.slot)?), next, last: (*page.mappings)? })
}
