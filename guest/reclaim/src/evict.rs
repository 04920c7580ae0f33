//! Eviction: pages that any number of spaces share go to swap, and their frames become free.
//!
//! | stage | what is done | what must be true before |
//! |---|---|---|
//! | find | a slot for each victim; its sharers from the reverse map | |
//! | edit | every entry exchanged with the swap entry; Dirty gathered from what was found | the slot is the victim's |
//! | flush | one flush for all | every entry is exchanged |
//! | write | what is dirty, or has no clean copy, goes to its slot | nobody can write the page any more |
//! | release | mappings and frames become free | the page is in its slot; nobody can reach the frame |
//!
//! Nothing is looked up by process, nothing is allocated. If a page cannot be written, or one of
//! its entries cannot be exchanged, its mappings are put back and its frame is kept.

mod edit;
mod find;
mod put_back;
mod release;
mod write;

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use crate::Memory;
use crate::flushed::Flushed;
use crate::machine::{Machine, Stage};

/// How an eviction went, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Their frames are free.
    pub evicted: u32,
    /// Of these, written to swap.
    pub written: u32,
    /// Of these, not written, since a clean copy was there.
    pub clean: u32,
    /// Left alone: no slot was free.
    pub swap_full: u32,
    /// Left alone: the frame holds no page.
    pub no_page: u32,
    /// Put back: the swap device failed.
    pub write_failed: u32,
    /// Put back: an entry was refused, or did not name the frame.
    pub edit_failed: u32,
    /// Entries that were exchanged.
    pub edited: u32,
}

/// Evicts pages. `room` is for operations; victims with more sharers than that are edited in
/// several batches, still with one flush for all.
///
/// # Panics
/// If there is no room for a single operation.
pub fn evict<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    victims: &[PhysFrame],
    room: &mut [Operation],
) -> Evicted {
    assert!(!room.is_empty(), "room for at least one operation");
    let most = room.len().min(find::MOST);
    let room = &mut room[..most];
    let mut tally = Evicted::default();
    find_and_edit(memory, machine, victims, room, &mut tally);
    if cfg!(feature = "broken-free-before-flush") {
        release::give_away(memory, machine, victims);
    }
    let flushed = Flushed::by(machine);
    machine.stage(Stage::Flush);
    write::write(memory, machine, victims, room, &mut tally);
    machine.stage(Stage::Write);
    release::release(memory, machine, victims, &flushed, &mut tally);
    machine.stage(Stage::Release);
    tally
}

fn find_and_edit<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    victims: &[PhysFrame],
    room: &mut [Operation],
    tally: &mut Evicted,
) {
    let mut sharers = find::Sharers::of(victims);
    loop {
        let (found, about) = sharers.fill(memory, room, tally);
        machine.stage(Stage::Find);
        edit::edit(memory, machine, about, &mut room[..found], tally);
        machine.stage(Stage::Edit);
        if found < room.len() {
            return;
        }
    }
}
