//! Eviction: pages that any number of spaces share go to swap, and their frames become free.
//!
//! | stage | what is done | the records | what must be true before |
//! |---|---|---|---|
//! | find | a slot for each victim | locked | |
//! | | its sharers from the reverse map | looked at | |
//! | edit | every entry exchanged with the swap entry | | the slot is the victim's |
//! | settle | Dirty gathered from what was found; it belongs to edit | locked | |
//! | flush | one flush for all | | every entry is exchanged |
//! | write | what is dirty, or has no clean copy, goes to its slot | | nobody that was not let in again can write the page |
//! | release | mappings and frames become free | locked | the page is in its slot; nobody can reach the frame |
//!
//! Nothing is looked up by process, nothing is allocated. If a page cannot be written, or one of
//! its entries cannot be exchanged, its mappings are put back and its frame is kept.
//!
//! # What others may do meanwhile
//! The records are held only where the table says so, so that other CPUs answer faults and evict other pages
//! while this one edits, flushes, or waits for a device.
//! - A victim is marked as EVICTING from find to release. Another eviction leaves it alone; its frame is not freed, its slot
//!   stays its own, and nothing is taken out of its ring in the reverse map. So what was laid out stays true.
//! - Until it is SETTLED a fault on it is answered with [`crate::FaultError::Busy`]: its entries are about to change. From then
//!   on a fault maps it again, and marks it as WANTED; then release puts all its mappings back and keeps
//!   the frame. What was written to its slot is of no use, since the page may have been written meanwhile.
//! - The ring of a victim may grow, at its front: find goes from the front to the last mapping, in several rounds if
//!   there is little room, and comes by the front only once. What is added there was mapped after find, so there is nothing to
//!   exchange; and it is added to settled pages only. ([`crate::Reverse`] adds to the front of every ring.)
//! - No table that a laid out operation names may go: who ends a space, or moves its tables, must keep evictions out
//!   from beginning to end. That is the kernel's to see to, by a gate that evictions pass together and these pass alone.
//! - The slot is the frame's until the end, and references for the entries that name it are counted when a round is settled. Until
//!   then nobody gives one of them back: a fault finds the page busy, and no space ends. So a slot is never free while
//!   an entry names it.

mod edit;
mod find;
mod put_back;
mod release;
mod room;
mod settle;

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use crate::flushed::Flushed;
use crate::machine::{Machine, Stage};
use crate::records::Records;
pub use room::{Room, Write};

/// The mistake that tests must find: pages go to their slots while programs can still write them.
const WRITES_FIRST: bool = cfg!(feature = "broken-write-before-flush");

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
    /// Left alone: entries name a slot that cannot be written any more.
    pub bad_slot: u32,
    /// Put back: somebody mapped it again before it was gone.
    pub rescued: u32,
    /// Put back: the swap device failed.
    pub write_failed: u32,
    /// Put back: an entry was refused, or did not name the frame.
    pub edit_failed: u32,
    /// Entries that were exchanged.
    pub edited: u32,
}

/// Evicts pages; as many at a time as there is room for, with one flush for these. Victims with more sharers than
/// there is room for operations are edited in several rounds, still with one flush.
///
/// # Panics
/// If there is no room for a single page or operation.
pub fn evict<R: Records, M: Machine>(
    records: &mut R,
    machine: &mut M,
    victims: &[PhysFrame],
    room: &mut Room<'_>,
) -> Evicted {
    assert!(!room.operations.is_empty() && !room.pages.is_empty(), "room for one at least");
    let mut tally = Evicted::default();
    for victims in victims.chunks(room.pages.len()) {
        evict_together(records, machine, victims, room, &mut tally);
    }
    tally
}

/// Evicts as many pages as there is room for.
#[inline]
fn evict_together<R: Records, M: Machine>(
    records: &mut R,
    machine: &mut M,
    victims: &[PhysFrame],
    room: &mut Room<'_>,
    tally: &mut Evicted,
) {
    let Room { operations, pages } = room;
    let too_early = Flushed::too_early(machine);
    let (pages, writes) = find_and_edit(records, machine, victims, (operations, pages), tally);
    if cfg!(feature = "broken-free-before-flush") {
        release::give_away(machine, pages);
    }
    if WRITES_FIRST {
        machine.write_out(&mut pages[..writes]);
    }
    let flushed = too_early.unwrap_or_else(|| Flushed::by(machine));
    machine.stage(Stage::Flush);
    if !WRITES_FIRST {
        machine.write_out(&mut pages[..writes]);
    }
    machine.stage(Stage::Write);
    records.with(|memory| release::release(memory, machine, pages, operations, &flushed, tally));
    machine.stage(Stage::Release);
}

/// Exchanges all entries; gives back the pages that are being evicted, and how many of these, the first, are to be written.
#[inline]
fn find_and_edit<'r, R: Records, M: Machine>(
    records: &mut R,
    machine: &mut M,
    victims: &[PhysFrame],
    (operations, pages): (&mut [Operation], &'r mut [Write]),
    tally: &mut Evicted,
) -> (&'r mut [Write], usize) {
    let begun = records.with(|memory| find::begin(memory, victims, pages, tally));
    let (pages, mut writes) = (&mut pages[..begun.pages], 0);
    let mut sharers = find::Sharers::default();
    loop {
        let round = records.look(|memory| sharers.fill(memory, pages, operations));
        machine.stage(Stage::Find);
        let operations = &mut operations[..round.operations];
        edit::edit(machine, operations);
        writes += records
            .with(|memory| settle::settle(memory, machine, pages, operations, &round, tally));
        machine.stage(Stage::Edit);
        if round.finished == pages.len() {
            break;
        }
    }
    // Slots of a batch are taken in order, so mostly they are.
    if !begun.slots_ascend || writes < pages.len() {
        room::sort(pages);
    }
    (pages, writes)
}
