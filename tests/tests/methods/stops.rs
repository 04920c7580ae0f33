//! How a method leaves the machine when a batch is done, or stopped.
#![expect(unsafe_code, reason = "loads a root as a broken method would; no address is a real one")]

use foreign_access::cpu::Cpu;
use foreign_access::{Action, Entry, Method, Refusal, Stopped};
use loadphys_tests::kernel::{SPACES, shown};
use loadphys_tests::scenario::{Tested, methods};
use page_reclaim::Machine;
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::batch::{expecting_another, is_marked, marking, with_pages};

#[test]
fn paging_off_refuses_what_lies_above_4_gib_after_it_did_what_came_before() {
    for (room, beyond) in [1, 2, 8].into_iter().flat_map(|room| [0, 1, 2, 3].map(|at| (room, at))) {
        with_pages("paging-off", room, |kernel| {
            let mut batch: Vec<_> = (0..4).map(|space| marking(kernel, space, 0)).collect();
            let true_name = batch[beyond].name;
            batch[beyond].name = batch[beyond].name.in_table(
                PhysFrame::containing_address(PhysAddr::new(1 << 32)),
                batch[beyond].name.level(),
            );
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

#[test]
fn paging_off_refuses_tables_above_4_gib() {
    with_pages("paging-off", 8, |kernel| {
        let adopt = |kernel: &mut Tested<'_, '_, '_>, address| {
            let table = PhysFrame::containing_address(PhysAddr::new(address));
            let machine = &mut kernel.machine;
            machine.method.adopt(&machine.cpus[0], table, PageTableLevel::One)
        };
        assert_eq!(adopt(kernel, (1 << 32) - 4096), Ok(()));
        assert_eq!(adopt(kernel, 1 << 32), Err(Refusal::Above4GiB));
    });
}

/// What a batch must leave as it was on CPU 0: root and PCID, interrupts, an empty window.
fn left(kernel: &Tested<'_, '_, '_>) -> (u64, bool, Entry) {
    let masked = kernel.model().is_masked(0);
    (kernel.machine.cpus[0].root_register(), masked, shown(kernel.model(), 0))
}

/// A batch over all spaces, stopped at this operation since the entry differs.
fn stop_at(kernel: &mut Tested<'_, '_, '_>, done: usize) {
    let mut batch: Vec<_> = (0..SPACES).map(|space| marking(kernel, space, 0)).collect();
    let Action::CompareExchange { expected, .. } = batch[done].action else { unreachable!() };
    batch[done] = expecting_another(&batch[done]);
    let stopped = Err(Stopped { done, refusal: Refusal::Differs });
    assert_eq!(kernel.machine.apply(&mut batch), stopped);
    assert_eq!(batch[done].found, expected);
    for (at, operation) in batch.iter().enumerate() {
        assert_eq!(is_marked(kernel, operation), at < done);
    }
}

/// For how many operations there is room, and where to stop.
fn stops() -> impl Iterator<Item = (usize, usize)> {
    (1..9).flat_map(|room| (0..SPACES).map(move |done| (room, done)))
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

/// The twin comes back from a stop with the root of the space that it had gone to.
#[test]
fn a_batch_that_leaves_the_other_root_loaded_is_noticed() {
    with_pages("space-switch", 8, |kernel| {
        kernel.model().mask(0, true);
        let before = left(kernel);
        stop_at(kernel, 2);
        let other = kernel.machine.world.spaces[2].expect("it exists");
        // SAFETY: no address is a real one.
        unsafe { kernel.machine.cpus[0].set_root_register(other.start_address().as_u64()) };
        assert_ne!(left(kernel), before);
        // SAFETY: as above.
        unsafe { kernel.machine.cpus[0].set_root_register(before.0) };
    });
}
