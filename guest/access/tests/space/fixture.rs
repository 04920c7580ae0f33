//! Memory of this program, and somebody who must agree to what becomes of it.

use std::cell::{Cell, RefCell};

use foreign_access::cpu::{Cpu, Hosted};
use foreign_access::methods::DirectMap;
use foreign_access::space::{EditError, ForeignSpace, PageLevel, TableDeeds, Unlinked};
use foreign_access::{Action, EntryName, Method, Operation, Refusal, Stopped};
use x86_64::structures::paging::page_table::{PageTable, PageTableLevel};
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Page, PageSize, PageTableFlags, PhysFrame, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

pub const FLAGS: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);
pub const PAGE: u64 = 0x40_0020_3000;
/// What the stub might say.
pub const NO: Refusal = Refusal::Stub(7);

pub fn frame<S: PageSize>(number: u64) -> PhysFrame<S> {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

pub fn page<S: PageSize>(address: u64) -> Page<S> {
    Page::containing_address(VirtAddr::new_truncate(address))
}

/// All memory: tables in frames from 0, the root first.
pub struct Memory {
    pub tables: *mut PageTable,
    pub count: usize,
    pub next: Cell<u64>,
    pub back: RefCell<Vec<PhysFrame>>,
}

impl Memory {
    pub fn new(count: usize) -> Self {
        let tables: Vec<_> = (0..count).map(|_| PageTable::new()).collect();
        let tables = Box::into_raw(tables.into_boxed_slice()).cast();
        Self { tables, count, next: Cell::new(1), back: RefCell::default() }
    }

    pub fn word(&self, table: u64, index: usize) -> &Cell<u64> {
        assert!((table as usize) < self.count && index < 512);
        // SAFETY: within the memory, which lives as long; words are only ever loaded and stored whole.
        unsafe { &*self.tables.add(table as usize).cast::<Cell<u64>>().add(index) }
    }

    /// The word of the entry of this level for [`PAGE`].
    pub fn entry(&self, table: u64, level: u64) -> &Cell<u64> {
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
pub struct Deeds {
    pub shot: Vec<usize>,
    pub entries: Vec<EntryName>,
    pub kept: Vec<(PhysFrame, Refusal)>,
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
pub struct Strict<'a> {
    pub map: DirectMap,
    pub adopts: Result<(), Refusal>,
    pub releases: Result<(), Refusal>,
    pub shows: Result<(), Refusal>,
    pub edits: Result<(), Refusal>,
    pub released: u32,
    /// Something that happens just when a table is adopted.
    pub meanwhile: &'a dyn Fn(),
    /// Something that happens just before an entry is edited.
    pub before_edit: &'a dyn Fn(),
}

// SAFETY: it does less than the direct map, or the same.
unsafe impl<C: Cpu> Method<C> for Strict<'_> {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        self.shows.map_err(|refusal| Stopped { done: 0, refusal })?;
        if operations.iter().any(|operation| operation.action != Action::Load) {
            (self.before_edit)();
            self.edits.map_err(|refusal| Stopped { done: 0, refusal })?;
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

pub fn strict<'a>(memory: &Memory) -> Strict<'a> {
    // SAFETY: physical address 0 is where the memory begins.
    let map = unsafe { DirectMap::new(VirtAddr::from_ptr(memory.tables)) };
    let (adopts, releases, shows, edits) = (Ok(()), Ok(()), Ok(()), Ok(()));
    let (meanwhile, before_edit) = (&|| {}, &|| {});
    Strict { map, adopts, releases, shows, edits, released: 0, meanwhile, before_edit }
}

/// What a test works with.
pub type Space<'a, 'm> = ForeignSpace<'a, Hosted, Strict<'m>, Deeds>;

/// Works with a space; gives back what the kernel was asked for.
pub fn with_space(method: &mut Strict<'_>, work: impl FnOnce(&mut Space<'_, '_>)) -> Deeds {
    let (cpu, mut deeds) = (Hosted::new(frame(0)), Deeds::default());
    // SAFETY: the root is a table of the memory, and nobody else uses it.
    let mut space = unsafe { ForeignSpace::new(&cpu, method, &mut deeds, frame(0)) }.unwrap();
    work(&mut space);
    deeds
}

/// Maps [`PAGE`] to a frame that is not touched.
pub fn map<S: PageLevel>(
    space: &mut Space<'_, '_>,
    mut memory: &Memory,
    flags: PageTableFlags,
) -> Result<(), EditError> {
    // SAFETY: nobody uses the space.
    unsafe { space.map(page::<S>(PAGE), frame(0), flags, FLAGS, &mut memory) }
}
