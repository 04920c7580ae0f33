//! The traits of the `x86_64` crate, for every size at once.
//!
//! Their errors know less than [`EditError`]; what they have no word for is a panic.
#![expect(unsafe_code, reason = "implements functions with duties")]

use x86_64::PhysAddr;
use x86_64::structures::paging::mapper::{
    CleanUp, FlagUpdateError, MapToError, Mapper, MapperFlush, MapperFlushAll, TranslateError,
    UnmapError,
};
use x86_64::structures::paging::page::PageRangeInclusive;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Page, PageTableFlags, PhysFrame, Size4KiB,
};

use super::pages::{self, PageLevel};
use super::{EditError, ForeignSpace, TableDeeds};
use crate::cpu::Cpu;
use crate::operation::{Method, Refusal};
use crate::walk::NoEntry;

/// # Panics
/// If the method, or whoever must agree to a new table, refuses; if flags for entries that lead to tables have the
/// page-size or Global bit; if an entry that should lead to a table holds something that is not present. The functions of
/// [`ForeignSpace`] say so instead: [`map`](ForeignSpace::map), [`unmap_page`](ForeignSpace::unmap_page),
/// [`set_page_flags`](ForeignSpace::set_page_flags), [`set_table_flags`](ForeignSpace::set_table_flags),
/// [`frame_of`](ForeignSpace::frame_of). A frame for a table that was refused is lost to whoever survives the panic.
impl<S: PageLevel, C: Cpu, M: Method<C>, D: TableDeeds> Mapper<S> for ForeignSpace<'_, C, M, D> {
    unsafe fn map_to_with_table_flags<A>(
        &mut self,
        page: Page<S>,
        frame: PhysFrame<S>,
        flags: PageTableFlags,
        parent_table_flags: PageTableFlags,
        frame_allocator: &mut A,
    ) -> Result<MapperFlush<S>, MapToError<S>>
    where
        A: FrameAllocator<Size4KiB> + ?Sized,
    {
        // SAFETY: the caller's duty is the same.
        match unsafe { self.map(page, frame, flags, parent_table_flags, frame_allocator) } {
            Ok(()) => Ok(MapperFlush::new(page)),
            Err(EditError::NoFrame) => Err(MapToError::FrameAllocationFailed),
            Err(EditError::NoEntry(NoEntry::Large(..))) => Err(MapToError::ParentEntryHugePage),
            Err(EditError::Occupied(name, _)) if name.level() == S::LEVEL => {
                Err(MapToError::PageAlreadyMapped(frame))
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn unmap(&mut self, page: Page<S>) -> Result<(PhysFrame<S>, MapperFlush<S>), UnmapError> {
        let unmapped = self.unmap_page(page);
        unmapped.map(|(frame, _)| (frame, MapperFlush::new(page))).map_err(|error| {
            match Word::of(error) {
                Word::NotMapped => UnmapError::PageNotMapped,
                Word::OtherSize => UnmapError::ParentEntryHugePage,
                Word::Misaligned(address) => UnmapError::InvalidFrameAddress(address),
            }
        })
    }

    unsafe fn update_flags(
        &mut self,
        page: Page<S>,
        flags: PageTableFlags,
    ) -> Result<MapperFlush<S>, FlagUpdateError> {
        // SAFETY: the caller's duty is the same.
        let updated = unsafe { self.set_page_flags(page, flags) };
        updated.map(|_| MapperFlush::new(page)).map_err(flag_error)
    }

    unsafe fn set_flags_p4_entry(
        &mut self,
        page: Page<S>,
        flags: PageTableFlags,
    ) -> Result<MapperFlushAll, FlagUpdateError> {
        // SAFETY: the caller's duty is the same.
        unsafe { set_flags(self, page, PageTableLevel::Four, flags) }
    }

    unsafe fn set_flags_p3_entry(
        &mut self,
        page: Page<S>,
        flags: PageTableFlags,
    ) -> Result<MapperFlushAll, FlagUpdateError> {
        // SAFETY: the caller's duty is the same.
        unsafe { set_flags(self, page, PageTableLevel::Three, flags) }
    }

    unsafe fn set_flags_p2_entry(
        &mut self,
        page: Page<S>,
        flags: PageTableFlags,
    ) -> Result<MapperFlushAll, FlagUpdateError> {
        // SAFETY: the caller's duty is the same.
        unsafe { set_flags(self, page, PageTableLevel::Two, flags) }
    }

    fn translate_page(&self, page: Page<S>) -> Result<PhysFrame<S>, TranslateError> {
        self.frame_of(page).map_err(|error| match Word::of(error) {
            Word::NotMapped => TranslateError::PageNotMapped,
            Word::OtherSize => TranslateError::ParentEntryHugePage,
            Word::Misaligned(address) => TranslateError::InvalidFrameAddress(address),
        })
    }
}

/// # Panics
/// If the method refuses to show the tables; [`ForeignSpace::clean`] says so instead.
impl<C: Cpu, M: Method<C>, D: TableDeeds> CleanUp for ForeignSpace<'_, C, M, D> {
    /// Frees the empty tables of the lower half. The upper half belongs to the kernel: its tables are those of
    /// all spaces, and slots in it lead to roots.
    ///
    /// # Safety
    /// As for [`ForeignSpace::clean`]; above all, no other CPU puts anything into the tables meanwhile.
    unsafe fn clean_up<F>(&mut self, frame_deallocator: &mut F)
    where
        F: FrameDeallocator<Size4KiB>,
    {
        // SAFETY: the caller's duty is the same.
        unsafe { self.clean_up_addr_range(super::clean_up::lower_half(), frame_deallocator) }
    }

    /// Frees the empty tables of a range. If it reaches into the upper half, no slot of a method and no table that
    /// other spaces share may lie in it; what leads to the root itself is skipped.
    ///
    /// # Safety
    /// As for [`ForeignSpace::clean`]; above all, no other CPU puts anything into the tables meanwhile.
    unsafe fn clean_up_addr_range<F>(
        &mut self,
        range: PageRangeInclusive,
        frame_deallocator: &mut F,
    ) where
        F: FrameDeallocator<Size4KiB>,
    {
        // SAFETY: the caller's duty is the same.
        let cleaned = unsafe { self.clean(range, frame_deallocator) };
        cleaned.unwrap_or_else(|stopped| refused(stopped.refusal));
    }
}

/// Entries of the level that maps the pages lead to no tables.
///
/// # Safety
/// As for [`ForeignSpace::set_table_flags`].
unsafe fn set_flags<S: PageLevel, C: Cpu, M: Method<C>, D>(
    space: &mut ForeignSpace<'_, C, M, D>,
    page: Page<S>,
    level: PageTableLevel,
    flags: PageTableFlags,
) -> Result<MapperFlushAll, FlagUpdateError> {
    if level <= S::LEVEL {
        return Err(FlagUpdateError::ParentEntryHugePage);
    }
    // SAFETY: the caller's duty is the same.
    let set = unsafe { space.set_table_flags(page.start_address(), level, flags) };
    set.map(|_| MapperFlushAll::new()).map_err(flag_error)
}

fn flag_error(error: EditError) -> FlagUpdateError {
    match Word::of(error) {
        Word::NotMapped => FlagUpdateError::PageNotMapped,
        Word::OtherSize => FlagUpdateError::ParentEntryHugePage,
        Word::Misaligned(_) => panic!("{error}"),
    }
}

/// What the traits' errors can say of a page.
enum Word {
    NotMapped,
    /// It is part of a large page; or it is no large page, for which the traits have no other word.
    OtherSize,
    Misaligned(PhysAddr),
}

impl Word {
    fn of(error: EditError) -> Self {
        match error {
            EditError::NoEntry(NoEntry::Absent(..)) => Self::NotMapped,
            EditError::NoEntry(NoEntry::Large(..)) | EditError::Table(..) => Self::OtherSize,
            EditError::Misaligned(name, entry) => {
                Self::Misaligned(pages::address(entry, name.level()))
            }
            EditError::NoEntry(NoEntry::Stopped(stopped)) => refused(stopped.refusal),
            other => panic!("{other}"),
        }
    }
}

fn refused(refusal: Refusal) -> ! {
    panic!("the method refused: {refusal:?}")
}
