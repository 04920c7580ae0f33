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
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::entry::Entry;
use crate::fresh::Fresh;
use crate::lend::{self, Lend};
use crate::methods::self_slot::{Below, SLOT_FLAGS, SelfSlot, TOP_SHIFT};
use crate::operation::{EntryName, Method, Operation, Refusal, Stopped};

/// The self slot for the own space, a slot per CPU for foreign ones.
#[derive(Clone, Copy, Debug)]
pub struct Recursive {
    own: SelfSlot,
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
    /// - CR4.LA57 and EFER.TCE are clear ([`Paging::check`]).
    ///
    /// # Panics
    /// If a slot lies in the lower half, beyond the root, or the self slot among the foreign ones.
    pub unsafe fn new(self_slot: PageTableIndex, foreign_slots: PageTableIndex, cpus: u16) -> Self {
        let (own, first) = (u16::from(self_slot), u16::from(foreign_slots));
        let foreign = first..first + cpus;
        assert!(own >= 256 && first >= 256 && foreign.end <= 512, "slots lie in the upper half");
        assert!(!foreign.contains(&own), "the self slot is no foreign slot");
        Self { own: SelfSlot::new(self_slot), foreign_slots }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        self.own.entry(root)
    }

    #[inline]
    fn lender<'a, C: Cpu>(&self, cpu: &'a C) -> Lender<'a, C> {
        let (own, own_root) = (self.own.pages(), cpu.root());
        let slot = u64::from(self.foreign_slots) + cpu.number() as u64;
        let below_top = own & ((1 << TOP_SHIFT) - 1);
        Lender {
            cpu,
            own_root,
            own: Below::new(own),
            foreign: Below::new(VirtAddr::new_truncate(slot << TOP_SHIFT | below_top).as_u64()),
            slot: VirtAddr::new_truncate(own | (8 * slot)),
            lent_root: own_root,
            shown_root: own_root,
            shown: Below::new(own),
            fresh: Fresh::NONE,
        }
    }
}

/// What is known while a batch is done: which root the foreign slot holds, which page was
/// invalidated.
struct Lender<'a, C> {
    cpu: &'a C,
    own_root: PhysFrame,
    own: Below,
    foreign: Below,
    /// Where this CPU's foreign slot is.
    slot: VirtAddr,
    /// The root that the slot holds, once it was looked at; before that the own root, which is
    /// never lent.
    lent_root: PhysFrame,
    /// The root whose tables the last name was about.
    shown_root: PhysFrame,
    /// Where they are.
    shown: Below,
    /// The page that was invalidated last, if the slot still is what it was then.
    fresh: Fresh,
}

impl<C: Cpu> Lender<'_, C> {
    /// Turns to the tables of another root.
    #[inline(always)]
    fn show(&mut self, root: PhysFrame) {
        self.shown_root = root;
        self.shown = self.own;
        if root != self.own_root {
            if root != self.lent_root {
                self.lend_root(root);
            }
            self.shown = self.foreign;
        }
    }

    /// Makes the foreign slot hold a root that it is not known to hold; one entry write, none if it
    /// holds it already. Only the first root of a batch can be there: after that it is known.
    #[inline(always)]
    fn lend_root(&mut self, root: PhysFrame) {
        let unknown = self.lent_root == self.own_root;
        if !unknown || self.slot_entry().frame() != Some(root) {
            self.set_slot(Entry::new(root, SLOT_FLAGS));
        }
        self.lent_root = root;
        self.fresh = Fresh::NONE;
    }

    #[inline]
    fn slot_entry(&self) -> Entry {
        // SAFETY: every root shows itself at (S, S, S, S), see `Recursive::new`.
        unsafe { self.cpu.load(self.slot) }
    }

    #[inline]
    fn set_slot(&self, entry: Entry) {
        // SAFETY: as in `slot_entry`; only this CPU uses the slot.
        unsafe { self.cpu.exchange(self.slot, entry) };
    }

    /// Empties the foreign slot. One INVLPG, of any address, drops
    /// what the paging-structure caches know of the slot; TLB entries of pages below it may
    /// stay, since none is used again without an INVLPG of its own.
    #[track_caller]
    fn detach(&self) {
        if self.slot_entry() != Entry::EMPTY {
            self.set_slot(Entry::EMPTY);
            self.cpu.invlpg(self.foreign.pages());
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
        if name.root() != self.shown_root {
            self.show(name.root());
        }
        let address = self.shown.address(name);
        self.fresh.make(self.cpu, address);
        address
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically; the only other entry
// touched is this CPU's foreign slot, which is ours.
unsafe impl<C: Cpu> Method<C> for Recursive {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(&mut self.lender(cpu), cpu, operations) }
    }

    fn release(&mut self, cpu: &C, _: PhysFrame) -> Result<(), Refusal> {
        // Whatever the slot leads to: the table may lie below it, and what the paging-structure
        // caches know of it must be gone before its frame is used for something else.
        self.lender(cpu).detach();
        Ok(())
    }

    fn detach(&mut self, cpu: &C) {
        self.lender(cpu).detach();
    }

    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.check()
    }
}

#[cfg(test)]
mod tests {
    use super::{PageTableIndex, Recursive};

    #[test]
    #[should_panic(expected = "the self slot is no foreign slot")]
    fn the_self_slot_must_not_be_lent() {
        // SAFETY: no CPU is given to it.
        unsafe { Recursive::new(PageTableIndex::new(407), PageTableIndex::new(400), 8) };
    }
}
