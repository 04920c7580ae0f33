//! The typed rules on the model: who may write to a table, and who sets Accessed and Dirty there.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]
#![expect(unsafe_code, reason = "methods edit entries of the model's memory")]

use std::sync::atomic::AtomicU8;

use foreign_access::methods::{Alias, Hypercall};
use foreign_access::{Action, Cpu, Entry, EntryName, Method, Operation, Refusal};
use loadphys_abi::batch::Item;
use loadphys_abi::{Call, Kept, Status};
use loadphys_rules::Tables;
use loadphys_tests::model::{ALIAS_BASE, Model, ModelCpu, Violation};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::{PhysAddr, VirtAddr};

const FRAME: u64 = 4096;
/// Frames: 0 is the stub's. A root and its tables of levels 3 to 1, in that order; then a page.
const ROOT: u64 = 4;
const LEAF: u64 = 1;
const PAGE: u64 = 9;
/// A second set of tables, in which nothing is registered; it is CPU 1's.
const OTHER_ROOT: u64 = 14;
/// Through its fourth page that CPU reaches this frame.
const VICTIM: u64 = 20;
const FRAMES: u64 = 24;

const PRESENT: u64 = 1;
const LINK: u64 = 0b111;
const WRITABLE: u64 = 0b111;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;

const SEEDS: u64 = 50;

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number * FRAME))
}

fn word(frame: u64, index: u64) -> u64 {
    frame * FRAME + 8 * index
}

/// Tables by their first entries, from the root down, and what level 1 holds.
fn build(model: &Model<'_>, root: u64, leaves: &[(u64, u64)], touched: u64) {
    for level in 0..4 {
        let table = root - level;
        model.memory.set_table(frame(table), true);
        if level < 3 {
            let link = ((table - 1) * FRAME) | LINK | touched;
            model.memory.word(word(table, 0)).unwrap().set(link);
        }
    }
    for (index, entry) in leaves {
        model.memory.word(word(root - 3, *index)).unwrap().set(*entry);
    }
}

/// A machine with two CPUs, of which the second has a root of its own that maps the victim.
fn with_model(preset: bool, work: impl Fn(&Model<'_>)) {
    for seed in 0..SEEDS {
        let bytes: Vec<_> = (0..FRAMES).map(|_| AtomicU8::new(0)).collect();
        let model = Model::new(FRAMES as usize, 2, frame(ROOT), Tables::new(&bytes), seed);
        let touched = if preset { ACCESSED } else { 0 };
        let dirty = if preset { ACCESSED | DIRTY } else { 0 };
        build(&model, ROOT, &[(0, (PAGE * FRAME) | WRITABLE | dirty)], touched);
        build(&model, OTHER_ROOT, &[(4, (VICTIM * FRAME) | WRITABLE)], 0);
        model.load_root(1, frame(OTHER_ROOT));
        model.check_entries(FRAME..FRAMES * FRAME, preset);
        work(&model);
    }
}

fn call(model: &Model<'_>, call: Call, arguments: [u64; 3]) -> Status {
    // SAFETY: the model's memory is nobody else's.
    let (status, _) = unsafe { ModelCpu::new(model, 0).vmcall(call.number(), arguments) };
    Status::from_number(status).expect("a status")
}

fn register(model: &Model<'_>, table: u64, level: u64, kept: Kept) -> Status {
    call(model, Call::RegisterTable, [table * FRAME, level, kept.number()])
}

/// Registers the tables of CPU 0, each before the one that leads to it.
fn register_all(model: &Model<'_>, kept: Kept) {
    for level in 1..=4 {
        assert_eq!(register(model, LEAF + level - 1, level, kept), Status::Done);
    }
}

fn flags(model: &Model<'_>) -> [u64; 4] {
    let flags = |table| model.memory.word(word(table, 0)).unwrap().get() & (ACCESSED | DIRTY);
    [1, 2, 3, 4].map(flags)
}

fn page(number: u64) -> VirtAddr {
    VirtAddr::new(number * FRAME)
}

#[test]
fn the_stub_sets_for_the_walker_what_it_cannot() {
    with_model(false, |model| {
        register_all(model, Kept::Calls);
        assert_eq!(model.user_load(0, page(0)), Some(0));
        assert_eq!((flags(model), model.flags_set()), ([ACCESSED; 4], 4));
        assert_eq!(model.user_store(0, page(0), 7), Some(()));
        assert_eq!(flags(model), [ACCESSED | DIRTY, ACCESSED, ACCESSED, ACCESSED]);
        assert_eq!((model.flags_set(), model.take_violations()), (5, vec![]));
        assert_eq!(model.memory.word(word(PAGE, 0)).unwrap().get(), 7);
    });
}

#[test]
fn a_stub_that_leaves_flags_stops_every_first_access() {
    with_model(false, |model| {
        model.let_stub_leave_flags();
        register_all(model, Kept::Calls);
        assert_eq!(model.user_load(0, page(0)), None);
        let violations = model.take_violations();
        assert_eq!(violations.first(), Some(&Violation::NotInView(word(ROOT, 0))));
    });
}

#[test]
fn where_they_are_preset_the_walker_has_nothing_to_set() {
    with_model(true, |model| {
        register_all(model, Kept::Calls);
        assert_eq!(model.user_load(0, page(0)), Some(0));
        assert_eq!(model.user_store(0, page(0), 7), Some(()));
        assert_eq!((model.flags_set(), model.take_violations()), (0, vec![]));
        let clean = [word(LEAF, 1), (VICTIM * FRAME) | PRESENT, 0];
        assert_eq!(call(model, Call::Exchange, clean), Status::NotPreset);
    });
}

/// What CPU 1 stores when it goes by what it remembers: an entry that maps the root writable.
const FORGED: u64 = (ROOT * FRAME) | WRITABLE;

/// The victim was a table before, and is memory again, as CPU 1 has seen.
fn let_it_remember(model: &Model<'_>) {
    assert_eq!(register(model, VICTIM, 1, Kept::Calls), Status::Done);
    assert_eq!(call(model, Call::ReleaseTable, [VICTIM * FRAME, 0, 0]), Status::Done);
    (0..20).for_each(|_| model.user_store(1, page(4), 0).unwrap());
}

/// What is in the victim's first entry, and whether CPU 1 could still write to it.
fn forge(model: &Model<'_>) -> (u64, bool) {
    let stored = model.user_store(1, page(4), FORGED).is_some();
    model.take_violations();
    (model.memory.word(word(VICTIM, 0)).unwrap().get(), stored)
}

#[test]
fn the_type_first_then_the_flush_then_the_use() {
    with_model(false, |model| {
        let_it_remember(model);
        let table = model.begin_register(VICTIM * FRAME, 1).unwrap();
        model.flush_nested();
        let table = model.finish_register(table);
        assert_eq!((table.is_ok(), forge(model)), (true, (0, false)));
    });
}

#[test]
fn what_is_stored_before_the_flush_is_looked_at_after_it() {
    let refused = std::cell::Cell::new(0);
    with_model(false, |model| {
        register_all(model, Kept::Calls);
        let_it_remember(model);
        let table = model.begin_register(VICTIM * FRAME, 1).unwrap();
        let (found, stored) = forge(model);
        model.flush_nested();
        let finished = model.finish_register(table).map(drop);
        assert_eq!(finished, if stored { Err(Status::MapsTable) } else { Ok(()) });
        assert_eq!(found == FORGED, stored);
        refused.set(refused.get() + u64::from(stored));
    });
    assert!(refused.get() > 0, "some CPU goes by what it remembers");
}

/// The broken twin of the order (XSA-401): flushed, then the type is taken.
#[test]
fn a_flush_before_the_type_lets_a_forged_entry_in() {
    let forged = std::cell::Cell::new(0);
    with_model(false, |model| {
        register_all(model, Kept::Calls);
        let_it_remember(model);
        model.flush_nested();
        model.user_store(1, page(4), 0).unwrap();
        let table = model.begin_register(VICTIM * FRAME, 1).unwrap();
        model.finish_register(table).unwrap();
        forged.set(forged.get() + u64::from(forge(model) == (FORGED, true)));
    });
    assert!(forged.get() > 0, "the test cannot tell the orders apart");
}

#[test]
fn a_read_only_alias_loads_by_itself_and_edits_by_calls() {
    with_model(false, |model| {
        let cpu = ModelCpu::new(model, 0);
        // The kernel reaches the alias through an open table, which maps it by one large page.
        let (open, slot) = (15, 256);
        model.memory.set_table(frame(open), true);
        model.memory.word(word(open, 0)).unwrap().set(ALIAS_BASE | 0b1000_0011);
        assert_eq!(register(model, open, 3, Kept::Open), Status::Done);
        model.memory.word(word(ROOT, slot)).unwrap().set((open * FRAME) | 0b11);
        register_all(model, Kept::Alias);
        let base = VirtAddr::new_truncate(slot << 39);
        let mut items = [Item::default(); 4];
        // SAFETY: the alias is mapped there, and calls find the items.
        let mut alias = unsafe { Alias::new(base).read_only(Hypercall::new(&mut items)) };
        let name = EntryName::new(frame(LEAF), frame(ROOT), page(0), PageTableLevel::One);
        let mut apply = |action| {
            let mut one = [Operation::new(name, action)];
            // SAFETY: the name is true.
            unsafe { alias.apply(&cpu, &mut one) }.map(|()| one[0].found).map_err(|it| it.refusal)
        };
        let there = Entry((PAGE * FRAME) | WRITABLE);
        assert_eq!(apply(Action::Load), Ok(there));
        let table = Entry((ROOT * FRAME) | WRITABLE);
        let refused = Err(Refusal::Stub(Status::MapsTable.number()));
        assert_eq!(apply(Action::Exchange(table)), refused);
        assert_eq!(apply(Action::Exchange(Entry::EMPTY)), Ok(there));
        assert_eq!((apply(Action::Load), model.take_violations()), (Ok(Entry::EMPTY), vec![]));
        // SAFETY: nothing is there for the model's CPU to harm.
        unsafe { cpu.exchange(base + word(LEAF, 0), there) };
        assert_eq!(
            model.take_violations().first(),
            Some(&Violation::NotInView(ALIAS_BASE + word(LEAF, 0)))
        );
    });
}

#[test]
fn a_page_is_unmapped_by_one_call() {
    with_model(false, |model| {
        register_all(model, Kept::Calls);
        let unmap = |frame| call(model, Call::Unmap, [ROOT * FRAME, 0, frame * FRAME]);
        assert_eq!(
            [unmap(VICTIM), unmap(PAGE), unmap(PAGE)],
            [Status::Differs, Status::Done, Status::NotMapped]
        );
        assert_eq!(register(model, PAGE, 1, Kept::Calls), Status::Done, "nothing maps it writable");
    });
}
