//! What an eviction does to pages, slots and frames, under every method.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::kernel::{SHARED, SPACES};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::{BroughtIn, Evicted};
use x86_64::structures::paging::PhysFrame;

/// A page that all spaces share.
const SHARED_PAGE: usize = 0;
/// A page that each space has for itself.
const PRIVATE_PAGE: usize = SHARED;

/// The same for every method; at the end all tables and records must agree, and nothing may have
/// gone wrong.
fn with_every_method(change: impl Fn(&mut Setup), work: impl Fn(&mut Tested<'_, '_, '_>)) {
    for method in methods() {
        let mut setup = Setup::roomy(method, 7);
        change(&mut setup);
        with_kernel(&setup, |kernel| {
            work(kernel);
            kernel.audit().unwrap();
            assert_eq!(kernel.model().take_violations(), [], "{method}");
            assert_eq!(kernel.machine.world.happened, [], "{method}");
        });
    }
}

/// All spaces have the shared page mapped; the first one wrote it.
fn share(kernel: &mut Tested<'_, '_, '_>) -> PhysFrame {
    for space in 0..SPACES {
        let value = (space == 0).then_some(42);
        kernel.touch(0, space, SHARED_PAGE, value).unwrap();
    }
    kernel.frame_of(0, SHARED_PAGE).unwrap()
}

#[test]
fn every_sharer_finds_the_page_again() {
    with_every_method(
        |_| {},
        |kernel| {
            let frame = share(kernel);
            let all = SPACES as u32;
            let expected = Evicted { evicted: 1, written: 1, edited: all, ..Evicted::default() };
            assert_eq!(kernel.evict(&[frame]), expected);
            for space in 0..SPACES {
                assert_eq!(kernel.frame_of(space, SHARED_PAGE), None);
            }
            let root =
                |space: usize, kernel: &Tested<'_, '_, '_>| kernel.machine.world.spaces[space];
            let (first, second) = (root(3, kernel).unwrap(), root(1, kernel).unwrap());
            assert_eq!(kernel.fault(first, SHARED_PAGE), Ok(BroughtIn::FromSwap));
            assert_eq!(kernel.fault(second, SHARED_PAGE), Ok(BroughtIn::FromCache));
            assert_eq!(kernel.fault(second, SHARED_PAGE), Ok(BroughtIn::AlreadyPresent));
            (0..SPACES).for_each(|space| kernel.touch(1, space, SHARED_PAGE, None).unwrap());
        },
    );
}

#[test]
fn one_flush_for_a_batch_however_many_edits_it_takes() {
    with_every_method(
        |setup| setup.room = 4,
        |kernel| {
            let frame = share(kernel);
            kernel.touch(0, 0, PRIVATE_PAGE, Some(1)).unwrap();
            let private = kernel.frame_of(0, PRIVATE_PAGE).unwrap();
            let before = kernel.machine.world.flushes;
            assert_eq!(kernel.evict(&[frame, private]).evicted, 2);
            assert_eq!(kernel.machine.world.flushes, before + 1);
        },
    );
}

#[test]
fn a_clean_page_with_a_copy_is_not_written_again() {
    with_every_method(
        |_| {},
        |kernel| {
            let mut evict = |value, written| {
                kernel.touch(0, 0, PRIVATE_PAGE, value).unwrap();
                let frame = kernel.frame_of(0, PRIVATE_PAGE).unwrap();
                let found = kernel.evict(&[frame]);
                assert_eq!((found.written, found.clean), (written, 1 - written), "{value:?}");
            };
            evict(Some(5), 1);
            evict(None, 0);
            evict(Some(6), 1);
            evict(None, 0);
            kernel.touch(1, 0, PRIVATE_PAGE, None).unwrap();
            assert_eq!(kernel.machine.device.writes, 2);
        },
    );
}

#[test]
fn what_one_sharer_wrote_before_it_ended_is_written() {
    with_every_method(
        |_| {},
        |kernel| {
            let frame = share(kernel);
            assert_eq!(kernel.evict(&[frame]).written, 1);
            kernel.touch(0, 1, SHARED_PAGE, Some(43)).unwrap();
            kernel.touch(0, 2, SHARED_PAGE, None).unwrap();
            kernel.exit(1).unwrap();
            let frame = kernel.frame_of(2, SHARED_PAGE).unwrap();
            assert_eq!(kernel.evict(&[frame]).written, 1);
            kernel.touch(0, 3, SHARED_PAGE, None).unwrap();
        },
    );
}

#[test]
fn a_failed_write_puts_the_mappings_back() {
    with_every_method(
        |setup| setup.room = 4,
        |kernel| {
            let frame = share(kernel);
            let leaf = |space, kernel: &Tested<'_, '_, '_>| kernel.leaf(space, SHARED_PAGE);
            let before: Vec<_> = (0..SPACES).map(|space| leaf(space, kernel)).collect();
            let slots = kernel.memory.swap.free_count();
            kernel.machine.device.failures = 1;
            let found = kernel.evict(&[frame]);
            assert_eq!((found.write_failed, found.evicted), (1, 0));
            let after: Vec<_> = (0..SPACES).map(|space| leaf(space, kernel)).collect();
            assert_eq!(before, after);
            let swap = &kernel.memory.swap;
            assert_eq!((swap.free_count(), swap.bad_count()), (slots - 1, 1));
            assert_eq!(kernel.evict(&[frame]).written, 1);
            kernel.touch(1, 5, SHARED_PAGE, None).unwrap();
        },
    );
}

#[test]
fn a_full_swap_refuses_and_loses_nothing() {
    with_every_method(
        |setup| setup.slots = 1,
        |kernel| {
            let shared = share(kernel);
            kernel.touch(0, 0, PRIVATE_PAGE, Some(9)).unwrap();
            let private = kernel.frame_of(0, PRIVATE_PAGE).unwrap();
            let found = kernel.evict(&[private, shared]);
            assert_eq!((found.evicted, found.swap_full), (1, 1));
            assert_eq!(kernel.frame_of(0, SHARED_PAGE), Some(shared));
            kernel.touch(0, 0, PRIVATE_PAGE, None).unwrap();
        },
    );
}

#[test]
fn frames_without_a_page_and_pages_named_twice_are_left_alone() {
    with_every_method(
        |_| {},
        |kernel| {
            let frame = share(kernel);
            let root = kernel.machine.world.spaces[0].unwrap();
            let found = kernel.evict(&[root, frame, frame]);
            assert_eq!((found.evicted, found.no_page), (1, 1));
            assert_eq!(kernel.evict(&[frame]).no_page, 1);
        },
    );
}
