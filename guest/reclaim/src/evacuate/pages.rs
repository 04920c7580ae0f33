//! Pages: the entries of all sharers are taken out, and lead to another frame when they are put in again.
//!
//! Whether one of them was Accessed they all say afterwards, since that is a fact about the page; that one of
//! them was Dirty the page's record says, as after any other edit.

use foreign_access::{Action, Entry, Operation};
use heapless::Vec;

use super::entries::{MOVING, put_in, take_out};
use super::{BATCH, EvacuateError, Evacuated, Move, Why};
use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::{Marks, State};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::page::{ACCESSED, DIRTY};
use crate::reverse::Mapping;
use crate::shared::Place;

/// A page on its way.
struct Page {
    from: FrameNumber,
    to: FrameNumber,
    /// All that was found in its entries, ORed.
    found: u64,
    /// How many entries were taken out.
    taken: u32,
    /// Operations of this round that are about it.
    laid: usize,
    /// It stays where it is.
    stays: Option<Why>,
    /// It is where it goes.
    has_moved: bool,
}

/// Moves a batch of pages.
pub fn move_pages<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    batch: &[Move],
    room: &mut [Operation],
    so_far: &mut Evacuated,
) -> Result<(), EvacuateError> {
    let page = |Move { from, to }: &Move| Page::new(*from, *to);
    let mut pages: Vec<Page, BATCH> = batch.iter().map(page).collect();
    let taken = |_: &Page, _| Action::Exchange(MOVING);
    each_entry(memory, machine, &mut pages, room, taken, |machine, pages, operations| {
        settle(machine, pages, operations)
    })?;
    let flushed = Flushed::by(machine);
    pages.iter_mut().for_each(|page| page.change_frame(memory, machine, &flushed));
    each_entry(memory, machine, &mut pages, room, Page::action, |machine, _, operations| {
        put_in(machine, operations)
    })?;
    pages.iter().for_each(|page| page.tell(so_far));
    Ok(())
}

/// Lays out an operation for each sharer of each page, and does them whenever the room is full.
fn each_entry<M: Machine>(
    memory: &Memory<'_>,
    machine: &mut M,
    pages: &mut [Page],
    room: &mut [Operation],
    action: impl Fn(&Page, Mapping) -> Action,
    mut done: impl FnMut(&mut M, &mut [Page], &mut [Operation]) -> Result<(), EvacuateError>,
) -> Result<(), EvacuateError> {
    let mut filled = 0;
    for at in 0..pages.len() {
        let mappings = memory.frames.mappings(pages[at].frame());
        for mapping in memory.reverse.ring(mappings) {
            if filled == room.len() {
                done(machine, &mut pages[..=at], &mut room[..filled])?;
                filled = 0;
            }
            let name = memory.frames.leaf_name(mapping);
            room[filled] = Operation::new(name, action(&pages[at], mapping));
            (filled, pages[at].laid) = (filled + 1, pages[at].laid + 1);
        }
    }
    done(machine, pages, &mut room[..filled])
}

/// Takes entries out, and takes note of what was in them.
fn settle<M: Machine>(
    machine: &mut M,
    pages: &mut [Page],
    operations: &mut [Operation],
) -> Result<(), EvacuateError> {
    let mut refusal = None;
    take_out(machine, operations, |_, why| refusal = refusal.or(Some(why)));
    let mut rest = &*operations;
    for page in pages {
        let (mine, others) = rest.split_at(core::mem::take(&mut page.laid));
        for operation in mine {
            match (operation.action, refusal) {
                (Action::Load, Some(refusal)) => page.stays = Some(Why::Refused(refusal)),
                _ => page.gather(machine, operation)?,
            }
        }
        rest = others;
    }
    Ok(())
}

impl Page {
    const fn new(from: FrameNumber, to: FrameNumber) -> Self {
        Self { from, to, found: 0, taken: 0, laid: 0, stays: None, has_moved: false }
    }

    /// Where its record is, and its entries are to lead.
    const fn frame(&self) -> FrameNumber {
        if self.has_moved { self.to } else { self.from }
    }

    /// Takes note of what was in an entry. One that did not lead to the page holds what it held at once.
    fn gather<M: Machine>(
        &mut self,
        machine: &mut M,
        &Operation { name, found, .. }: &Operation,
    ) -> Result<(), EvacuateError> {
        if found.frame() == Some(self.from.frame()) {
            self.found |= found.0;
            self.taken += 1;
            return Ok(());
        }
        self.stays = Some(Why::NotLinked);
        put_in(machine, &mut [Operation::new(name, Action::Exchange(found))])
    }

    /// Nobody can reach the page: it and its records move, unless one of its entries was not as it should be.
    fn change_frame<M: Machine>(
        &mut self,
        memory: &mut Memory<'_>,
        machine: &mut M,
        flushed: &Flushed,
    ) {
        if self.found & DIRTY != 0 {
            memory.page(self.from).marks.set(Marks::DIRTY);
        }
        if self.stays.is_some() {
            memory.frames.free(self.to, &Flushed::never_mapped());
            return;
        }
        machine.copy(self.from.frame(), self.to.frame());
        memory.move_page(self.from, self.to);
        memory.frames.free(self.from, flushed);
        machine.freed(self.from.frame());
        self.has_moved = true;
    }

    /// How an entry is put in again. Of a page that stays, perhaps not all were taken out.
    fn action(&self, mapping: Mapping) -> Action {
        let leaf = mapping.rights().leaf(self.frame().frame());
        let new = Entry(leaf.0 | self.found & ACCESSED);
        match self.has_moved {
            true => Action::Exchange(new),
            false => Action::CompareExchange { expected: MOVING, new },
        }
    }

    fn tell(&self, so_far: &mut Evacuated) {
        so_far.entries += self.taken;
        match self.stays {
            Some(why) => so_far.leave(self.from.frame(), why),
            None => so_far.pages += 1,
        }
    }
}

impl Memory<'_> {
    /// A page is in another frame now: so say the record of its slot and that of the shared page.
    fn move_page(&mut self, from: FrameNumber, to: FrameNumber) {
        let Some(record @ State::Data { slot, share, .. }) = self.frames.record(from) else {
            unreachable!("{from:?} holds a page");
        };
        self.frames.set(to, record);
        self.frames.set(from, State::Kernel);
        if let Some(slot) = slot {
            self.swap.set_cached(slot, Some(to));
        }
        if let Some(share) = share {
            self.shared.set(share, Place::InFrame(to));
        }
    }
}
