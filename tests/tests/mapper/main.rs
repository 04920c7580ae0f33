//! The adapters for the `x86_64` crate's traits, over every method, against that crate's own mapper.
#![expect(unsafe_code, reason = "edits tables; no address here is a real one")]

mod reference;
mod steps;
mod world;

use foreign_access::Entry;
use foreign_access::space::{EditError, PageLevel};
use foreign_access::walk::NoEntry;
use loadphys_tests::model::Violation;
use loadphys_tests::scenario::methods;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::prop_assert;
use x86_64::structures::paging::mapper::{CleanUp, Translate};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{
    Mapper, Page, PageTableFlags, PhysFrame, Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

use reference::Reference;
use steps::{Step, step};
use world::{Broken, Setup, USED, World, with_world};

/// What a program needs to write a page.
const DATA: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::USER_ACCESSIBLE);

/// Does the steps; what differs from the reference, or must not happen.
fn run(setup: &Setup, steps: &[Step]) -> Result<(), String> {
    with_world(setup, |world| {
        let mut reference = Reference::new();
        for step in steps {
            let context = |what: String| format!("{setup:?} {step:?}: {what}");
            step.take(world, &mut reference).map_err(context)?;
            let (ours, theirs) = (world.entries(), reference.entries());
            if ours != theirs {
                return Err(context(format!("{ours:x?}, but the reference {theirs:x?}")));
            }
            world.run();
            let violations = world.model.take_violations();
            if !violations.is_empty() {
                return Err(context(format!("{violations:?}")));
            }
        }
        Ok(())
    })
}

/// Every method, for a space that is foreign and for one that is loaded.
fn setups(seed: u64) -> impl Iterator<Item = Setup> {
    let all = methods().iter().flat_map(|method| [false, true].map(|loaded| (*method, loaded)));
    all.map(move |(method, loaded)| Setup { method, loaded, seed, broken: Broken::Nothing })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 1 } else { 96 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever is done, tables and answers are those of the reference, also while a program runs.
    #[test]
    fn every_method_maps_as_the_reference_does(steps in vec(step(), 1..40), seed in any::<u32>()) {
        for setup in setups(seed.into()) {
            let found = run(&setup, &steps);
            prop_assert!(found.is_ok(), "{}", found.unwrap_err());
        }
    }
}

/// Where the program's data lies: where a page of every size can begin, but for 1 GiB.
const DATA_AT: u64 = 0x20_0000;

/// A page of the program that leads to its data, if it is of this size.
fn page<S: PageLevel>() -> (VirtAddr, Page<S>, PhysFrame<S>) {
    let address = VirtAddr::new(USED[0]);
    let frame = PhysFrame::containing_address(PhysAddr::new(DATA_AT));
    (address, Page::containing_address(address), frame)
}

/// Maps the page, with all that a program needs.
fn map<S: PageLevel>(world: &mut World<'_, '_>) -> Result<(), EditError> {
    let (_, page, frame) = page::<S>();
    let (mut space, pool) = world.parts();
    // SAFETY: the program takes what it gets.
    unsafe { space.map(page, frame, DATA, DATA, pool) }
}

fn leads_to_data<S: PageLevel>(setup: &Setup) {
    with_world(setup, |world| {
        let ((address, page, frame), value) = (page::<S>(), S::SIZE);
        map::<S>(world).unwrap();
        let (space, _) = world.parts();
        let (name, entry) = space.leaf(address).unwrap();
        assert_eq!((name.level(), entry.is_present()), (S::LEVEL, true), "{setup:?}");
        assert_eq!(space.translate_addr(address + 8), Some(PhysAddr::new(DATA_AT + 8)));
        assert_eq!(space.translate_page(page).unwrap(), frame);
        assert_eq!(world.model.user_store(1, address + 8, value), Some(()));
        assert_eq!(world.model.memory.word(DATA_AT + 8).unwrap().get(), value);
        assert_eq!(world.model.take_violations(), [], "{setup:?}");
    });
}

#[test]
fn pages_of_every_size_lead_the_program_to_its_data() {
    for setup in setups(1) {
        leads_to_data::<Size4KiB>(&setup);
        leads_to_data::<Size2MiB>(&setup);
        leads_to_data::<Size1GiB>(&setup);
    }
}

/// The program writes its page just before new flags are stored, and again before the page is taken away. What is known
/// of it in the end: whether the entry was dirty after each.
fn written_meanwhile<S: PageLevel>(setup: &Setup) -> [bool; 2] {
    with_world(setup, |world| {
        let (address, page, _) = page::<S>();
        map::<S>(world).unwrap();
        world.be_eager();
        let is_dirty = |entry: Entry| entry.flags().contains(PageTableFlags::DIRTY);
        // SAFETY: the program takes what it gets.
        unsafe { world.parts().0.set_page_flags(page, DATA | PageTableFlags::BIT_9) }.unwrap();
        let (_, updated) = world.parts().0.leaf(address).unwrap();
        assert!(updated.flags().contains(PageTableFlags::BIT_9));
        // So that the next write sets it.
        world.forget_dirty(address);
        let (_, last) = world.parts().0.unmap_page(page).unwrap();
        [is_dirty(updated), is_dirty(last)]
    })
}

#[test]
fn what_the_walker_sets_meanwhile_is_never_lost() {
    for setup in setups(1) {
        let found = [
            written_meanwhile::<Size4KiB>(&setup),
            written_meanwhile::<Size2MiB>(&setup),
            written_meanwhile::<Size1GiB>(&setup),
        ];
        assert_eq!(found, [[true; 2]; 3], "{setup:?}");
        let torn = Setup { broken: Broken::Atomicity, ..setup };
        assert_eq!(written_meanwhile::<Size4KiB>(&torn), [false; 2], "{torn:?}");
    }
}

#[test]
fn accessed_in_upper_entries_is_kept_too() {
    for setup in setups(1) {
        with_world(&setup, |world| {
            let (_, page, _) = page::<Size4KiB>();
            map::<Size4KiB>(world).unwrap();
            world.be_eager();
            let (mut space, _) = world.parts();
            let levels = [PageTableLevel::Two, PageTableLevel::Three, PageTableLevel::Four];
            for level in levels {
                // SAFETY: the program takes what it gets.
                unsafe { space.set_table_flags(page.start_address(), level, DATA) }.unwrap();
            }
            for level in levels {
                // SAFETY: as above.
                let last =
                    unsafe { space.set_table_flags(page.start_address(), level, DATA) }.unwrap();
                assert!(last.flags().contains(PageTableFlags::ACCESSED), "{setup:?} {level:?}");
            }
        });
    }
}

/// A page of the program that has tables for itself.
const OTHER: [u64; 1] = [USED[3]];

/// A page of the program is taken away and its tables freed. The program goes on in another page, and its CPU may
/// translate the first on its own account.
fn freed_while_used(setup: &Setup) -> Vec<Violation> {
    with_world(setup, |world| {
        map_small(world, OTHER[0]);
        let before = world.pool.free().clone();
        for _ in 0..4 {
            world.use_only(&USED);
            map_small(world, USED[0]);
            world.run();
            world.use_only(&OTHER);
            let (_, page, _) = page::<Size4KiB>();
            world.parts().0.unmap(page).unwrap().1.ignore();
            world.deeds.flush(page.start_address());
            let (mut space, pool) = world.parts();
            // SAFETY: every table is used once.
            unsafe { space.clean_up(pool) };
            world.run();
        }
        assert_eq!(world.pool.free(), &before, "{setup:?}: every table comes back");
        world.model.take_violations()
    })
}

fn map_small(world: &mut World<'_, '_>, address: u64) {
    let page = Page::<Size4KiB>::containing_address(VirtAddr::new(address));
    let frame = PhysFrame::containing_address(PhysAddr::new(DATA_AT));
    let (mut space, pool) = world.parts();
    // SAFETY: the program takes what it gets.
    unsafe { space.map(page, frame, DATA, DATA, pool) }.unwrap();
}

/// The method whose stub hides a table from every CPU in the usual view when it is released, by INVEPT: that is a shootdown too.
const BY_STUB: &str = "alias";

#[test]
fn tables_are_freed_only_after_their_shootdown() {
    let seeds = if cfg!(miri) { 1 } else { 20 };
    let astray = |violation: &Violation| matches!(violation, Violation::NotATable(..));
    for setup in setups(0) {
        let mut caught = 0;
        for seed in 0..seeds {
            assert_eq!(freed_while_used(&Setup { seed, ..setup }), [], "{setup:?}");
            let twin = Setup { seed, broken: Broken::ShootDown, ..setup };
            caught += u32::from(freed_while_used(&twin).iter().any(astray));
        }
        println!("{setup:?} without shootdowns: caught with {caught} of {seeds} seeds");
        let is_caught = setup.method != BY_STUB;
        assert!((caught > 0) == is_caught || cfg!(miri), "{setup:?}: {caught}");
    }
}

#[test]
fn frames_that_are_not_zeroed_are_no_tables() {
    for setup in setups(1) {
        let mapped = |broken| with_world(&Setup { broken, ..setup }, map::<Size4KiB>);
        assert_eq!(mapped(Broken::Nothing), Ok(()), "{setup:?}");
        let absent = matches!(mapped(Broken::Zero), Err(EditError::NoEntry(NoEntry::Absent(..))));
        assert!(absent, "{setup:?}");
    }
}
