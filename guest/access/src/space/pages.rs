//! Which level maps pages of a size, and what an entry that maps one looks like.

use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{
    PageSize, PageTableFlags, PhysFrame, Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, align_down};

use super::EditError;
use crate::entry::Entry;
use crate::operation::EntryName;
use crate::walk::NoEntry;

/// PAT of a large page, the lowest bit of the address field (SDM volume 3, tables 5-16 and 5-18).
const LARGE_PAT: u64 = 1 << 12;

/// The sizes of pages, each mapped by entries of one level.
pub trait PageLevel: PageSize + sealed::Sealed {
    /// The level whose entries map such pages.
    const LEVEL: PageTableLevel;
}

impl PageLevel for Size4KiB {
    const LEVEL: PageTableLevel = PageTableLevel::One;
}

impl PageLevel for Size2MiB {
    const LEVEL: PageTableLevel = PageTableLevel::Two;
}

impl PageLevel for Size1GiB {
    const LEVEL: PageTableLevel = PageTableLevel::Three;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for x86_64::structures::paging::Size4KiB {}
    impl Sealed for x86_64::structures::paging::Size2MiB {}
    impl Sealed for x86_64::structures::paging::Size1GiB {}
}

/// The page-size bit, for sizes that need it.
pub const fn size_bit<S: PageLevel>() -> u64 {
    match S::LEVEL {
        PageTableLevel::One => 0,
        _ => PageTableFlags::HUGE_PAGE.bits(),
    }
}

/// An entry that maps a frame of this size.
pub fn mapping<S: PageLevel>(frame: PhysFrame<S>, flags: PageTableFlags) -> Entry {
    Entry(frame.start_address().as_u64() | flags.bits() | size_bit::<S>())
}

/// Whether an entry where a page of this size would be mapped is that of a page. One that is not present is not: what
/// it holds may be a swap entry, and its bits no address.
pub fn of_page<S: PageLevel>(name: EntryName, entry: Entry) -> Result<(), EditError> {
    if !entry.is_present() {
        return Err(NoEntry::Absent(name, entry).into());
    }
    let has_size = entry.0 & size_bit::<S>() == size_bit::<S>();
    if has_size { Ok(()) } else { Err(EditError::Table(name, entry)) }
}

/// The frame that an entry of a page of this size leads to.
pub fn frame<S: PageLevel>(name: EntryName, entry: Entry) -> Result<PhysFrame<S>, EditError> {
    of_page::<S>(name, entry)?;
    PhysFrame::from_start_address(address(entry, S::LEVEL))
        .map_err(|_| EditError::Misaligned(name, entry))
}

/// The address in an entry that maps a page.
#[inline]
pub fn address(entry: Entry, level: PageTableLevel) -> PhysAddr {
    let pat = if level == PageTableLevel::One { 0 } else { LARGE_PAT };
    PhysAddr::new_truncate(entry.0 & Entry::FRAME_BITS & !pat)
}

/// Whether an address is aligned to the pages that a level maps.
#[inline]
pub fn is_aligned(address: PhysAddr, bytes: u64) -> bool {
    align_down(address.as_u64(), bytes) == address.as_u64()
}
