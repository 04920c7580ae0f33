//! Recursive mapping: a root that maps itself shows its own tables, and a root put in a slot of
//! the loaded one shows the tables of another space.
//!
//! A walk of four levels that goes through the self slot once ends one level early: what it takes
//! for a page is the level-one table. Each further pass ends it one level earlier. With S the self
//! slot, F this CPU's foreign slot, `i4..i1` the indices of the page that an entry translates:
//!
//! | entry of level | own space | foreign space |
//! |---|---|---|
//! | 1 | (S, i4, i3, i2) + 8 i1 | (F, i4, i3, i2) + 8 i1 |
//! | 2 | (S, S, i4, i3) + 8 i2 | (F, S, i4, i3) + 8 i2 |
//! | 3 | (S, S, S, i4) + 8 i3 | (F, S, S, i4) + 8 i3 |
//! | 4 | (S, S, S, S) + 8 i4 | (F, S, S, S) + 8 i4 |
//!
//! The second to fourth S of a foreign address are the foreign root's own self slot, so every root
//! must have one ([`Recursive::self_entry`]). Four levels only: with CR4.LA57 set the addresses
//! mean something else.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PageTableIndex, PhysFrame};

use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::lend::{self, Lend};
use crate::operation::{EntryName, Method, Operation, Refusal, Stopped};

/// Bits of an address that one level translates.
const INDEX_BITS: u32 = 9;
/// Bits of a virtual address that are translated; above them the sign is repeated.
const ADDRESS_BITS: u32 = 48;
/// Where the index of level four stands.
const TOP_SHIFT: u32 = ADDRESS_BITS - INDEX_BITS;
/// What slots hold besides a root: never a user's, never executable.
const SLOT_FLAGS: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::NO_EXECUTE);

/// The self slot for the own space, a slot per CPU for foreign ones.
#[derive(Clone, Copy, Debug)]
pub struct Recursive {
    self_slot: PageTableIndex,
    foreign_slots: PageTableIndex,
}

impl Recursive {
    /// With the self slot at this index of every root, and the foreign slot of CPU `n` at
    /// `foreign_slots + n`.
    ///
    /// # Safety
    /// - Every root holds its [`Recursive::self_entry`].
    /// - The foreign slots of `cpus` CPUs are empty in a new root, and nothing else uses them.
    /// - Entries that lead to tables are writable and their bits 7 and 8 are clear: a walk through
    ///   a slot may read them as PAT and Global.
    /// - CR4.LA57 is clear.
    ///
    /// # Panics
    /// If a slot lies in the lower half, beyond the root, or the self slot among the foreign ones.
    pub unsafe fn new(self_slot: PageTableIndex, foreign_slots: PageTableIndex, cpus: u16) -> Self {
        let (own, first) = (u16::from(self_slot), u16::from(foreign_slots));
        let foreign = first..first + cpus;
        assert!(own >= 256 && first >= 256 && foreign.end <= 512, "slots lie in the upper half");
        assert!(!foreign.contains(&own), "the self slot is no foreign slot");
        Self { self_slot, foreign_slots }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        (self.self_slot, Entry::new(root, SLOT_FLAGS))
    }

    /// The page (S, S, S, S): the loaded root itself.
    fn own_pages(&self) -> u64 {
        let slot = u64::from(self.self_slot);
        let path = (0..4).fold(0, |path, _| path << INDEX_BITS | slot);
        VirtAddr::new_truncate(path << 12).as_u64()
    }

    fn lender<'a, C: Cpu>(&self, cpu: &'a C) -> Lender<'a, C> {
        let own = self.own_pages();
        let slot = u64::from(self.foreign_slots) + cpu.number() as u64;
        let below_top = own & ((1 << TOP_SHIFT) - 1);
        Lender {
            cpu,
            own_root: cpu.root(),
            own,
            foreign: VirtAddr::new_truncate(slot << TOP_SHIFT | below_top).as_u64(),
            slot: VirtAddr::new_truncate(own | (8 * slot)),
            lent_root: None,
            fresh_page: 0,
        }
    }
}

/// What is known while a batch is done: which root the foreign slot holds, which page was
/// invalidated.
struct Lender<'a, C> {
    cpu: &'a C,
    own_root: PhysFrame,
    /// The address (S, S, S, S).
    own: u64,
    /// The address (F, S, S, S).
    foreign: u64,
    /// Where this CPU's foreign slot is.
    slot: VirtAddr,
    /// The root that the slot holds, once it was looked at.
    lent_root: Option<PhysFrame>,
    /// The page that was invalidated last, if the slot still is what it was then.
    fresh_page: u64,
}

impl<C: Cpu> Lender<'_, C> {
    /// Makes the foreign slot hold a root; one entry write, none if it holds it already.
    fn lend_root(&mut self, root: PhysFrame) {
        if self.lent_root == Some(root) {
            return;
        }
        if self.slot_entry().frame() != Some(root) {
            self.set_slot(Entry::new(root, SLOT_FLAGS));
        }
        self.lent_root = Some(root);
        self.fresh_page = 0;
    }

    fn slot_entry(&self) -> Entry {
        // SAFETY: every root shows itself at (S, S, S, S), see `Recursive::new`.
        unsafe { self.cpu.load(self.slot) }
    }

    fn set_slot(&self, entry: Entry) {
        // SAFETY: as in `slot_entry`; only this CPU uses the slot.
        unsafe { self.cpu.exchange(self.slot, entry) };
    }

    /// Empties the foreign slot if what it leads to is unwanted. One INVLPG, of any address, drops
    /// what the paging-structure caches know of the slot; TLB entries of pages below it may
    /// stay, since none is used again without an INVLPG of its own.
    fn detach(&self, unwanted: impl FnOnce(PhysFrame) -> bool) {
        if self.slot_entry().frame().is_some_and(unwanted) {
            self.set_slot(Entry::EMPTY);
            self.cpu.invlpg(VirtAddr::new_truncate(self.foreign));
        }
    }
}

// SAFETY: the address is the one of the table above, and what this CPU knows of it is no older than
// this call or the one before that lent the same page. The invariant: an address is used only after
// an INVLPG of its page, which came after the last write to the slot and after the batch began.
// Before the batch any CPU may have changed the tables on the way; while it lasts they stay. INVLPG
// also drops what the paging-structure caches know, so the other levels of the walk are read anew.
unsafe impl<C: Cpu> Lend for Lender<'_, C> {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        let pages = if name.root == self.own_root {
            self.own
        } else {
            self.lend_root(name.root);
            self.foreign
        };
        let address = entry_address(pages, name.page, name.level);
        let page = address.as_u64() & !0xfff;
        if page != self.fresh_page {
            self.cpu.invlpg(address);
            self.fresh_page = page;
        }
        address
    }
}

/// The address of an entry below a slot: `pages` is (X, S, S, S), of which the upper `level`
/// indices stay; the others make room for those of `page`.
#[inline]
fn entry_address(pages: u64, page: VirtAddr, level: PageTableLevel) -> VirtAddr {
    let shift = INDEX_BITS * level as u32;
    let kept = !0 << (ADDRESS_BITS - shift);
    let unsigned = page.as_u64() << (64 - ADDRESS_BITS) >> (64 - ADDRESS_BITS);
    VirtAddr::new_truncate(pages & kept | unsigned >> shift & !7)
}

// SAFETY: the adapter does the operations in order, whole and atomically; the only other entry
// touched is this CPU's foreign slot, which is ours.
unsafe impl<C: Cpu> Method<C> for Recursive {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(&mut self.lender(cpu), cpu, operations) }
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        self.lender(cpu).detach(|root| root == table);
        Ok(())
    }

    fn detach(&mut self, cpu: &C) {
        self.lender(cpu).detach(|_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::{PageTableIndex, PageTableLevel, Recursive, VirtAddr, entry_address};

    const S: u64 = 510;
    const I: [u64; 4] = [3, 5, 7, 11];

    fn method(self_slot: u16) -> Recursive {
        // SAFETY: no CPU is given to it.
        unsafe { Recursive::new(PageTableIndex::new(self_slot), PageTableIndex::new(400), 8) }
    }

    fn address(path: [u64; 4], index: u64) -> VirtAddr {
        let [a, b, c, d] = path;
        VirtAddr::new_truncate(a << 39 | b << 30 | c << 21 | d << 12 | (8 * index))
    }

    #[test]
    fn addresses_are_those_of_the_table_in_the_module_text() {
        let [i4, i3, i2, i1] = I;
        let page = address(I, 0) + 0xabc;
        let method = method(510);
        let at = |level| entry_address(method.own_pages(), page, level);
        assert_eq!(at(PageTableLevel::One), address([S, i4, i3, i2], i1));
        assert_eq!(at(PageTableLevel::Two), address([S, S, i4, i3], i2));
        assert_eq!(at(PageTableLevel::Three), address([S, S, S, i4], i3));
        assert_eq!(at(PageTableLevel::Four), address([S, S, S, S], i4));
    }

    #[test]
    fn pages_of_the_upper_half_have_entries_too() {
        let method = method(510);
        let page = address([511, 511, 511, 511], 0);
        let found = entry_address(method.own_pages(), page, PageTableLevel::One);
        assert_eq!(found, address([S, 511, 511, 511], 511));
    }

    #[test]
    #[should_panic(expected = "the self slot is no foreign slot")]
    fn the_self_slot_must_not_be_lent() {
        method(407);
    }
}
