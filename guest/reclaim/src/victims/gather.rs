//! What the walker noted in the entries of pages is taken over into their records, in batches.

use foreign_access::{Action, Entry, Operation};
use x86_64::structures::paging::PageTableFlags;

use crate::Memory;
use crate::frames::Marks;
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::records::Records;

/// Sharers of a page that are looked at each time; the next time it is the turn of the next ones. So the work does not
/// grow with the sharers, and a page that one of sixty-four uses is still found out at once.
pub const SHARERS: usize = 64;

const ACCESSED: u64 = PageTableFlags::ACCESSED.bits();

/// Clears Accessed in the entries of some pages, and marks as used those in which it was set. Entries that change
/// meanwhile are left as they are: Dirty is never lost. Pages that are being evicted are left alone, and so is everything where
/// the walker notes nothing.
///
/// # Panics
/// If there is no room for a single operation.
pub fn gather<R: Records, M: Machine>(
    records: &mut R,
    machine: &mut M,
    mut pages: &[FrameNumber],
    room: &mut [Operation],
) {
    assert!(!room.is_empty(), "room for at least one operation");
    if !machine.notes_use() {
        return;
    }
    while !pages.is_empty() {
        let (begun, laid) = records.with(|memory| lay_out(memory, pages, room));
        pages = &pages[begun..];
        apply_all(machine, &mut room[..laid]);
        let touched = records.with(|memory| touched(memory, &mut room[..laid]));
        apply_all(machine, &mut room[..touched]);
    }
}

/// Lays out a load for each sharer to look at, of as many pages as there is room for; gives back how many pages, and how
/// many operations. Of a page with more sharers than the room holds, some are looked at.
fn lay_out(
    memory: &mut Memory<'_>,
    pages: &[FrameNumber],
    room: &mut [Operation],
) -> (usize, usize) {
    let (mut begun, mut laid) = (0, 0);
    for page in pages {
        let left = &mut room[laid..];
        if laid > 0 && left.len() < SHARERS {
            break;
        }
        laid += lay_out_page(memory, *page, left);
        begun += 1;
    }
    (begun, laid)
}

/// Lays out the next sharers of a page, and turns its ring so that others are next.
fn lay_out_page(memory: &mut Memory<'_>, number: FrameNumber, room: &mut [Operation]) -> usize {
    let Some(page) = memory.frames.page(number) else { return 0 };
    let (evicting, last) = (page.marks.has(Marks::EVICTING), *page.mappings);
    let Some(last) = last.filter(|_| !evicting) else { return 0 };
    let (mut node, mut laid) = (last, 0);
    for operation in room.iter_mut().take(SHARERS) {
        let Some(next) = memory.reverse.first(Some(node)) else { break };
        let (mapping, _) = memory.reverse.at(next);
        *operation = Operation::new(memory.frames.leaf_name(mapping), Action::Load);
        (node, laid) = (next, laid + 1);
        if node == last {
            break;
        }
    }
    *memory.page(number).mappings = Some(node);
    laid
}

/// Does all that can be done. What is refused changed nothing: a compare-exchange that finds something else found a page
/// that is used at this moment.
fn apply_all<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        start += stopped.done + 1;
    }
}

/// Marks the pages whose entries have Accessed, and lays out at the beginning of the room what clears it; gives back how
/// many operations that is.
fn touched(memory: &mut Memory<'_>, operations: &mut [Operation]) -> usize {
    let mut touched = 0;
    for at in 0..operations.len() {
        let Operation { name, found, .. } = operations[at];
        let page = found.frame().and_then(FrameNumber::of).filter(|_| found.0 & ACCESSED != 0);
        if let Some(page) = page.and_then(|page| memory.frames.page(page)) {
            page.marks.set(Marks::USED);
            operations[touched] = Operation::new(name, clearing(found));
            touched += 1;
        }
    }
    touched
}

/// What clears Accessed in an entry, if it still holds this.
const fn clearing(found: Entry) -> Action {
    let new = Entry(found.0 & !ACCESSED);
    if cfg!(feature = "broken-forget-dirty") {
        return Action::Exchange(new);
    }
    Action::CompareExchange { expected: found, new }
}
