//! What may happen in the middle of an eviction, between its steps: faults on the pages that are on their way out.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::kernel::{Mistake, Moment, SHARED};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::{BroughtIn, Evicted, FaultError};
use x86_64::structures::paging::PhysFrame;

/// A page that all spaces share, and one that each has for itself.
const PAGE: usize = 0;
const PRIVATE: usize = SHARED;

/// Spaces that have the page mapped; one more has not.
const SHARERS: usize = 5;
const STRANGER: usize = 5;

/// The CPU that evicts, and another one.
const HERE: usize = 0;
const THERE: usize = 1;

/// Under every method: in the end nothing is lost, and all records agree.
fn with_every_method(room: usize, work: impl Fn(&mut Tested<'_, '_, '_>)) {
    for method in methods() {
        let setup = Setup { room, ..Setup::roomy(method, 11) };
        with_kernel(&setup, |kernel| {
            work(kernel);
            kernel.audit().unwrap();
            assert_eq!(kernel.model().take_violations(), [], "{method}");
            assert_eq!(kernel.machine.world.happened, [], "{method}");
            let free = kernel.free();
            kernel.end().unwrap();
            kernel.audit().unwrap();
            assert!(kernel.free() > free, "{method}");
        });
    }
}

/// The page is mapped by its sharers; the stranger has its own page only. The stranger and one sharer are loaded.
fn share(kernel: &mut Tested<'_, '_, '_>) -> PhysFrame {
    kernel.touch(HERE, STRANGER, PRIVATE, Some(1)).unwrap();
    for space in 0..SHARERS {
        kernel.touch(THERE, space, PAGE, Some(40 + space as u64)).unwrap();
    }
    kernel.frame_of(0, PAGE).unwrap()
}

const SHARER: usize = SHARERS - 1;

/// All find what was written last.
fn all_read(kernel: &mut Tested<'_, '_, '_>) {
    (0..=STRANGER).for_each(|space| kernel.touch(HERE, space, PAGE, None).unwrap());
}

#[test]
fn a_fault_before_the_entries_are_settled_is_told_to_try_again() {
    with_every_method(64, |kernel| {
        let frame = share(kernel);
        let found = kernel.evict_while(&[frame], |moment, others| {
            if moment == Moment::Edited {
                for space in [SHARER, STRANGER] {
                    let answer = others.fault(THERE, space, PAGE);
                    assert_eq!(answer, Err(Mistake::Fault(FaultError::Busy)));
                }
            }
        });
        let expected =
            Evicted { evicted: 1, written: 1, edited: SHARERS as u32, ..Evicted::default() };
        assert_eq!(found, expected);
        all_read(kernel);
    });
}

#[test]
fn of_many_sharers_the_first_are_not_let_in_before_the_last_are_out() {
    with_every_method(SHARERS - 1, |kernel| {
        let frame = share(kernel);
        let mut busy = Vec::new();
        let found = kernel.evict_while(&[frame], |moment, others| {
            if moment == Moment::Edited {
                let answers = (0..=STRANGER).map(|space| others.fault(THERE, space, PAGE));
                let is_busy = |answer: &_| *answer == Err(Mistake::Fault(FaultError::Busy));
                busy.push(answers.filter(is_busy).count());
            }
        });
        // In the first round one sharer still has the page.
        assert_eq!((busy, found.evicted), (vec![SHARERS, SHARERS + 1], 1));
        all_read(kernel);
    });
}

/// A sharer comes back at this moment and writes; the page must not go, nor be taken for clean.
fn rescued(at: Moment) {
    with_every_method(64, |kernel| {
        let frame = share(kernel);
        let slots = kernel.free()[2];
        let found = kernel.evict_while(&[frame], |moment, others| {
            if moment == at {
                assert_eq!(others.fault(THERE, SHARER, PAGE), Ok(BroughtIn::FromCache));
                assert_eq!(others.fault(THERE, SHARER, PAGE), Ok(BroughtIn::AlreadyPresent));
                assert!(others.machine.touch(THERE, SHARER, PAGE, Some(77)));
            }
        });
        let expected = Evicted { rescued: 1, edited: SHARERS as u32, ..Evicted::default() };
        assert_eq!(found, expected);
        assert!((0..SHARERS).all(|space| kernel.frame_of(space, PAGE) == Some(frame)));
        assert_eq!(kernel.free()[2], slots, "the slot is of no use");
        kernel.audit().unwrap();
        assert_eq!(kernel.evict(&[frame]).written, 1);
        all_read(kernel);
    });
}

#[test]
fn a_page_that_is_wanted_before_it_is_written_stays() {
    rescued(Moment::Flushed);
}

#[test]
fn a_page_that_is_written_while_its_slot_is_does_not_count_as_clean() {
    rescued(Moment::Written);
}

#[test]
fn a_new_sharer_rescues_a_page_too() {
    for at in [Moment::Flushed, Moment::Written] {
        with_every_method(64, |kernel| {
            let frame = share(kernel);
            kernel.machine.load_root(THERE, kernel.machine.world.spaces[STRANGER].unwrap());
            let found = kernel.evict_while(&[frame], |moment, others| {
                if moment == at {
                    assert_eq!(others.fault(THERE, STRANGER, PAGE), Ok(BroughtIn::FromCache));
                    assert!(others.machine.touch(THERE, STRANGER, PAGE, Some(78)));
                }
            });
            assert_eq!((found.rescued, found.edited), (1, SHARERS as u32));
            assert!((0..=STRANGER).all(|space| kernel.frame_of(space, PAGE) == Some(frame)));
            kernel.audit().unwrap();
            assert_eq!(kernel.evict(&[frame]).edited, SHARERS as u32 + 1);
            all_read(kernel);
        });
    }
}

/// A clean page is rescued, and perhaps written then; it is written to swap if it was, and only then.
#[test]
fn a_clean_page_that_is_rescued_keeps_its_copy_unless_it_is_written() {
    for (at, value) in [(Moment::Flushed, None), (Moment::Written, Some(79))] {
        with_every_method(64, |kernel| {
            let frame = share(kernel);
            assert_eq!(kernel.evict(&[frame]).written, 1);
            kernel.touch(THERE, SHARER, PAGE, None).unwrap();
            let frame = kernel.frame_of(SHARER, PAGE).unwrap();
            let found = kernel.evict_while(&[frame], |moment, others| {
                if moment == at {
                    assert_eq!(others.fault(THERE, SHARER, PAGE), Ok(BroughtIn::FromCache));
                    assert!(others.machine.touch(THERE, SHARER, PAGE, value));
                }
            });
            assert_eq!((found.rescued, found.clean), (1, 0));
            kernel.audit().unwrap();
            let found = kernel.evict(&[frame]);
            assert_eq!((found.written, found.clean), if value.is_some() { (1, 0) } else { (0, 1) });
            all_read(kernel);
        });
    }
}

/// A sharer that was left in swap by an earlier eviction has a swap entry, but none in the ring.
#[test]
fn a_sharer_that_was_in_swap_all_the_time_is_mapped_once() {
    with_every_method(64, |kernel| {
        let frame = share(kernel);
        assert_eq!(kernel.evict(&[frame]).written, 1);
        kernel.touch(HERE, 0, PAGE, Some(5)).unwrap();
        let frame = kernel.frame_of(0, PAGE).unwrap();
        let found = kernel.evict_while(&[frame], |moment, others| {
            if moment == Moment::Flushed {
                assert_eq!(others.fault(THERE, SHARER, PAGE), Ok(BroughtIn::FromCache));
            }
        });
        assert_eq!((found.rescued, found.edited), (1, 1));
        assert_eq!(kernel.frame_of(SHARER, PAGE), Some(frame));
        kernel.audit().unwrap();
        assert_eq!(kernel.evict(&[frame]).edited, 2);
        all_read(kernel);
    });
}

/// Two evictions at once may choose the same page; one of them has it.
#[test]
fn another_eviction_leaves_a_page_alone_that_is_on_its_way_out() {
    with_every_method(64, |kernel| {
        let frame = share(kernel);
        let found = kernel.evict_while(&[frame], |moment, others| {
            if moment != Moment::Written {
                let found = others.evict(THERE, &[frame]);
                assert_eq!(found, Evicted::default());
            }
        });
        assert_eq!((found.evicted, found.written), (1, 1));
        all_read(kernel);
    });
}
