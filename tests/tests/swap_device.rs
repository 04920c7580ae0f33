//! What becomes of pages when the swap device writes in clusters, fails, or gives back something else.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::kernel::{Mistake, SHARED};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::FaultError;
use x86_64::structures::paging::PhysFrame;

/// Pages of one space that it has for itself.
const PAGES: [usize; 4] = [SHARED, SHARED + 1, SHARED + 2, SHARED + 3];

/// Under every method: in the end all records agree.
fn with_every_method(work: impl Fn(&mut Tested<'_, '_, '_>)) {
    for method in methods() {
        with_kernel(&Setup::roomy(method, 5), |kernel| {
            work(kernel);
            kernel.audit().unwrap();
            assert_eq!(kernel.model().take_violations(), [], "{method}");
            assert_eq!(kernel.machine.world.happened, [], "{method}");
        });
    }
}

/// A space has written these pages; their frames.
fn write(kernel: &mut Tested<'_, '_, '_>, pages: &[usize]) -> Vec<PhysFrame> {
    for page in pages {
        kernel.touch(0, 0, *page, Some(100 + *page as u64)).unwrap();
    }
    pages.iter().map(|page| kernel.frame_of(0, *page).unwrap()).collect()
}

fn read(kernel: &mut Tested<'_, '_, '_>, pages: &[usize]) {
    pages.iter().for_each(|page| kernel.touch(0, 0, *page, None).unwrap());
}

#[test]
fn a_batch_goes_to_neighbours_in_order() {
    with_every_method(|kernel| {
        let frames = write(kernel, &PAGES);
        assert_eq!(kernel.evict(&frames).written, 4);
        assert!(kernel.machine.device.order.windows(2).all(|pair| pair[1] == pair[0] + 1));
        read(kernel, &PAGES);
    });
}

#[test]
fn pages_that_have_a_slot_are_written_in_the_order_of_slots() {
    with_every_method(|kernel| {
        let [first, second, third, fourth] = PAGES;
        let frames = write(kernel, &[first, second]);
        assert_eq!(kernel.evict(&frames).written, 2);
        // The one that is clean is not written again.
        read(kernel, &[first]);
        let frames = write(kernel, &[fourth, second, third]);
        let clean = kernel.frame_of(0, first).unwrap();
        kernel.machine.device.order.clear();
        let found = kernel.evict(&[frames[0], frames[1], clean, frames[2]]);
        assert_eq!((found.written, found.clean, found.evicted), (3, 1, 4));
        assert!(kernel.machine.device.order.is_sorted(), "{:?}", kernel.machine.device.order);
        read(kernel, &PAGES);
    });
}

#[test]
fn a_write_that_fails_in_the_middle_of_a_cluster_is_that_pages_affair() {
    with_every_method(|kernel| {
        let frames = write(kernel, &PAGES);
        kernel.machine.device.fails = vec![2];
        let found = kernel.evict(&frames);
        assert_eq!((found.written, found.write_failed, found.evicted), (3, 1, 3));
        assert_eq!(kernel.machine.device.order, [1, 2, 3, 4]);
        let mapped: Vec<_> = PAGES.iter().map(|page| kernel.frame_of(0, *page)).collect();
        assert_eq!(mapped, [None, Some(frames[1]), None, None]);
        assert_eq!(kernel.memory.swap.bad_count(), 1);
        kernel.audit().unwrap();
        read(kernel, &PAGES);
    });
}

#[test]
fn a_slot_that_failed_is_never_used_again() {
    with_every_method(|kernel| {
        kernel.machine.device.fails = vec![1, 3];
        for _ in 0..60 {
            let frames = write(kernel, &PAGES);
            kernel.evict(&frames);
        }
        for slot in [1, 3] {
            let tries = kernel.machine.device.order.iter().filter(|written| **written == slot);
            assert_eq!(tries.count(), 1, "slot {slot}");
        }
        assert_eq!(kernel.memory.swap.bad_count(), 2);
        read(kernel, &PAGES);
        kernel.exit(0).unwrap();
        assert_eq!(kernel.memory.swap.free_count(), 80 - 2);
    });
}

/// Entries of others name the slot: the page stays in memory until they have faulted, then it takes another one.
#[test]
fn a_page_that_others_know_by_a_bad_slot_stays_until_they_come() {
    with_every_method(|kernel| {
        (0..3).for_each(|space| kernel.touch(0, space, 0, Some(9)).unwrap());
        let frame = kernel.frame_of(0, 0).unwrap();
        assert_eq!(kernel.evict(&[frame]).written, 1);
        kernel.touch(0, 0, 0, Some(10)).unwrap();
        let frame = kernel.frame_of(0, 0).unwrap();
        kernel.machine.device.failures = 1;
        assert_eq!(kernel.evict(&[frame]).write_failed, 1);
        assert_eq!(kernel.evict(&[frame]).bad_slot, 1);
        kernel.audit().unwrap();
        (1..3).for_each(|space| kernel.touch(0, space, 0, None).unwrap());
        assert_eq!(kernel.evict(&[frame]).written, 1);
        assert_eq!(kernel.memory.swap.bad_count(), 1);
        (0..3).for_each(|space| kernel.touch(1, space, 0, None).unwrap());
    });
}

#[test]
fn a_page_that_is_not_what_was_written_is_refused() {
    with_every_method(|kernel| {
        let frames = write(kernel, &PAGES);
        assert_eq!(kernel.evict(&frames).written, 4);
        let (root, free) = (kernel.machine.world.spaces[0].unwrap(), kernel.free());
        kernel.machine.device.rot(2);
        for _ in 0..2 {
            let answer = kernel.fault(root, PAGES[1]);
            assert!(matches!(answer, Err(Mistake::Fault(FaultError::Checksum(_)))), "{answer:?}");
            assert_eq!((kernel.free(), kernel.frame_of(0, PAGES[1])), (free, None));
        }
        // Whoever needs another page is not concerned; and the device may have been mistaken for a moment.
        read(kernel, &[PAGES[0], PAGES[2], PAGES[3]]);
        kernel.machine.device.rot(2);
        read(kernel, &PAGES);
    });
}
