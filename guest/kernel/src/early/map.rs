//! The kernel's own map, built under the boot tables: image, areas, stacks, windows, devices.
#![expect(unsafe_code, reason = "builds tables through the identity map")]

use core::fmt;

use foreign_access::Entry;
use loadphys_boot::handoff::Region;
use x86_64::structures::paging::mapper::MapToError;
use x86_64::structures::paging::{
    Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags, PhysFrame, Size1GiB,
    Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

use super::frames::{EarlyFrames, TooLittle};
use super::image::Image;
use crate::layout::{DYNAMIC_SLOT, IMAGE_OFFSET, KERNEL_HALF, slot_base};

/// Data: readable, writable, never executable.
const DATA: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::NO_EXECUTE);

/// What leads to a table of the kernel's.
const LEADS_TO_TABLE: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

/// Device registers: data that is not cached.
const DEVICE: PageTableFlags =
    DATA.union(PageTableFlags::NO_CACHE).union(PageTableFlags::WRITE_THROUGH);

/// The entry of the windows' table that leads to the table itself.
pub const WINDOW_TABLE_SLOT: u16 = 511;

/// A stack with an unmapped page below it.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// The unmapped page.
    pub guard: VirtAddr,
    /// The first byte above.
    pub top: VirtAddr,
}

/// Memory by both of its addresses.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Its physical address.
    pub physical: PhysAddr,
    /// Where the kernel sees it.
    pub at: VirtAddr,
    /// Its length.
    pub bytes: u64,
}

/// The map being built.
pub struct KernelMap {
    root: PhysFrame,
    frames: EarlyFrames,
    next: VirtAddr,
}

impl KernelMap {
    /// A root whose kernel half is complete, in that every slot that the kernel will ever share
    /// between spaces has its table now: new roots copy the slots once and stay right.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn new(mut frames: EarlyFrames) -> Result<Self, TooLittle> {
        let root = PhysFrame::containing_address(frames.take(Size4KiB::SIZE)?);
        let mut map = Self { root, frames, next: slot_base(DYNAMIC_SLOT) };
        map.image()?;
        Ok(map)
    }

    fn image(&mut self) -> Result<(), TooLittle> {
        for part in Image::parts() {
            let physical = PhysAddr::new(part.start - VirtAddr::new(IMAGE_OFFSET));
            self.run::<Size4KiB>(part.start, physical, part.end - part.start, part.flags)?;
        }
        Ok(())
    }

    /// A zeroed area for data, whole pages, with an unmapped page behind it.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn area(&mut self, bytes: u64) -> Result<VirtAddr, TooLittle> {
        self.shared_area(bytes).map(|range| range.at)
    }

    /// The same, for devices too: they know it by its physical address.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn shared_area(&mut self, bytes: u64) -> Result<Range, TooLittle> {
        let physical = self.frames.take(bytes)?;
        let at = self.claim(bytes + Size4KiB::SIZE);
        self.run::<Size4KiB>(at, physical, bytes, DATA)?;
        Ok(Range { physical, at, bytes })
    }

    /// A stack of whole pages above an unmapped one.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn stack(&mut self, bytes: u64) -> Result<Stack, TooLittle> {
        let guard = self.claim(Size4KiB::SIZE);
        let start = self.area(bytes)?;
        Ok(Stack { guard, top: start + bytes })
    }

    /// Registers of a device that lie in one page.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn device(&mut self, physical: PhysAddr) -> Result<VirtAddr, TooLittle> {
        self.registers(physical, 1)
    }

    /// So many bytes of registers of a device.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn registers(&mut self, physical: PhysAddr, bytes: u64) -> Result<VirtAddr, TooLittle> {
        let (first, end) = (physical.align_down(Size4KiB::SIZE), physical + bytes);
        let bytes = end.align_up(Size4KiB::SIZE) - first;
        let start = self.claim(bytes + Size4KiB::SIZE);
        self.run::<Size4KiB>(start, first, bytes, DEVICE)?;
        Ok(start + (physical - first))
    }

    /// 2 MiB of windows: one level-one table, whose last entry leads to the table itself, so that
    /// windows can be opened although physical memory is mapped nowhere. Gives the first window.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn windows(&mut self) -> Result<VirtAddr, TooLittle> {
        self.next = self.next.align_up(Size2MiB::SIZE);
        let start = self.claim(Size2MiB::SIZE);
        let own = start + u64::from(WINDOW_TABLE_SLOT) * Size4KiB::SIZE;
        // Any frame will do to have the upper tables built; the entry is replaced at once.
        self.run::<Size4KiB>(own, PhysAddr::zero(), Size4KiB::SIZE, DATA)?;
        let table = self.table_of(own, 3);
        let frame = PhysFrame::containing_address(PhysAddr::new(core::ptr::from_mut(table) as u64));
        table[usize::from(WINDOW_TABLE_SLOT)].set_frame(frame, DATA);
        Ok(start)
    }

    /// Maps a range of physical memory at a fixed place, with large pages.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn range(
        &mut self,
        start: VirtAddr,
        physical: PhysAddr,
        bytes: u64,
        gigabyte_pages: bool,
    ) -> Result<(), TooLittle> {
        if gigabyte_pages {
            self.run::<Size1GiB>(start, physical, bytes.next_multiple_of(Size1GiB::SIZE), DATA)
        } else {
            self.run::<Size2MiB>(start, physical, bytes.next_multiple_of(Size2MiB::SIZE), DATA)
        }
    }

    /// A page for every frame of memory, at a fixed place, empty, by tables of level one that lie side by side and
    /// are mapped themselves. Gives the address of the first entry.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn places(&mut self, start: VirtAddr, bytes: u64) -> Result<VirtAddr, TooLittle> {
        let tables = bytes.div_ceil(Size2MiB::SIZE);
        let physical = self.frames.take(tables * Size4KiB::SIZE)?;
        let entries = self.claim((tables + 1) * Size4KiB::SIZE);
        self.run::<Size4KiB>(entries, physical, tables * Size4KiB::SIZE, DATA)?;
        // Large pages bring the upper tables; each is then replaced by the table for its 2 MiB.
        self.run::<Size2MiB>(start, PhysAddr::zero(), tables * Size2MiB::SIZE, DATA)?;
        for number in 0..tables {
            let page = start + number * Size2MiB::SIZE;
            let entry = &mut self.table_of(page, 2)[page.p2_index()];
            entry.set_addr(physical + number * Size4KiB::SIZE, LEADS_TO_TABLE);
        }
        Ok(entries)
    }

    /// Takes what a slot of the root leads to out of the map; whoever has the entry can put it back.
    pub fn take_slot(&mut self, slot: u16) -> Entry {
        let entry = &mut self.table_of(VirtAddr::zero(), 0)[usize::from(slot)];
        let taken = Entry::new(PhysFrame::containing_address(entry.addr()), LEADS_TO_TABLE);
        entry.set_unused();
        taken
    }

    /// The root of the map.
    pub fn root(&self) -> PhysFrame {
        self.root
    }

    /// What has been taken for the map and all that it maps.
    pub fn taken(&self) -> Region {
        self.frames.taken()
    }

    fn claim(&mut self, bytes: u64) -> VirtAddr {
        let start = self.next;
        self.next += bytes.next_multiple_of(Size4KiB::SIZE);
        start
    }

    fn run<S>(
        &mut self,
        start: VirtAddr,
        physical: PhysAddr,
        bytes: u64,
        flags: PageTableFlags,
    ) -> Result<(), TooLittle>
    where
        for<'a> OffsetPageTable<'a>: Mapper<S>,
        S: PageSize + fmt::Debug,
    {
        for offset in (0..bytes).step_by(S::SIZE as usize) {
            let page = Page::<S>::containing_address(start + offset);
            let frame = PhysFrame::<S>::containing_address(physical + offset);
            // SAFETY: the map is not loaded yet, and each page is claimed once.
            match unsafe { table(self.root).map_to(page, frame, flags, &mut self.frames) } {
                Ok(unused) => unused.ignore(),
                Err(MapToError::FrameAllocationFailed) => {
                    self.frames.take(Size4KiB::SIZE)?;
                }
                Err(other) => panic!("the kernel's own map contradicts itself: {other:?}"),
            }
        }
        Ok(())
    }

    /// The table on the way to a page, so many steps below the root.
    fn table_of(&mut self, page: VirtAddr, steps: usize) -> &mut PageTable {
        let mut frame = self.root;
        for index in [page.p4_index(), page.p3_index(), page.p2_index()].into_iter().take(steps) {
            // SAFETY: `run` has just built the tables on this way; they are mapped at themselves.
            let table = unsafe { &*(frame.start_address().as_u64() as *const PageTable) };
            frame = PhysFrame::containing_address(table[index].addr());
        }
        // SAFETY: as above; nothing else refers to it.
        unsafe { &mut *(frame.start_address().as_u64() as *mut PageTable) }
    }
}

/// The tables below a root, through the identity map.
fn table(root: PhysFrame) -> OffsetPageTable<'static> {
    // SAFETY: early frames are mapped at themselves, and only one such view exists at a time.
    unsafe {
        let root = &mut *(root.start_address().as_u64() as *mut PageTable);
        OffsetPageTable::new(root, VirtAddr::zero())
    }
}

const _: () = assert!(KERNEL_HALF == 256);
