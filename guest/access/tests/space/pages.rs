//! Pages and tables are not taken for one another.

use foreign_access::space::EditError;
use foreign_access::walk::NoEntry;
use foreign_access::{Entry, Refusal};
use x86_64::VirtAddr;
use x86_64::structures::paging::mapper::{
    FlagUpdateError, MapToError, Mapper, Translate, UnmapError,
};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, Size1GiB, Size2MiB, Size4KiB};

use crate::fixture::{FLAGS, Memory, PAGE, Space, Strict, frame, map, page, strict, with_space};

/// What an eviction leaves behind, slot 7 inverted. With Present it would lead to a frame.
const SWAPPED: Entry = Entry(0x000f_ffff_ffff_8000);

#[test]
#[should_panic(expected = "the method refused: Above4GiB")]
fn a_translation_panics_if_the_method_refuses() {
    let memory = Memory::new(8);
    let mut method = Strict { shows: Err(Refusal::Above4GiB), ..strict(&memory) };
    with_space(&mut method, |space| {
        Translate::translate(space, VirtAddr::new(PAGE));
    });
}

#[test]
fn bit_7_of_level_one_is_pat() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        map::<Size4KiB>(space, &memory, FLAGS | PageTableFlags::HUGE_PAGE).unwrap();
        assert_eq!(space.frame_of(page::<Size4KiB>(PAGE)), Ok(frame(0)));
        let (unmapped, last) = space.unmap_page(page::<Size4KiB>(PAGE)).unwrap();
        assert_eq!((unmapped, last.0), (frame(0), (FLAGS | PageTableFlags::HUGE_PAGE).bits()));
    });
}

#[test]
fn pat_of_a_large_page_is_no_part_of_its_address() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        map::<Size2MiB>(space, &memory, FLAGS).unwrap();
        let word = memory.entry(2, 2);
        word.set(word.get() | 1 << 12);
        assert_eq!(space.frame_of(page::<Size2MiB>(PAGE)), Ok(frame(0)));
        word.set(word.get() | 1 << 13);
        let misaligned = space.unmap_page(page::<Size2MiB>(PAGE));
        assert!(matches!(misaligned, Err(EditError::Misaligned(..))), "{misaligned:?}");
        let word_for_it = space.unmap(page::<Size2MiB>(PAGE)).map(|_| ());
        assert!(
            matches!(word_for_it, Err(UnmapError::InvalidFrameAddress(at)) if at.as_u64() == 1 << 13)
        );
    });
}

#[test]
fn a_table_is_no_large_page_and_stays_a_table() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        map::<Size4KiB>(space, &memory, FLAGS).unwrap();
        let before = [memory.entry(1, 3).get(), memory.entry(2, 2).get()];
        // SAFETY: nobody uses the space.
        unsafe {
            let two = space.set_page_flags(page::<Size2MiB>(PAGE), FLAGS);
            assert!(matches!(two, Err(EditError::Table(..))), "{two:?}");
            let three = space.set_page_flags(page::<Size1GiB>(PAGE), FLAGS);
            assert!(matches!(three, Err(EditError::Table(..))), "{three:?}");
        }
        let occupied = map::<Size2MiB>(space, &memory, FLAGS);
        assert!(matches!(occupied, Err(EditError::Occupied(..))), "{occupied:?}");
        assert_eq!([memory.entry(1, 3).get(), memory.entry(2, 2).get()], before);
    });
}

/// What is seen of an entry that another CPU changes just before it is edited; and what it holds in the end.
fn swapped_meanwhile(
    level: u64,
    edit: impl FnOnce(&mut Space<'_, '_>) -> Result<Entry, EditError>,
) -> (NoEntry, Entry) {
    let memory = Memory::new(8);
    let word = memory.entry(4 - level, level);
    let evict = || word.set(SWAPPED.0);
    with_space(&mut strict(&memory), |space| map::<Size4KiB>(space, &memory, FLAGS).unwrap());
    let mut method = Strict { before_edit: &evict, ..strict(&memory) };
    let mut found = None;
    with_space(&mut method, |space| found = edit(space).err());
    let Some(EditError::NoEntry(why)) = found else { panic!("{found:?}") };
    (why, Entry(word.get()))
}

#[test]
fn a_page_that_is_evicted_meanwhile_is_not_made_present() {
    // SAFETY: nobody uses the space.
    let (why, left) = swapped_meanwhile(1, |space| unsafe {
        space.set_page_flags(page::<Size4KiB>(PAGE), FLAGS)
    });
    assert!(matches!(why, NoEntry::Absent(_, SWAPPED)), "{why:?}");
    assert_eq!(left, SWAPPED);
}

#[test]
fn an_entry_that_leads_to_no_table_any_more_is_not_made_present() {
    for level in [PageTableLevel::Two, PageTableLevel::Three, PageTableLevel::Four] {
        // SAFETY: nobody uses the space.
        let (why, left) = swapped_meanwhile(level as u64, |space| unsafe {
            space.set_table_flags(VirtAddr::new(PAGE), level, FLAGS)
        });
        assert!(matches!(why, NoEntry::Absent(_, SWAPPED)), "{why:?}");
        assert_eq!(left, SWAPPED);
    }
}

#[test]
fn the_trait_says_that_what_is_not_present_is_not_mapped() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        map::<Size4KiB>(space, &memory, FLAGS).unwrap();
        memory.entry(3, 1).set(SWAPPED.0);
        // SAFETY: nobody uses the space.
        let updated = unsafe { space.update_flags(page::<Size4KiB>(PAGE), FLAGS) };
        assert!(matches!(updated.map(|_| ()), Err(FlagUpdateError::PageNotMapped)));
        assert_eq!(memory.entry(3, 1).get(), SWAPPED.0);
    });
}

#[test]
fn a_large_page_is_no_table_and_keeps_its_flags() {
    let memory = Memory::new(8);
    with_space(&mut strict(&memory), |space| {
        map::<Size1GiB>(space, &memory, PageTableFlags::PRESENT).unwrap();
        let before = memory.entry(1, 3).get();
        let at = VirtAddr::new(PAGE);
        // SAFETY: nobody uses the space.
        let set = unsafe { space.set_table_flags(at, PageTableLevel::Three, FLAGS) };
        assert!(matches!(set, Err(EditError::NoEntry(NoEntry::Large(..)))), "{set:?}");
        // SAFETY: the same.
        let mapped = unsafe { space.map_to(page::<Size4KiB>(PAGE), frame(5), FLAGS, &mut &memory) };
        assert!(matches!(mapped.map(|_| ()), Err(MapToError::ParentEntryHugePage)));
        assert_eq!(memory.entry(1, 3).get(), before);
    });
}
