//! A page-table entry of any level (SDM volume 3, section 5.5 "4-Level Paging and 5-Level
//! Paging", tables 5-15 to 5-20).

use x86_64::PhysAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

/// The 64 bits of an entry. Unlike `x86_64::structures::paging::page_table::PageTableEntry` it
/// is a value, not a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Entry(pub u64);

impl Entry {
    /// The entry of nothing: not present, all bits clear.
    pub const EMPTY: Self = Self(0);

    /// Bits 51:12, the frame of a present entry.
    pub const FRAME_BITS: u64 = 0x000f_ffff_ffff_f000;

    /// What the walker sets by itself, at any time: Accessed and Dirty (SDM volume 3, section 5.8 "Accessed and
    /// Dirty Flags").
    pub const TOUCHED: u64 = PageTableFlags::ACCESSED.union(PageTableFlags::DIRTY).bits();

    /// An entry that leads to a frame.
    #[inline]
    pub fn new(frame: PhysFrame, flags: PageTableFlags) -> Self {
        Self(frame.start_address().as_u64() | flags.bits())
    }

    /// The flags, those of a present entry if it is one.
    #[inline]
    pub const fn flags(self) -> PageTableFlags {
        PageTableFlags::from_bits_truncate(self.0)
    }

    /// The same entry as the walker leaves it in a table of this level, once it has used it for a write: with Accessed, and
    /// with Dirty if it maps a page writable. What is not present stays as it is.
    #[inline]
    #[must_use]
    pub const fn touched(self, level: PageTableLevel) -> Self {
        const WRITTEN: u64 = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).bits();
        let written = matches!(level, PageTableLevel::One) && self.0 & WRITTEN == WRITTEN;
        match (self.is_present(), written) {
            (false, _) => self,
            (true, false) => Self(self.0 | PageTableFlags::ACCESSED.bits()),
            (true, true) => Self(self.0 | Self::TOUCHED),
        }
    }

    /// Whether the walker uses it.
    #[inline]
    pub const fn is_present(self) -> bool {
        self.flags().contains(PageTableFlags::PRESENT)
    }

    /// Whether nothing is there. Some CPUs set Accessed and Dirty in entries that are not present, so these do not
    /// count.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 & !Self::TOUCHED == 0
    }

    /// Whether it is present and maps a large page, if it stands in a table of level two or three.
    #[inline]
    pub const fn is_large(self) -> bool {
        self.flags().contains(PageTableFlags::PRESENT.union(PageTableFlags::HUGE_PAGE))
    }

    /// The frame it leads to, if it is present.
    #[inline]
    pub fn frame(self) -> Option<PhysFrame> {
        self.is_present()
            .then(|| PhysFrame::containing_address(PhysAddr::new(self.0 & Self::FRAME_BITS)))
    }

    /// The table it leads to, if it is present, maps no large page, and stands in a table of level two or higher.
    #[inline]
    pub fn table(self) -> Option<PhysFrame> {
        let large = PageTableFlags::PRESENT.union(PageTableFlags::HUGE_PAGE).bits();
        (self.0 & large == PageTableFlags::PRESENT.bits())
            .then(|| PhysFrame::containing_address(PhysAddr::new(self.0 & Self::FRAME_BITS)))
    }
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Entry({:#018x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use x86_64::structures::paging::page_table::PageTableLevel;

    use super::Entry;

    #[test]
    fn what_is_present_is_touched_and_only_pages_become_dirty() {
        let (one, two) = (PageTableLevel::One, PageTableLevel::Two);
        assert_eq!(Entry(0x1003).touched(one), Entry(0x1063));
        assert_eq!(Entry(0x1001).touched(one), Entry(0x1021));
        assert_eq!(Entry(0x1003).touched(two), Entry(0x1023));
        assert_eq!(Entry(0x1002).touched(one), Entry(0x1002));
    }
}
