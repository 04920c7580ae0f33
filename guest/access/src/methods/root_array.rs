//! The roots of all spaces are mapped in the kernel. An entry of a foreign root is reached there; lower ones through a slot of
//! our root that is given the entry of the foreign root, once that is known, and our self slot.
//!
//! With S the self slot, F this CPU's slot, `i4..i1` the indices of the page that an entry translates, and F holding
//! the foreign root's entry `i4`:
//!
//! | entry of level | address |
//! |---|---|
//! | 4 | in the array |
//! | 3 | (S, S, S, F) + 8 i3 |
//! | 2 | (S, S, F, i3) + 8 i2 |
//! | 1 | (S, F, i3, i2) + 8 i1 |
//!
//! That is how the own space is reached, with F in place of `i4`. The foreign root needs no self slot.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::entry::Entry;
use crate::fresh::Fresh;
use crate::lend::{self, Lend};
use crate::methods::frame_array::FrameArray;
use crate::methods::self_slot::{SLOT_FLAGS, SelfSlot, TOP_SHIFT};
use crate::operation::{EntryName, Method, Operation, Refusal, Stopped};

/// An array of roots, and a slot for the entry of one of them.
#[derive(Clone, Copy, Debug)]
pub struct RootArray {
    roots: FrameArray,
    own: SelfSlot,
    slots: PageTableIndex,
}

impl RootArray {
    /// With roots in this array, the self slot at this index of every root, and the slot of CPU `n` at `slots + n`.
    ///
    /// # Safety
    /// - Every root holds its [`RootArray::self_entry`]; the slots are empty in a new root, and nothing else uses
    ///   them.
    /// - Entries that lead to tables are writable and their bits 7 and 8 are clear.
    /// - CR4.LA57 and EFER.TCE are clear ([`Paging::check`]).
    pub unsafe fn new(roots: FrameArray, self_slot: PageTableIndex, slots: PageTableIndex) -> Self {
        Self { roots, own: SelfSlot::new(self_slot), slots }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        self.own.entry(root)
    }

    fn reach<'a, C: Cpu>(&self, cpu: &'a C) -> Reach<'a, C> {
        let slot = u64::from(self.slots) + cpu.number() as u64;
        Reach {
            cpu,
            roots: self.roots,
            own: self.own,
            own_root: cpu.root(),
            slot,
            entry: VirtAddr::new_truncate(self.own.pages() | (8 * slot)),
            lent: None,
            fresh: Fresh::NONE,
        }
    }
}

struct Reach<'a, C> {
    cpu: &'a C,
    roots: FrameArray,
    own: SelfSlot,
    own_root: PhysFrame,
    slot: u64,
    /// Where the slot is.
    entry: VirtAddr,
    /// Whose entry the slot holds: of this root, at this index.
    lent: Option<(PhysFrame, PageTableIndex)>,
    fresh: Fresh,
}

impl<C: Cpu> Reach<'_, C> {
    /// Gives the slot the entry of the foreign root that leads to the name's tables.
    fn lend_entry(&mut self, name: &EntryName) {
        let index = name.page().p4_index();
        let wanted = Some((name.root(), index));
        if self.lent != wanted {
            let root = self.roots.address(name.root().start_address().as_u64());
            // SAFETY: adopted roots are shown in the array; the slot is this CPU's own.
            unsafe {
                let upper = self.cpu.load(root + 8 * u64::from(index));
                let table = upper.frame().unwrap_or(name.root());
                self.cpu.exchange(self.entry, Entry::new(table, SLOT_FLAGS));
            }
            (self.lent, self.fresh) = (wanted, Fresh::NONE);
        }
    }

    /// Where an entry below a root appears, ours or the one whose entry the slot is given.
    fn below_root(&mut self, name: &EntryName) -> VirtAddr {
        if name.root() == self.own_root {
            return self.own.address(name);
        }
        self.lend_entry(name);
        let below = name.page().as_u64() & ((1 << TOP_SHIFT) - 1);
        let page = self.slot << TOP_SHIFT | below;
        self.own.address(&EntryName::at(name.physical(), name.root(), page, name.level()))
    }

    /// Empties the slot; says whether something was in it.
    fn empty(&self) -> bool {
        // SAFETY: every root shows itself at (S, S, S, S); the slot is this CPU's own.
        unsafe {
            let held = self.cpu.load(self.entry) != Entry::EMPTY;
            if held {
                self.cpu.exchange(self.entry, Entry::EMPTY);
            }
            held
        }
    }
}

// SAFETY: the address is one of the tables above. Roots in the array are never stale (see `frame_array`); what lies below a
// root is used only after an INVLPG of its page, which came after the last write to the slot and after the batch began.
unsafe impl<C: Cpu> Lend for Reach<'_, C> {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        if name.level() == PageTableLevel::Four {
            return self.roots.address(name.physical());
        }
        let address = self.below_root(name);
        self.fresh.make(self.cpu, address);
        address
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically; the only other entries touched are this CPU's
// slot and the array's.
unsafe impl<C: Cpu> Method<C> for RootArray {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(&mut self.reach(cpu), cpu, operations) }
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        if level == PageTableLevel::Four {
            self.roots.show(cpu, table);
        }
        Ok(())
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        // The INVLPG of hiding also drops what the paging-structure caches know of the slot.
        self.reach(cpu).empty();
        self.roots.hide(cpu, table);
        Ok(())
    }

    fn detach(&mut self, cpu: &C) {
        let reach = self.reach(cpu);
        if reach.empty() {
            // One INVLPG, of any address, drops what the paging-structure caches know of the slot.
            cpu.invlpg(VirtAddr::new_truncate(reach.slot << TOP_SHIFT));
        }
    }

    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.check()
    }
}
