//! Entries and records that do not agree: an eviction leaves them alone, the audit finds them.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::{Entry, EntryName};
use loadphys_tests::kernel::{Mistake, SHARED, page};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::{FaultError, Machine, Wrong, swap_entry, tables};

const PRIVATE_PAGE: usize = SHARED;

/// For every method: a space with one page; `change` gets the name of its entry and what it
/// holds, and says what it shall hold.
fn with_entry(
    change: impl Fn(Entry) -> Entry,
    work: impl Fn(&mut Tested<'_, '_, '_>, EntryName, Entry),
) {
    for method in methods() {
        with_kernel(&Setup::roomy(method, 3), |kernel| {
            kernel.touch(0, 0, PRIVATE_PAGE, Some(1)).unwrap();
            let root = kernel.machine.world.spaces[0].unwrap();
            let found = tables::find(&mut kernel.machine, root, page(PRIVATE_PAGE));
            let (name, entry) = found.unwrap();
            kernel.audit().unwrap();
            let word = kernel.model().memory.word(name.physical()).unwrap();
            word.set(change(entry).0);
            work(kernel, name, entry);
        });
    }
}

fn audit_finds(change: impl Fn(Entry) -> Entry, expected: impl Fn(EntryName, Entry) -> Wrong) {
    with_entry(&change, |kernel, name, entry| {
        let found = kernel.audit().map(drop);
        assert_eq!(found, Err(Mistake::Audit(expected(name, change(entry)))));
    });
}

/// The entry with another frame.
fn leading_to(entry: Entry, frame: u64) -> Entry {
    Entry(entry.0 & !Entry::FRAME_BITS | frame << 12)
}

/// A frame that is free and one that is a table.
const FREE_FRAME: u64 = 79;
const TABLE_FRAME: u64 = 1;

#[test]
fn the_audit_finds_a_free_frame_that_is_mapped() {
    for frame in [FREE_FRAME, TABLE_FRAME] {
        audit_finds(|entry| leading_to(entry, frame), Wrong::MapsNoPage);
    }
}

#[test]
fn the_audit_finds_an_entry_that_lost_its_page() {
    with_entry(
        |_| Entry::EMPTY,
        |kernel, name, _| {
            let found = kernel.audit().map(drop);
            assert_eq!(found, Err(Mistake::Audit(Wrong::LiveCount(name.table(), 0))));
        },
    );
}

#[test]
fn the_audit_finds_other_rights() {
    audit_finds(|entry| Entry(entry.0 & !2), Wrong::OtherRights);
}

#[test]
fn the_audit_finds_an_entry_that_means_nothing() {
    audit_finds(|_| Entry(0x1234_5000), Wrong::Unknown);
}

#[test]
fn the_audit_finds_a_swap_entry_of_a_slot_that_is_not_in_use() {
    let slot = page_reclaim::Slot::new(9).unwrap();
    audit_finds(|_| swap_entry(slot), Wrong::Unknown);
}

#[test]
fn the_audit_finds_a_mapping_more() {
    with_entry(
        |entry| entry,
        |kernel, name, entry| {
            let next = name.physical() + 8;
            kernel.model().memory.word(next).unwrap().set(entry.0);
            let found = kernel.audit().map(drop);
            assert!(matches!(found, Err(Mistake::Audit(Wrong::NotInReverseMap(..)))), "{found:?}");
        },
    );
}

#[test]
fn an_entry_that_names_another_frame_is_left_as_it_is() {
    let change = |entry| leading_to(entry, TABLE_FRAME);
    with_entry(change, |kernel, name, entry| {
        let found = kernel.evict(&[entry.frame().unwrap()]);
        assert_eq!((found.edit_failed, found.evicted, found.edited), (1, 0, 0));
        let word = kernel.model().memory.word(name.physical()).unwrap();
        assert_eq!(word.get(), change(entry).0);
        assert_eq!(kernel.memory.swap.free_count(), 80);
    });
}

#[test]
fn a_fault_on_an_entry_that_means_nothing_is_an_error() {
    let nonsense = Entry(0x1234_5000);
    with_entry(
        |_| nonsense,
        |kernel, name, _| {
            let found = kernel.fault(name.root(), PRIVATE_PAGE);
            assert_eq!(found, Err(Mistake::Fault(FaultError::Unknown(nonsense))));
        },
    );
}

#[test]
fn what_hardware_may_set_in_an_entry_that_is_not_present_does_no_harm() {
    with_entry(
        |entry| entry,
        |kernel, name, entry| {
            assert_eq!(kernel.evict(&[entry.frame().unwrap()]).evicted, 1);
            let word = kernel.model().memory.word(name.physical()).unwrap();
            word.set(word.get() | 0x60);
            kernel.audit().unwrap();
            kernel.touch(0, 0, PRIVATE_PAGE, None).unwrap();
            assert_eq!(kernel.machine.world.happened, []);
        },
    );
}

#[test]
fn a_page_whose_table_the_stub_does_not_know_is_left_as_it_is() {
    with_kernel(&Setup::roomy("hypercall", 3), |kernel| {
        let pages = [(0, PRIVATE_PAGE), (1, PRIVATE_PAGE), (2, PRIVATE_PAGE)];
        for (space, page) in pages {
            kernel.touch(0, space, page, Some(1)).unwrap();
        }
        let victims = pages.map(|(space, page)| kernel.frame_of(space, page).unwrap());
        let root = kernel.machine.world.spaces[1].unwrap();
        let (name, entry) = tables::find(&mut kernel.machine, root, page(PRIVATE_PAGE)).unwrap();
        kernel.machine.release(name.table()).unwrap();
        let found = kernel.evict(&victims);
        assert_eq!((found.evicted, found.edit_failed, found.edited), (2, 1, 2));
        assert_eq!(kernel.frame_of(1, PRIVATE_PAGE), entry.frame());
        kernel.machine.adopt(name.table(), name.level()).unwrap();
        kernel.audit().unwrap();
    });
}
