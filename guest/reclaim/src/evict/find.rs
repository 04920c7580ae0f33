//! Stage one: a slot for each victim, and an operation for each of its sharers.

use core::slice;

use foreign_access::{Action, Entry, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Evicted;
use crate::Memory;
use crate::frames::Marks;
use crate::number::{FrameNumber, Node, Slot};
use crate::swap_entry::swap_entry;

/// Goes through the victims, and through the sharers of each; stops where the room ends and goes on
/// from there.
pub struct Sharers<'v> {
    victims: slice::Iter<'v, PhysFrame>,
    /// What the entries of the current victim become.
    action: Action,
    /// The sharers of the current victim that are still to be found.
    node: Option<Node>,
}

impl<'v> Sharers<'v> {
    /// From the first sharer of the first victim.
    pub fn of(victims: &'v [PhysFrame]) -> Self {
        Self { victims: victims.iter(), action: Action::Exchange(Entry::EMPTY), node: None }
    }

    /// Fills the room from its beginning; gives back how far. If it is not full, all sharers of all
    /// victims were found.
    pub fn fill(
        &mut self,
        memory: &mut Memory<'_>,
        room: &mut [Operation],
        tally: &mut Evicted,
    ) -> usize {
        let mut filled = 0;
        loop {
            while let Some(node) = self.node {
                let Some(operation) = room.get_mut(filled) else {
                    return filled;
                };
                let (mapping, next) = memory.reverse.at(node);
                let name = memory.frames.name(mapping.table(), mapping.index());
                *operation = Operation::new(name, self.action);
                self.node = next;
                filled += 1;
            }
            let Some(victim) = self.victims.next() else {
                return filled;
            };
            self.begin(memory, *victim, tally);
        }
    }

    /// Prepares a victim, unless it must be left alone.
    fn begin(&mut self, memory: &mut Memory<'_>, victim: PhysFrame, tally: &mut Evicted) {
        let number = FrameNumber::of(victim);
        let Some((number, page)) =
            number.and_then(|number| Some((number, memory.frames.page(number)?)))
        else {
            tally.no_page += 1;
            return;
        };
        if page.marks.has(Marks::EVICTING) {
            return; // It is named twice.
        }
        let Some(slot) = page.slot.or_else(|| memory.swap.allocate(number)) else {
            tally.swap_full += 1;
            return;
        };
        *page.slot = Some(slot);
        page.marks.set(Marks::EVICTING);
        self.node = *page.mappings;
        self.action = exchange_for(slot);
    }
}

fn exchange_for(slot: Slot) -> Action {
    Action::Exchange(swap_entry(slot))
}
