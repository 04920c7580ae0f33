//! Tables are made, or not.

use foreign_access::space::EditError;
use foreign_access::walk::NoEntry;
use foreign_access::{Entry, Refusal, Stopped};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{Mapper, PageTableFlags, Size4KiB};

use crate::fixture::{FLAGS, Memory, NO, PAGE, Strict, frame, map, page, strict, with_space};

#[test]
fn a_frame_that_does_not_become_a_table_is_not_lost() {
    let memory = Memory::new(8);
    let mut method = Strict { adopts: Err(NO), ..strict(&memory) };
    with_space(&mut method, |space| {
        let refused = EditError::NewTable { frame: frame(1), refusal: NO };
        assert_eq!(map::<Size4KiB>(space, &memory, FLAGS), Err(refused));
    });
    assert_eq!(memory.entry(0, 4).get(), 0, "nothing leads to it");
    assert_eq!(method.released, 0, "it was none");
}

#[test]
fn a_frame_whose_place_was_taken_meanwhile_is_released_and_not_lost() {
    let memory = Memory::new(8);
    let other = Entry::new(frame(7), FLAGS).0;
    let taken = || memory.entry(0, 4).set(other);
    let mut method = Strict { meanwhile: &taken, ..strict(&memory) };
    with_space(&mut method, |space| {
        let refused = EditError::NewTable { frame: frame(1), refusal: Refusal::Differs };
        assert_eq!(map::<Size4KiB>(space, &memory, FLAGS), Err(refused));
    });
    assert_eq!((memory.entry(0, 4).get(), method.released), (other, 1));
}

#[test]
fn a_frame_whose_entry_is_refused_is_released_and_not_lost() {
    let memory = Memory::new(8);
    let mut method = Strict { edits: Err(NO), ..strict(&memory) };
    let deeds = with_space(&mut method, |space| {
        let refused = EditError::NewTable { frame: frame(1), refusal: NO };
        assert_eq!(map::<Size4KiB>(space, &memory, FLAGS), Err(refused));
    });
    assert_eq!((memory.entry(0, 4).get(), method.released, deeds.kept), (0, 1, vec![]));
}

#[test]
fn a_frame_that_is_not_released_either_is_kept() {
    let memory = Memory::new(8);
    let refused = Refusal::Above4GiB;
    let mut method = Strict { edits: Err(refused), releases: Err(NO), ..strict(&memory) };
    let deeds = with_space(&mut method, |space| {
        let why = EditError::from(Stopped { done: 0, refusal: refused });
        assert_eq!(map::<Size4KiB>(space, &memory, FLAGS), Err(why), "the frame is not told");
    });
    assert_eq!(deeds.kept, [(frame(1), NO)]);
}

#[test]
fn a_frame_whose_place_was_taken_and_that_is_not_released_is_kept() {
    let memory = Memory::new(8);
    let other = Entry::new(frame(7), FLAGS);
    let taken = || memory.entry(0, 4).set(other.0);
    let mut method = Strict { meanwhile: &taken, releases: Err(NO), ..strict(&memory) };
    let deeds = with_space(&mut method, |space| {
        let found = map::<Size4KiB>(space, &memory, FLAGS);
        assert!(matches!(found, Err(EditError::Occupied(_, entry)) if entry == other), "{found:?}");
    });
    assert_eq!((deeds.kept, memory.entry(0, 4).get()), (vec![(frame(1), NO)], other.0));
}

#[test]
#[should_panic(expected = "is not empty")]
fn the_trait_does_not_take_a_table_for_a_page_that_is_mapped() {
    let memory = Memory::new(8);
    let taken = || memory.entry(0, 4).set(Entry::new(frame(7), FLAGS).0);
    let mut method = Strict { meanwhile: &taken, releases: Err(NO), ..strict(&memory) };
    with_space(&mut method, |space| {
        // SAFETY: nobody uses the space.
        let mapped = unsafe { space.map_to(page::<Size4KiB>(PAGE), frame(5), FLAGS, &mut &memory) };
        drop(mapped);
    });
}

#[test]
fn a_lack_of_frames_leaves_the_tables_that_were_made() {
    let memory = Memory::new(3);
    with_space(&mut strict(&memory), |space| {
        assert_eq!(map::<Size4KiB>(space, &memory, FLAGS), Err(EditError::NoFrame));
    });
    let links = [memory.entry(0, 4).get(), memory.entry(1, 3).get(), memory.entry(2, 2).get()];
    assert_eq!(links, [Entry::new(frame(1), FLAGS).0, Entry::new(frame(2), FLAGS).0, 0]);
}

#[test]
fn what_is_not_present_is_no_table_and_nothing_is_built_on_it() {
    let memory = Memory::new(8);
    let swapped = Entry::new(frame(7), PageTableFlags::WRITABLE);
    with_space(&mut strict(&memory), |space| {
        memory.entry(0, 4).set(swapped.0);
        let found = map::<Size4KiB>(space, &memory, FLAGS);
        assert!(
            matches!(found, Err(EditError::NoEntry(NoEntry::Absent(_, entry))) if entry == swapped)
        );
        assert_eq!(memory.entry(0, 4).get(), swapped.0);
    });
}

#[test]
#[should_panic(expected = "is not present")]
fn the_trait_panics_where_it_has_no_word() {
    let memory = Memory::new(8);
    memory.entry(0, 4).set(PageTableFlags::WRITABLE.bits());
    with_space(&mut strict(&memory), |space| {
        // SAFETY: nobody uses the space.
        let mapped = unsafe { space.map_to(page::<Size4KiB>(PAGE), frame(5), FLAGS, &mut &memory) };
        drop(mapped);
    });
}

#[test]
fn entries_that_lead_to_tables_have_neither_size_nor_global() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        for flag in [PageTableFlags::HUGE_PAGE, PageTableFlags::GLOBAL] {
            let (flags, page) = (FLAGS | flag, page::<Size4KiB>(PAGE));
            let refused = EditError::NotForTables(flags);
            // SAFETY: nobody uses the space.
            unsafe {
                let mapped = space.map(page, frame(5), FLAGS, flags, &mut &memory);
                assert_eq!(mapped, Err(refused));
                let four = PageTableLevel::Four;
                assert_eq!(space.set_table_flags(page.start_address(), four, flags), Err(refused));
            }
        }
    });
    assert_eq!(memory.next.get(), 1, "no table was made");
}

#[test]
fn tables_of_a_read_only_page_are_writable() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        let read_only = PageTableFlags::PRESENT | PageTableFlags::USER_ACCESSIBLE;
        // SAFETY: nobody uses the space.
        let mapped =
            unsafe { space.map_to(page::<Size4KiB>(PAGE), frame(5), read_only, &mut &memory) };
        mapped.unwrap().ignore();
        let linked = Entry::new(frame(1), FLAGS | PageTableFlags::USER_ACCESSIBLE);
        assert_eq!(memory.entry(0, 4).get(), linked.0);
        assert_eq!(memory.entry(3, 1).get(), Entry::new(frame(5), read_only).0);
    });
}
