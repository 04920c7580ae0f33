//! Checks of a single call, each beside a twin that has forgotten it. (Twins that lead to a bad state are the search's, see
//! `tests/exhaustive`.)

use std::sync::atomic::AtomicU8;

use loadphys_abi::Status;
use loadphys_abi::batch::{Action, Item};
use loadphys_rules::{Found, Mapping, Tables, Twin, Wish, choose, in_order};

use crate::memory::{FRAME, Memory};
use crate::world::{FRAMES, PRESENT, WRITABLE, World, to};

/// Does the same with the rules as they are and with a twin.
fn beside<T>(twin: Twin, work: impl Fn() -> T) -> (T, T) {
    let right = work();
    choose(Some(twin));
    let broken = work();
    choose(None);
    (right, broken)
}

/// Frames 1 to 4 are tables of those levels, as in [`World::with_a_page`].
fn with_tables<T>(work: impl Fn(&Tables<'_>, &Memory) -> T) -> T {
    let bytes: Vec<_> = (0..FRAMES).map(|_| AtomicU8::new(0)).collect();
    let tables = Tables::new(&bytes);
    tables.grant(FRAME..11 * FRAME);
    for level in 1..=4 {
        tables.register(level * FRAME, level).unwrap();
    }
    work(&tables, &World::with_a_page().memory)
}

const MAPPED: Mapping = Mapping { root: 4 * FRAME, page: 0, frame: 5 * FRAME };
const ENTRY: u64 = to(5, PRESENT | WRITABLE);

#[test]
fn only_the_twin_walks_from_a_dead_root() {
    let unmap = |tables: &Tables<'_>, memory: &Memory| {
        tables.release(MAPPED.root).unwrap();
        tables.unmap(MAPPED, memory)
    };
    let (right, broken) = beside(Twin::DeadRootsAreWalked, || with_tables(unmap));
    assert_eq!(right, Err(Status::NotATable));
    assert_eq!(broken, Ok(Found { entry: ENTRY, differs: false }));
}

#[test]
fn only_the_twin_unmaps_another_frame() {
    let other = Mapping { frame: 6 * FRAME, ..MAPPED };
    let unmap = |tables: &Tables<'_>, memory: &Memory| {
        (tables.unmap(other, memory).unwrap().differs, memory.at(FRAME).get())
    };
    let (right, broken) = beside(Twin::ExpectationIsForgotten, || with_tables(unmap));
    assert_eq!((right, broken), ((true, ENTRY), (false, 0)));
}

#[test]
fn only_the_twin_takes_an_array_that_wraps() {
    let array = |tables: &Tables<'_>, _: &Memory| tables.array(u64::MAX - 31, 2).is_ok();
    let (right, broken) = beside(Twin::ArraysWrap, || with_tables(array));
    assert_eq!((right, broken), (false, true));
}

#[test]
fn only_the_twin_finds_entries_in_plain_memory() {
    let store = |tables: &Tables<'_>, memory: &Memory| {
        tables.perform(7 * FRAME, Wish::Exchange(1), memory).map(|found| found.entry)
    };
    let (right, broken) = beside(Twin::EverythingHasEntries, || with_tables(store));
    assert_eq!((right, broken), (Err(Status::NotATable), Ok(0)));
}

#[test]
fn only_the_twin_goes_on_behind_a_refusal() {
    let exchange = |entry| Item { entry, action: Action::Exchange.number(), found: 0, value: 1 };
    let items = [exchange(FRAME + 8), exchange(7 * FRAME), exchange(FRAME + 16)];
    let batch = |tables: &Tables<'_>, memory: &Memory| {
        let perform = |item: &Item| tables.perform(item.entry, Wish::of_item(item)?, memory);
        let ended = in_order(&items, perform, |_, _| ());
        (ended, [8, 16].map(|at| memory.at(FRAME + at).get()))
    };
    let (right, broken) = beside(Twin::BatchesGoOn, || with_tables(batch));
    assert_eq!(right, ((Status::NotATable, 1), [1, 0]));
    assert_eq!(broken, ((Status::Done, 2), [1, 1]));
}
