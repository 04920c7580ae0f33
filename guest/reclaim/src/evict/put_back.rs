//! What happens to a page that could not go: its mappings come back.

use foreign_access::{Action, Operation};

use crate::Memory;
use crate::frames::{Frames, Marks};
use crate::machine::Machine;
use crate::number::{FrameNumber, Slot};
use crate::reverse::Mapping;
use crate::swap_entry::swap_entry;

/// Maps a page again wherever an entry holds its swap entry. The reverse map still knows where and
/// with which rights; what was mapped again already holds something else. A clean page keeps its slot, which was not
/// touched. The slot of any other may hold anything, be it that the write failed, or that somebody wrote the page
/// meanwhile.
///
/// The records are held all the time. It happens seldom, and nobody can fault on the page in between.
#[cold]
pub fn put_back<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    (frame, is_clean): (FrameNumber, bool),
    room: &mut [Operation],
) {
    let page = memory.page(frame);
    page.marks.clear(Marks::PASSING);
    let (slot, mappings) = (*page.slot, *page.mappings);
    let Some(slot) = slot else { return };
    let mut ring = memory.reverse.ring(mappings).peekable();
    while ring.peek().is_some() {
        let filled = fill(&memory.frames, frame, slot, &mut ring, room);
        let restored = restore(machine, &mut room[..filled]);
        memory.swap.release(slot, restored);
    }
    drop(ring);
    if !is_clean {
        give_slot_back(memory, frame, slot);
    }
}

/// Makes operations for the next mappings; gives back how many.
fn fill(
    frames: &Frames<'_>,
    frame: FrameNumber,
    slot: Slot,
    mappings: &mut impl Iterator<Item = Mapping>,
    room: &mut [Operation],
) -> usize {
    let mut filled = 0;
    for (operation, mapping) in room.iter_mut().zip(mappings) {
        let new = mapping.rights().leaf(frame.frame());
        let action = Action::CompareExchange { expected: swap_entry(slot), new };
        *operation = Operation::new(frames.leaf_name(mapping), action);
        filled += 1;
    }
    filled
}

/// Does what can be done; gives back how many entries map the page again. One that holds something
/// else was not exchanged before.
fn restore<M: Machine>(machine: &mut M, operations: &mut [Operation]) -> u32 {
    let (mut start, mut skipped) = (0, 0);
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        start += stopped.done + 1;
        skipped += 1;
    }
    operations.len() as u32 - skipped
}

/// The slot holds nothing of use. If only the frame refers to it, it becomes free.
fn give_slot_back(memory: &mut Memory<'_>, frame: FrameNumber, slot: Slot) {
    memory.page(frame).marks.clear(Marks::COPY);
    if memory.swap.references(slot) == 1 {
        *memory.page(frame).slot = None;
        memory.swap.set_cached(slot, None);
        memory.swap.release(slot, 1);
    }
}
