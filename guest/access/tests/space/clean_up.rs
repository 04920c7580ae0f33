//! What is freed, and what stays.

use std::cell::Cell;

use foreign_access::space::EditError;
use foreign_access::walk::NoEntry;
use foreign_access::{Entry, EntryName};
use x86_64::structures::paging::mapper::CleanUp;
use x86_64::structures::paging::{Page, PageTableFlags, Size4KiB};

use crate::fixture::{FLAGS, Memory, NO, PAGE, Strict, frame, map, page, strict, with_space};

#[test]
fn what_hardware_sets_in_an_empty_entry_does_not_fill_it() {
    let memory = Memory::new(8);
    let deeds = with_space(&mut strict(&memory), |space| {
        memory.entry(0, 4).set(Entry::TOUCHED);
        map::<Size4KiB>(space, &memory, FLAGS).unwrap();
        assert_eq!(memory.entry(0, 4).get(), Entry::new(frame(1), FLAGS).0);
        space.unmap_page(page::<Size4KiB>(PAGE)).unwrap();
        memory.entry(3, 1).set(Entry::TOUCHED);
        // SAFETY: every table is used once.
        unsafe { space.clean_up(&mut &memory) };
    });
    assert_eq!((memory.back.take(), deeds.shot), (vec![frame(3), frame(2), frame(1)], vec![3]));
}

#[test]
fn a_table_that_is_not_released_is_kept() {
    let memory = Memory::new(8);
    let mut method = Strict { releases: Err(NO), ..strict(&memory) };
    let deeds = with_space(&mut method, |space| {
        map::<Size4KiB>(space, &memory, FLAGS).unwrap();
        space.unmap_page(page::<Size4KiB>(PAGE)).unwrap();
        // SAFETY: every table is used once.
        unsafe { space.clean_up(&mut &memory) };
    });
    assert_eq!(memory.back.take(), []);
    assert_eq!(deeds.kept, [3, 2, 1].map(|number| (frame(number), NO)));
}

#[test]
fn many_tables_share_few_shootdowns() {
    let memory = Memory::new(64);
    let deeds = with_space(&mut strict(&memory), |space| {
        for number in 0..40 {
            let page = page::<Size4KiB>(PAGE + (number << 21));
            // SAFETY: nobody uses the space.
            unsafe { space.map(page, frame(5), FLAGS, FLAGS, &mut &memory) }.unwrap();
            space.unmap_page(page).unwrap();
        }
        // SAFETY: every table is used once.
        unsafe { space.clean_up(&mut &memory) };
    });
    assert_eq!((memory.back.take().len(), deeds.shot), (42, vec![16, 16, 10]));
}

#[test]
fn an_empty_range_and_the_root_itself_are_left_alone() {
    let memory = Memory::new(8);
    let deeds = with_space(&mut strict(&memory), |space| {
        memory.word(0, 510).set(Entry::new(frame(0), FLAGS).0);
        let high = page::<Size4KiB>(0xffff_8000_0000_0000);
        for page in [page(PAGE), high] {
            // SAFETY: nobody uses the space.
            unsafe { space.map(page, frame(5), FLAGS, FLAGS, &mut &memory) }.unwrap();
            space.unmap_page(page).unwrap();
        }
        // SAFETY: every table is used once.
        unsafe {
            let (first, last) = (page(PAGE), page(PAGE - 0x1000));
            space.clean_up_addr_range(Page::range_inclusive(first, last), &mut &memory);
            assert_eq!(*memory.back.borrow(), []);
            space.clean_up(&mut &memory);
            assert_eq!(memory.back.take(), [3, 2, 1].map(frame));
            space.clean_up_addr_range(Page::range_inclusive(page(0), page(u64::MAX)), &mut &memory);
        }
    });
    assert_eq!((memory.back.take(), deeds.shot), ([6, 5, 4].map(frame).to_vec(), vec![3, 3]));
    assert_eq!(memory.word(0, 510).get(), Entry::new(frame(0), FLAGS).0);
}

#[test]
fn what_was_put_in_place_of_a_table_meanwhile_is_left_alone() {
    let memory = Memory::new(8);
    let deeds = with_space(&mut strict(&memory), |space| {
        map::<Size4KiB>(space, &memory, FLAGS).unwrap();
        space.unmap_page(page::<Size4KiB>(PAGE)).unwrap();
    });
    assert_eq!(deeds.shot, []);
    let large = Entry::new(frame(512), FLAGS | PageTableFlags::HUGE_PAGE);
    let other = Cell::new(large);
    let before_edit = || memory.entry(2, 2).set(other.get().0);
    let mut method = Strict { before_edit: &before_edit, ..strict(&memory) };
    let deeds = with_space(&mut method, |space| {
        // SAFETY: nobody uses the space.
        unsafe {
            let (page, user) = (page::<Size4KiB>(PAGE), FLAGS | PageTableFlags::USER_ACCESSIBLE);
            memory.entry(0, 4).set(memory.entry(0, 4).get() | user.bits());
            memory.entry(1, 3).set(memory.entry(1, 3).get() | user.bits());
            let mapped = space.map(page, frame(5), FLAGS, user, &mut &memory);
            assert!(matches!(mapped, Err(EditError::NoEntry(NoEntry::Large(..)))), "{mapped:?}");
            for entry in [large, Entry::new(frame(7), FLAGS)] {
                memory.entry(2, 2).set(Entry::new(frame(3), FLAGS).0);
                other.set(entry);
                space.clean_up(&mut &memory);
                assert_eq!(memory.entry(2, 2).get(), entry.0);
            }
        }
    });
    assert_eq!((memory.back.take(), deeds.shot), (vec![], vec![]));
}

#[test]
fn tables_are_not_found_by_way_of_the_root_itself() {
    let memory = Memory::new(3);
    let high = page::<Size4KiB>(u64::MAX);
    let deeds = with_space(&mut strict(&memory), |space| {
        memory.word(0, 510).set(Entry::new(frame(0), FLAGS).0);
        // SAFETY: nobody uses the space.
        let mapped = unsafe { space.map(high, frame(5), FLAGS, FLAGS, &mut &memory) };
        assert_eq!(mapped, Err(EditError::NoFrame), "two tables lead to no third");
        // SAFETY: every table is used once.
        unsafe { space.clean_up_addr_range(Page::range_inclusive(page(0), high), &mut &memory) };
    });
    let below = |name: &EntryName| (name.level() as u64, u64::from(name.page().p4_index()));
    assert_eq!(deeds.entries.iter().map(below).collect::<Vec<_>>(), [(3, 511), (4, 511)]);
    assert_eq!(memory.back.take(), [frame(2), frame(1)]);
}

#[test]
fn tables_that_are_in_use_or_out_of_range_stay() {
    let memory = Memory::new(16);
    with_space(&mut strict(&memory), |space| {
        let (near, far) = (page::<Size4KiB>(PAGE), page::<Size4KiB>(PAGE + (1 << 30)));
        for page in [near, far] {
            // SAFETY: nobody uses the space.
            unsafe { space.map(page, frame(5), FLAGS, FLAGS, &mut &memory) }.unwrap();
        }
        space.unmap_page(near).unwrap();
        // SAFETY: every table is used once.
        unsafe { space.clean_up(&mut &memory) };
        assert_eq!(memory.back.take(), [frame(3), frame(2)], "the upper table leads to another");
        space.unmap_page(far).unwrap();
        // SAFETY: every table is used once.
        unsafe { space.clean_up_addr_range(Page::range_inclusive(near, near), &mut &memory) };
        assert_eq!(memory.back.take(), [], "it is not asked for");
    });
}
