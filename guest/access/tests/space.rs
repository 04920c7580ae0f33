//! What a space says when something is in the way, and what it leaves behind.
#![expect(unsafe_code, reason = "edits tables in this program's memory")]

use std::cell::{Cell, RefCell};

use foreign_access::cpu::{Cpu, Hosted, Paging, Unsupported};
use foreign_access::methods::{DirectMap, Recursive};
use foreign_access::space::{EditError, ForeignSpace, TableDeeds, Unlinked};
use foreign_access::walk::NoEntry;
use foreign_access::{Action, Entry, EntryName, Method, Operation, Refusal, Stopped};
use x86_64::structures::paging::mapper::{CleanUp, MapToError, Mapper, UnmapError};
use x86_64::structures::paging::page_table::{PageTable, PageTableLevel};
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Page, PageSize, PageTableFlags, PageTableIndex, PhysFrame,
    Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

const FLAGS: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);
const PAGE: u64 = 0x40_0020_3000;
/// What the stub might say.
const NO: Refusal = Refusal::Stub(7);

fn frame<S: PageSize>(number: u64) -> PhysFrame<S> {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

fn page<S: PageSize>(address: u64) -> Page<S> {
    Page::containing_address(VirtAddr::new_truncate(address))
}

/// All memory: tables in frames from 0, the root first.
struct Memory {
    tables: *mut PageTable,
    count: usize,
    next: Cell<u64>,
    back: RefCell<Vec<PhysFrame>>,
}

impl Memory {
    fn new(count: usize) -> Self {
        let tables: Vec<_> = (0..count).map(|_| PageTable::new()).collect();
        let tables = Box::into_raw(tables.into_boxed_slice()).cast();
        Self { tables, count, next: Cell::new(1), back: RefCell::default() }
    }

    fn word(&self, table: u64, index: usize) -> &Cell<u64> {
        assert!((table as usize) < self.count && index < 512);
        // SAFETY: within the memory, which lives as long; words are only ever loaded and stored whole.
        unsafe { &*self.tables.add(table as usize).cast::<Cell<u64>>().add(index) }
    }

    /// The word of the entry of this level for [`PAGE`].
    fn entry(&self, table: u64, level: u64) -> &Cell<u64> {
        self.word(table, (PAGE >> (3 + 9 * level) & 511) as usize)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let tables = core::ptr::slice_from_raw_parts_mut(self.tables, self.count);
        // SAFETY: it was made of a box, in `new`.
        drop(unsafe { Box::from_raw(tables) });
    }
}

// SAFETY: each frame is given out once.
unsafe impl FrameAllocator<Size4KiB> for &Memory {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let next = self.next.get();
        self.next.set(next + 1);
        (next < self.count as u64).then(|| frame(next))
    }
}

impl FrameDeallocator<Size4KiB> for &Memory {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        self.back.borrow_mut().push(frame);
    }
}

/// Remembers what it was asked for.
#[derive(Default)]
struct Deeds {
    shot: Vec<usize>,
    entries: Vec<EntryName>,
    kept: Vec<(PhysFrame, Refusal)>,
}

// SAFETY: frames of the memory are zero; there is one CPU, which caches nothing.
unsafe impl TableDeeds for Deeds {
    fn zero(&mut self, _: PhysFrame) {}

    fn shoot_down(&mut self, unlinked: &[Unlinked]) {
        self.shot.push(unlinked.len());
        self.entries.extend(unlinked.iter().map(|unlinked| unlinked.entry));
    }

    fn kept(&mut self, table: PhysFrame, refusal: Refusal) {
        self.kept.push((table, refusal));
    }
}

/// A direct map with somebody who must agree.
struct Strict<'a> {
    map: DirectMap,
    adopts: Result<(), Refusal>,
    releases: Result<(), Refusal>,
    shows: Result<(), Refusal>,
    released: u32,
    /// Something that happens just when a table is adopted.
    meanwhile: &'a dyn Fn(),
    /// Something that happens just before an entry is edited.
    before_edit: &'a dyn Fn(),
}

// SAFETY: it does less than the direct map, or the same.
unsafe impl<C: Cpu> Method<C> for Strict<'_> {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        self.shows.map_err(|refusal| Stopped { done: 0, refusal })?;
        if operations.iter().any(|operation| operation.action != Action::Load) {
            (self.before_edit)();
        }
        // SAFETY: the caller's duty is the same.
        unsafe { self.map.apply(cpu, operations) }
    }

    fn adopt(&mut self, _: &C, _: PhysFrame, _: PageTableLevel) -> Result<(), Refusal> {
        (self.meanwhile)();
        self.adopts
    }

    fn release(&mut self, _: &C, _: PhysFrame) -> Result<(), Refusal> {
        self.released += 1;
        self.releases
    }
}

fn strict<'a>(memory: &Memory) -> Strict<'a> {
    // SAFETY: physical address 0 is where the memory begins.
    let map = unsafe { DirectMap::new(VirtAddr::from_ptr(memory.tables)) };
    let (adopts, releases, shows) = (Ok(()), Ok(()), Ok(()));
    Strict { map, adopts, releases, shows, released: 0, meanwhile: &|| {}, before_edit: &|| {} }
}

/// What a test works with.
type Space<'a, 'm> = ForeignSpace<'a, Hosted, Strict<'m>, Deeds>;

/// Works with a space; gives back what the kernel was asked for.
fn with_space(method: &mut Strict<'_>, work: impl FnOnce(&mut Space<'_, '_>)) -> Deeds {
    let (cpu, mut deeds) = (Hosted::new(frame(0)), Deeds::default());
    // SAFETY: the root is a table of the memory, and nobody else uses it.
    let mut space = unsafe { ForeignSpace::new(&cpu, method, &mut deeds, frame(0)) }.unwrap();
    work(&mut space);
    deeds
}

/// Maps [`PAGE`] to a frame that is not touched.
fn map<S: foreign_access::space::PageLevel>(
    space: &mut Space<'_, '_>,
    mut memory: &Memory,
    flags: PageTableFlags,
) -> Result<(), EditError> {
    // SAFETY: nobody uses the space.
    unsafe { space.map(page::<S>(PAGE), frame(0), flags, FLAGS, &mut memory) }
}

#[test]
fn a_method_refuses_paging_that_it_cannot_be_used_with() {
    let unsupported = |paging, recursive: bool| {
        let memory = Memory::new(1);
        let (cpu, mut deeds) = (Strange(Hosted::new(frame(0)), paging), ());
        let slots = [510, 400].map(PageTableIndex::new);
        // SAFETY: nothing is done with either.
        unsafe {
            let (mut slot, mut map) = (Recursive::new(slots[0], slots[1], 1), strict(&memory).map);
            match recursive {
                true => ForeignSpace::new(&cpu, &mut slot, &mut deeds, frame(0)).map(drop),
                false => ForeignSpace::new(&cpu, &mut map, &mut deeds, frame(0)).map(drop),
            }
        }
    };
    let five_levels = Paging { five_levels: true, ..Paging::PLAIN };
    let narrow_invlpg = Paging { narrow_invlpg: true, ..Paging::PLAIN };
    assert_eq!([false, true].map(|r| unsupported(Paging::PLAIN, r)), [Ok(()); 2]);
    let five = Err(Unsupported::FiveLevels);
    assert_eq!([false, true].map(|r| unsupported(five_levels, r)), [five; 2]);
    let narrow = Err(Unsupported::NarrowInvlpg);
    assert_eq!([false, true].map(|r| unsupported(narrow_invlpg, r)), [Ok(()), narrow]);
}

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
#[should_panic(expected = "the method refused: Above4GiB")]
fn a_translation_panics_if_the_method_refuses() {
    let memory = Memory::new(8);
    let mut method = Strict { shows: Err(Refusal::Above4GiB), ..strict(&memory) };
    with_space(&mut method, |space| {
        x86_64::structures::paging::Translate::translate(space, VirtAddr::new(PAGE));
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
    let below = |name: &EntryName| (name.level as u64, u64::from(name.page.p4_index()));
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

/// A CPU on which paging is set up in some way.
struct Strange(Hosted, Paging);

// SAFETY: hands on.
unsafe impl Cpu for Strange {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.compare_exchange(address, expected, new) }
    }

    fn root(&self) -> PhysFrame {
        self.0.root()
    }

    fn root_register(&self) -> u64 {
        self.0.root_register()
    }

    unsafe fn set_root_register(&self, value: u64) {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.set_root_register(value) };
    }

    fn mask_interrupts(&self) -> bool {
        self.0.mask_interrupts()
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.0.restore_interrupts(were_on);
    }

    fn number(&self) -> usize {
        self.0.number()
    }

    fn invlpg(&self, address: VirtAddr) {
        self.0.invlpg(address);
    }

    fn paging(&self) -> Paging {
        self.1
    }
}
