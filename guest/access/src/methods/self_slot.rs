//! The slot in which a root leads to itself, and the addresses at which tables appear below it.
#![expect(unsafe_code, reason = "makes addresses that are canonical by construction")]

use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTableFlags, PageTableIndex, PhysFrame};

use crate::entry::Entry;
use crate::operation::EntryName;

/// Bits of an address that one level translates.
const INDEX_BITS: u32 = 9;
/// Bits of a virtual address that are translated; above them the sign is repeated.
pub const ADDRESS_BITS: u32 = 48;
/// The bits of a virtual address that are translated, and the offset.
const TRANSLATED: u64 = (1 << ADDRESS_BITS) - 1;
/// Where the index of level four stands.
pub const TOP_SHIFT: u32 = ADDRESS_BITS - INDEX_BITS;
/// What slots hold besides a root: never a user's, never executable.
pub const SLOT_FLAGS: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::NO_EXECUTE);

/// The self slot of every root.
#[derive(Clone, Copy, Debug)]
pub struct SelfSlot {
    slot: PageTableIndex,
    /// The page (S, S, S, S): the loaded root itself.
    pages: u64,
}

impl SelfSlot {
    /// At this index of every root.
    pub fn new(slot: PageTableIndex) -> Self {
        let path = (0..4).fold(0, |path, _| path << INDEX_BITS | u64::from(slot));
        Self { slot, pages: VirtAddr::new_truncate(path << 12).as_u64() }
    }

    /// What a root must hold, and at which index.
    pub fn entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        (self.slot, Entry::new(root, SLOT_FLAGS))
    }

    /// The page (S, S, S, S).
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// The address of an entry of the loaded space.
    #[inline]
    pub fn address(&self, name: &EntryName) -> VirtAddr {
        Below::new(self.pages).address(name)
    }
}

/// The addresses below a slot of the loaded root, where the tables of a space appear.
#[derive(Clone, Copy, Debug)]
pub struct Below {
    /// The page (X, S, S, S), X being the slot.
    pages: u64,
    /// What the addresses of entries of level one begin with: X. It is here since nearly all entries are.
    leaves: u64,
}

impl Below {
    /// Below the slot X, of which this is the page (X, S, S, S).
    pub const fn new(pages: u64) -> Self {
        Self { pages, leaves: pages & kept(INDEX_BITS) }
    }

    /// The page (X, S, S, S).
    pub const fn pages(self) -> VirtAddr {
        VirtAddr::new_truncate(self.pages)
    }

    /// The address of an entry: of (X, S, S, S) the upper `level` indices stay; the others make room for those of the
    /// name's page.
    #[inline(always)]
    pub fn address(self, name: &EntryName) -> VirtAddr {
        let address = match name.level_number() {
            // With a constant the shift costs nothing.
            1 => self.leaves | moved(name.page(), INDEX_BITS),
            level => self.pages & kept(INDEX_BITS * level) | moved(name.page(), INDEX_BITS * level),
        };
        // SAFETY: the bits that are kept include the sign of `pages`, which is canonical.
        unsafe { VirtAddr::new_unsafe(address) }
    }
}

/// The bits of an address that stay where so many below the sign make room.
const fn kept(shift: u32) -> u64 {
    ((-1_i64 << ADDRESS_BITS) >> shift) as u64
}

/// What of the address of a page takes their place.
#[inline(always)]
fn moved(page: VirtAddr, shift: u32) -> u64 {
    (page.as_u64() & TRANSLATED) >> shift & !7
}

#[cfg(test)]
mod tests {
    use x86_64::PhysAddr;
    use x86_64::structures::paging::page_table::PageTableLevel;

    use super::{EntryName, PageTableIndex, PhysFrame, SelfSlot, VirtAddr};

    const S: u64 = 510;
    const I: [u64; 4] = [3, 5, 7, 11];

    fn address(path: [u64; 4], index: u64) -> VirtAddr {
        let [a, b, c, d] = path;
        VirtAddr::new_truncate(a << 39 | b << 30 | c << 21 | d << 12 | (8 * index))
    }

    #[test]
    fn addresses_are_those_of_the_table_of_recursive_mapping() {
        let [i4, i3, i2, i1] = I;
        let page = address(I, 0) + 0xabc;
        let slot = SelfSlot::new(PageTableIndex::new(S as u16));
        let root = PhysFrame::containing_address(PhysAddr::zero());
        let at = |level| slot.address(&EntryName::new(root, root, page, level));
        assert_eq!(at(PageTableLevel::One), address([S, i4, i3, i2], i1));
        assert_eq!(at(PageTableLevel::Two), address([S, S, i4, i3], i2));
        assert_eq!(at(PageTableLevel::Three), address([S, S, S, i4], i3));
        assert_eq!(at(PageTableLevel::Four), address([S, S, S, S], i4));
    }

    #[test]
    fn pages_of_the_upper_half_have_entries_too() {
        let slot = SelfSlot::new(PageTableIndex::new(S as u16));
        let root = PhysFrame::containing_address(PhysAddr::zero());
        let name = EntryName::new(root, root, address([511; 4], 0), PageTableLevel::One);
        let found = slot.address(&name);
        assert_eq!(found, address([S, 511, 511, 511], 511));
    }
}
