//! The races of a shootdown, each with a broken twin that is caught.
//!
//! | race | right | the twin | where |
//! |---|---|---|---|
//! | 6: a type is taken after the flush | entry taken away, flush, and then a table | flushes, and then takes the entry away; `broken-flush-before-edit` | here |
//! | 7: the clock ticks after the flush | generations are raised before anybody is asked, and read before the flush | `NothingIsRaised`, `ClockIsReadAfterTheFlush` | here; `page-reclaim`, `tests/loom` |
//! | 8: entries of a dead root under its PCID | spaces have identities that never come again | knows a space by its number | here; `page_reclaim::shootdown::Pcids` |
//! | 9: an address that is not canonical | requests hold `VirtAddr`, whole and checked | keeps page numbers | `page_reclaim::shootdown`, `requests.rs` |
//! | 10: a frame reused before the flush | freed when all have acknowledged | `NobodyIsAsked`, `AcknowledgesFirst`, the fences | here; `tests/loom`; `broken.rs` |
//! | 21: Dirty set while software clears | one exchange says what was there | loads, and then stores; `broken-load-then-store` | here; `interleaved.rs` |
//! | 22: a dirty entry | flush, and then write | writes, and then flushes; `broken-write-before-flush` | here |
//! | 27: a window of another CPU | each CPU has its own | all CPUs say that they are CPU 0 | `interleaved.rs` |
//!
//! A twin with the name of a feature is a broken build of `page_reclaim::evict()`. What it gets wrong is tested in every build: with
//! the feature it must go wrong under each method, without it under none.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::{Action, Entry, EntryName, Operation};
use loadphys_tests::kernel::{Moment, PAGES, page};
use loadphys_tests::scenario::{Setup, Step, Tested, methods, run, with_kernel};
use page_reclaim::shootdown::twin::{self, Twin};
use page_reclaim::{Machine, Slot};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

/// The CPU that edits, in a space of its own, and the one on which the edited space runs.
const HERE: usize = 0;
const THERE: usize = 1;
const SPACE: usize = 1;

/// A private page of the edited space.
const PAGE: usize = 6;

const DIRTY: u64 = 1 << 6;
const SEEDS: u64 = 24;

/// Whether something goes wrong with some seed: never in the right order, always in that of the twin.
fn goes_wrong(work: impl Fn(&mut Tested<'_, '_, '_>) -> bool) -> Vec<&'static str> {
    let with_seed = |method: &'static str, seed| {
        with_kernel(&Setup::roomy(method, seed), |kernel| {
            kernel.touch(HERE, 0, PAGE, Some(1)).expect("there is memory");
            kernel.touch(THERE, SPACE, PAGE, None).expect("there is memory");
            kernel.machine.on(HERE);
            work(kernel)
        })
    };
    let wrong = |method: &&'static str| (0..SEEDS).any(|seed| with_seed(method, seed));
    methods().iter().copied().filter(wrong).collect()
}

/// Right under no method, wrong under each.
fn only_the_twin(work: impl Fn(&mut Tested<'_, '_, '_>, bool) -> bool) {
    assert_eq!(goes_wrong(|kernel| work(kernel, false)), [""; 0]);
    assert_eq!(goes_wrong(|kernel| work(kernel, true)), methods());
}

/// Does something to the entry of the page, and notes it; gives back what was there.
fn entry(kernel: &mut Tested<'_, '_, '_>, action: Action) -> Entry {
    let root = kernel.machine.world.spaces[SPACE].expect("it exists");
    let at = kernel.model().place(root, page(PAGE), 1).expect("there are tables");
    let table = PhysFrame::containing_address(PhysAddr::new(at));
    let name = EntryName::new(table, root, page(PAGE), PageTableLevel::One);
    let mut operation = [Operation::new(name, action)];
    kernel.machine.apply(&mut operation).expect("nothing is refused");
    kernel.machine.edited(&operation);
    operation[0].found
}

fn take_away(kernel: &mut Tested<'_, '_, '_>) -> Entry {
    entry(kernel, Action::Exchange(Entry::EMPTY))
}

/// The program writes its page; whether it could.
fn write(kernel: &mut Tested<'_, '_, '_>, value: u64) -> bool {
    kernel.model().user_store(THERE, page(PAGE) + 8 * 5, value).is_some()
}

/// 6: what a program can write becomes a table.
#[test]
fn what_was_a_page_is_a_table_only_after_the_flush() {
    only_the_twin(|kernel, is_twin| {
        write(kernel, 1);
        let frame = kernel.frame_of(SPACE, PAGE).expect("it is there");
        if is_twin {
            kernel.machine.flush();
            write(kernel, 2);
            take_away(kernel);
        } else {
            take_away(kernel);
            kernel.machine.flush();
        }
        kernel.machine.zero(frame);
        write(kernel, 3);
        kernel.model().memory.frame(frame).iter().any(|word| word.get() != 0)
    });
}

/// 21: the walker sets Dirty while software takes the entry away.
#[test]
fn what_was_written_meanwhile_is_known_to_be_dirty() {
    only_the_twin(|kernel, is_twin| {
        let (found, written) = if is_twin {
            let found = entry(kernel, Action::Load);
            let written = write(kernel, 2);
            take_away(kernel);
            (found, written)
        } else {
            let found = take_away(kernel);
            (found, write(kernel, 2))
        };
        written && found.0 & DIRTY == 0
    });
}

/// 22: a page that other CPUs know as dirty is written to its slot.
#[test]
fn a_slot_holds_what_was_written_last() {
    only_the_twin(|kernel, is_twin| {
        write(kernel, 1);
        let frame = kernel.frame_of(SPACE, PAGE).expect("it is there");
        take_away(kernel);
        let slot = Slot::new(1).expect("not zero");
        if !is_twin {
            kernel.machine.flush();
        }
        let memory = &kernel.model().memory;
        kernel.machine.device.write(slot, memory.frame(frame)).expect("it does not fail");
        write(kernel, 2);
        kernel.machine.flush();
        let kept = *kernel.machine.device.read(slot).expect("it was written");
        kept.iter().zip(memory.frame(frame)).any(|(kept, now)| *kept != now.get())
    });
}

/// The program writes its page at this moment of a real eviction, if it can, and once more when that is over; then it
/// reads what is there. Whether it reached a frame that was freed, or read what it had not written.
fn eviction_harms(kernel: &mut Tested<'_, '_, '_>, at: Moment) -> bool {
    let frame = kernel.frame_of(SPACE, PAGE).expect("it is there");
    kernel.evict_while(&[frame], |moment, meddler| {
        if moment == at {
            meddler.machine.touch(THERE, SPACE, PAGE, Some(2));
        }
    });
    let reached = write(kernel, 3);
    kernel.touch(THERE, SPACE, PAGE, None).expect("there is memory");
    reached || !kernel.machine.world.happened.is_empty()
}

/// Right under each method, unless the build is broken: then wrong under each.
fn only_if_broken(is_broken: bool, work: impl Fn(&mut Tested<'_, '_, '_>) -> bool) {
    let expected = if is_broken { methods() } else { &[] };
    assert_eq!(goes_wrong(work), expected);
}

/// 6, in the real eviction: what was flushed before the edit is known again.
#[test]
fn an_evicted_frame_is_free_only_after_the_flush() {
    only_if_broken(cfg!(feature = "broken-flush-before-edit"), |kernel| {
        eviction_harms(kernel, Moment::Flushed)
    });
}

/// 21, in the real eviction: the page has a clean copy, and is written as its entry goes.
#[test]
#[cfg_attr(feature = "broken-flush-before-edit", ignore = "goes wrong without a later flush too")]
fn an_evicted_page_that_was_written_meanwhile_is_written_to_its_slot() {
    only_if_broken(cfg!(feature = "broken-load-then-store"), |kernel| {
        kernel.machine.touch(THERE, SPACE, PAGE, Some(1));
        let frame = kernel.frame_of(SPACE, PAGE).expect("it is there");
        assert_eq!(kernel.evict(&[frame]).written, 1);
        kernel.touch(THERE, SPACE, PAGE, None).expect("there is memory");
        kernel.machine.on(HERE);
        eviction_harms(kernel, Moment::Applied)
    });
}

/// 22, in the real eviction: a page that is known as dirty is written after its slot was.
#[test]
#[cfg_attr(feature = "broken-flush-before-edit", ignore = "goes wrong without a later flush too")]
fn an_evicted_page_is_written_to_its_slot_only_after_the_flush() {
    only_if_broken(cfg!(feature = "broken-write-before-flush"), |kernel| {
        kernel.machine.touch(THERE, SPACE, PAGE, Some(1));
        eviction_harms(kernel, Moment::Written)
    });
}

/// With how many seeds random work goes wrong when this is broken.
fn wrong_with(twin: Option<Twin>) -> usize {
    twin::choose(twin);
    let is_wrong = |seed: &u64| {
        let roomy = Setup::roomy("direct-map", *seed);
        let setup = Setup { pcids: true, intruder: true, audited_every: 0, ..roomy };
        run(&setup, &Step::sequence(*seed, 150)).first_wrong().is_some()
    };
    let wrong = (0..SEEDS).filter(is_wrong).count();
    twin::choose(None);
    wrong
}

/// 7 and 10.
#[test]
#[cfg_attr(
    any(
        feature = "broken-flush-before-edit",
        feature = "broken-load-then-store",
        feature = "broken-write-before-flush"
    ),
    ignore = "a broken build may go wrong without a twin"
)]
fn random_work_goes_wrong_unless_somebody_flushes() {
    assert_eq!(wrong_with(None), 0);
    for twin in [Twin::NothingIsRaised, Twin::NobodyIsAsked] {
        assert!(wrong_with(Some(twin)) > 0, "{twin:?} goes undetected");
    }
}

/// 8: a space ends, and another begins with its root and its PCID.
#[test]
fn a_new_space_finds_nothing_of_the_one_before_it() {
    let finds_it = |by_number| {
        let lives = |seed: &u64| {
            let setup = Setup { pcids: true, ..Setup::roomy("direct-map", *seed) };
            with_kernel(&setup, |kernel| {
                kernel.machine.known.by_number = by_number;
                for life in 0..4 {
                    for page in 0..PAGES.len() {
                        kernel.touch(THERE, SPACE, page, Some(life)).expect("there is memory");
                    }
                    kernel.exit(SPACE).expect("it can end");
                }
                !kernel.model().take_violations().is_empty()
                    || !kernel.machine.world.happened.is_empty()
            })
        };
        (0..SEEDS).filter(lives).count()
    };
    assert_eq!(finds_it(false), 0);
    assert!(finds_it(true) > 0);
}
