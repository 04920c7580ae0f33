//! What each method does to the machine for one edit: nothing more than it says.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::cpu::Events;
use loadphys_tests::kernel::SPACES;
use loadphys_tests::scenario::{Setup, Tested, with_kernel};

const SHARED_PAGE: usize = 0;

/// What the edits of an eviction count, when so many foreign spaces share the page; and, if asked
/// for, the loaded space too.
fn events(method: &'static str, room: usize, foreign: usize, own: bool) -> Events {
    with_kernel(&Setup { room, ..Setup::roomy(method, 1) }, |kernel| {
        let last = SPACES - 1;
        for space in 0..foreign {
            kernel.touch(0, space, SHARED_PAGE, None).unwrap();
        }
        if own {
            kernel.touch(0, last, SHARED_PAGE, None).unwrap();
        } else {
            kernel.spawn(last).unwrap();
            let root = kernel.machine.world.spaces[last].unwrap();
            kernel.machine.load_root(0, root);
        }
        counted(kernel, if own { last } else { 0 })
    })
}

fn counted(kernel: &mut Tested<'_, '_, '_>, space: usize) -> Events {
    let victim = kernel.frame_of(space, SHARED_PAGE).unwrap();
    kernel.machine.on(0);
    kernel.machine.cpus[0].take();
    assert_eq!(kernel.evict(&[victim]).evicted, 1);
    kernel.machine.cpus[0].take()
}

#[test]
fn recursive_writes_a_slot_and_invalidates_an_address_for_each_foreign_root() {
    for foreign in 1..SPACES as u64 {
        let found = events("recursive", 8, foreign as usize, false);
        let expected = Events {
            entry_loads: 1,
            entry_writes: 2 * foreign,
            invlpgs: foreign,
            vm_calls: 0,
            ..Events::default()
        };
        assert_eq!(found, expected, "{foreign} sharers");
    }
}

#[test]
fn recursive_writes_no_slot_for_the_own_space() {
    let expected =
        Events { entry_loads: 0, entry_writes: 1, invlpgs: 1, vm_calls: 0, ..Events::default() };
    assert_eq!(events("recursive", 8, 0, true), expected);
}

#[test]
fn alias_only_writes_the_entries() {
    let expected =
        Events { entry_loads: 0, entry_writes: 4, invlpgs: 0, vm_calls: 0, ..Events::default() };
    assert_eq!(events("alias", 8, 4, false), expected);
}

#[test]
fn hypercall_makes_one_call_for_what_there_is_room_for() {
    for (room, calls) in [(8, 1), (2, 3), (1, 5)] {
        let expected = Events {
            entry_loads: 0,
            entry_writes: 0,
            invlpgs: 0,
            vm_calls: calls,
            ..Events::default()
        };
        assert_eq!(events("hypercall", room, 5, false), expected, "room for {room}");
    }
}

#[test]
fn the_slot_is_written_once_for_several_edits_of_the_same_root() {
    with_kernel(&Setup::roomy("recursive", 1), |kernel| {
        // Two pages of one table, one of another.
        let pages = [0, 1, 3];
        for page in pages {
            kernel.touch(0, 0, page, None).unwrap();
        }
        kernel.touch(0, 1, 4, None).unwrap();
        kernel.machine.on(0);
        let victims = pages.map(|page| kernel.frame_of(0, page).unwrap());
        kernel.machine.cpus[0].take();
        assert_eq!(kernel.evict(&victims).evicted, 3);
        let expected = Events {
            entry_loads: 1,
            entry_writes: 1 + 3,
            invlpgs: 2,
            vm_calls: 0,
            ..Events::default()
        };
        assert_eq!(kernel.machine.cpus[0].take(), expected);
    });
}
