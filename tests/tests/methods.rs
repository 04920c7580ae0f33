//! What each method does to the machine for a batch of its own, and how it leaves the machine when the
//! batch is stopped.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::cpu::{Cpu, Events};
use foreign_access::{Action, Entry, Operation, Refusal, Stopped};
use loadphys_tests::kernel::{SPACES, page, shown};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::{Machine, tables};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

/// The space that CPU 0 has loaded; the others are foreign.
const OWN: usize = SPACES - 1;
/// Two pages of the same table.
const PAGES: [usize; 2] = [0, 1];
/// A bit of an entry that software may use.
const MARK: u64 = 1 << 9;

/// A kernel all of whose spaces have the pages; CPU 0 has its own loaded, under a PCID.
fn with_pages(method: &'static str, room: usize, work: impl Fn(&mut Tested<'_, '_, '_>)) {
    let setup = Setup { room, pcids: true, ..Setup::roomy(method, 1) };
    with_kernel(&setup, |kernel| {
        for (space, page) in (0..SPACES).flat_map(|space| PAGES.map(|page| (space, page))) {
            kernel.touch(0, space, page, Some(1)).unwrap();
        }
        work(kernel);
        assert_eq!(kernel.model().take_violations(), [], "{method}");
    });
}

/// Marks the entry of level one of a space's page.
fn marking(kernel: &mut Tested<'_, '_, '_>, space: usize, number: usize) -> Operation {
    let root = kernel.machine.world.spaces[space].unwrap();
    let (name, expected) = tables::find(&mut kernel.machine, root, page(number)).unwrap();
    Operation::new(name, Action::CompareExchange { expected, new: Entry(expected.0 | MARK) })
}

/// Whether the entry in memory is marked.
fn is_marked(kernel: &Tested<'_, '_, '_>, operation: &Operation) -> bool {
    kernel.model().memory.word(operation.name.physical()).unwrap().get() & MARK != 0
}

/// What a batch counts that marks these pages of these spaces.
fn events(method: &'static str, room: usize, marked: &[(usize, usize)]) -> Events {
    let counted = core::cell::Cell::default();
    with_pages(method, room, |kernel| {
        let mut batch: Vec<_> =
            marked.iter().map(|(space, page)| marking(kernel, *space, *page)).collect();
        kernel.machine.cpus[0].take();
        kernel.machine.apply(&mut batch).unwrap();
        counted.set(kernel.machine.cpus[0].take());
        assert!(batch.iter().all(|operation| is_marked(kernel, operation)), "{method}");
    });
    counted.get()
}

/// So many foreign spaces; fewer under Miri.
fn counts() -> core::ops::Range<usize> {
    if cfg!(miri) { 2..3 } else { 1..SPACES }
}

/// A page of so many foreign spaces.
fn foreign(count: usize) -> Vec<(usize, usize)> {
    (0..count).map(|space| (space, PAGES[0])).collect()
}

#[test]
fn direct_map_only_writes() {
    for count in counts() {
        let expected = Events { entry_writes: count as u64, ..Events::default() };
        assert_eq!(events("direct-map", 8, &foreign(count)), expected);
    }
}

#[test]
fn temp_map_points_its_window_at_each_table_and_empties_it_once() {
    for count in counts() {
        let all = count as u64;
        let expected = Events { entry_writes: 2 * all + 1, invlpgs: all, ..Events::default() };
        assert_eq!(events("temp-map", 8, &foreign(count)), expected, "{count} tables");
    }
}

#[test]
fn temp_map_points_its_window_once_for_two_entries_of_a_table() {
    let expected = Events { entry_writes: 4, invlpgs: 1, ..Events::default() };
    assert_eq!(events("temp-map", 8, &PAGES.map(|page| (0, page))), expected);
}

#[test]
fn space_switch_loads_each_foreign_root_and_then_the_own() {
    for count in counts() {
        let all = count as u64;
        let expected =
            Events { entry_writes: all, root_writes: all + 1, masks: 1, ..Events::default() };
        assert_eq!(events("space-switch", 8, &foreign(count)), expected, "{count} roots");
    }
}

#[test]
fn space_switch_loads_no_root_for_the_own_space() {
    let expected = Events { entry_writes: 1, invlpgs: 1, masks: 1, ..Events::default() };
    assert_eq!(events("space-switch", 8, &[(OWN, 0)]), expected);
}

#[test]
fn mirror_only_writes() {
    for count in counts() {
        let all = count as u64;
        let expected = Events { entry_writes: all, ..Events::default() };
        assert_eq!(events("mirror", 8, &foreign(count)), expected, "{count} tables");
    }
    let expected = Events { entry_writes: 2, ..Events::default() };
    assert_eq!(events("mirror", 8, &PAGES.map(|page| (0, page))), expected);
}

#[test]
fn root_array_loads_an_upper_entry_and_writes_its_slot_for_each_foreign_root() {
    for count in counts() {
        let all = count as u64;
        let expected =
            Events { entry_loads: all, entry_writes: 2 * all, invlpgs: all, ..Events::default() };
        assert_eq!(events("root-array", 8, &foreign(count)), expected, "{count} roots");
    }
    let expected = Events { entry_writes: 1, invlpgs: 1, ..Events::default() };
    assert_eq!(events("root-array", 8, &[(OWN, 0)]), expected);
}

#[test]
fn in_context_enters_each_foreign_space_once() {
    let two_each: Vec<_> = (0..OWN).flat_map(|space| PAGES.map(|page| (space, page))).collect();
    let all = OWN as u64;
    let expected =
        Events { entry_writes: 2 * all, invlpgs: all, contexts: all, ..Events::default() };
    assert_eq!(events("in-context", 8, &two_each), expected);
    let expected = Events { entry_writes: 1, invlpgs: 1, ..Events::default() };
    assert_eq!(events("in-context", 8, &[(OWN, 0)]), expected);
}

#[test]
fn paging_is_off_once_for_what_there_is_room_for() {
    for (room, times) in [(8, 1), (2, 3), (1, 5)] {
        let expected =
            Events { entry_writes: 5, paging_off: times, masks: times, ..Events::default() };
        assert_eq!(events("paging-off", room, &foreign(5)), expected, "room for {room}");
    }
}

#[test]
fn paging_off_refuses_what_lies_above_4_gib_after_it_did_what_came_before() {
    for (room, beyond) in [1, 2, 8].into_iter().flat_map(|room| [0, 1, 2, 3].map(|at| (room, at))) {
        with_pages("paging-off", room, |kernel| {
            let mut batch: Vec<_> = (0..4).map(|space| marking(kernel, space, 0)).collect();
            let true_name = batch[beyond].name;
            batch[beyond].name.table = PhysFrame::containing_address(PhysAddr::new(1 << 32));
            let stopped = Err(Stopped { done: beyond, refusal: Refusal::Above4GiB });
            assert_eq!(kernel.machine.apply(&mut batch), stopped, "room for {room}");
            batch[beyond].name = true_name;
            for (at, operation) in batch.iter().enumerate() {
                assert_eq!(is_marked(kernel, operation), at < beyond);
                assert_eq!(operation.found != Entry::EMPTY, at < beyond);
            }
        });
    }
}

/// What a batch must leave as it was on CPU 0: root and PCID, interrupts, an empty window.
fn left(kernel: &Tested<'_, '_, '_>) -> (u64, bool, Entry) {
    let masked = kernel.model().is_masked(0);
    (kernel.machine.cpus[0].root_register(), masked, shown(kernel.model(), 0))
}

/// A batch over all spaces, stopped at this operation since the entry differs.
fn stop_at(kernel: &mut Tested<'_, '_, '_>, done: usize) {
    let mut batch: Vec<_> = (0..SPACES).map(|space| marking(kernel, space, 0)).collect();
    let Action::CompareExchange { expected, new } = batch[done].action else { unreachable!() };
    let other = Entry(expected.0 ^ MARK);
    batch[done].action = Action::CompareExchange { expected: other, new };
    let stopped = Err(Stopped { done, refusal: Refusal::Differs });
    assert_eq!(kernel.machine.apply(&mut batch), stopped);
    assert_eq!(batch[done].found, expected);
    for (at, operation) in batch.iter().enumerate() {
        assert_eq!(is_marked(kernel, operation), at < done);
    }
}

/// For how many operations there is room, and where to stop; less of it under Miri.
fn stops() -> impl Iterator<Item = (usize, usize)> {
    let (rooms, step) = if cfg!(miri) { (4..5, 4) } else { (1..9, 1) };
    rooms.flat_map(move |room| (0..SPACES).step_by(step).map(move |done| (room, done)))
}

/// Does it with interrupts on and off: afterwards CPU 0 is as it was before.
fn leaves_all_as_it_was(method: &'static str, room: usize, work: impl Fn(&mut Tested<'_, '_, '_>)) {
    for masked in [false, true] {
        with_pages(method, room, |kernel| {
            kernel.model().mask(0, masked);
            let before = left(kernel);
            assert_eq!((before.1, before.2), (masked, Entry::EMPTY));
            work(kernel);
            assert_eq!(left(kernel), before, "{method}");
        });
    }
}

#[test]
fn a_stopped_batch_leaves_root_interrupts_and_window_as_they_were() {
    for method in methods() {
        for (room, done) in stops() {
            leaves_all_as_it_was(method, room, |kernel| stop_at(kernel, done));
        }
    }
}

#[test]
fn a_batch_that_is_done_leaves_root_interrupts_and_window_as_they_were() {
    for method in methods() {
        leaves_all_as_it_was(method, 8, |kernel| {
            let mut batch: Vec<_> = (0..SPACES).map(|space| marking(kernel, space, 0)).collect();
            kernel.machine.apply(&mut batch).unwrap();
        });
    }
}
