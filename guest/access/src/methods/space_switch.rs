//! The other root is loaded into CR3, the edit is made through its own self slot, and ours is loaded
//! again.
//!
//! Meanwhile the kernel runs in a foreign space. All spaces share the kernel's half, so code and stack stay;
//! but whoever interrupted us and trusted CR3, or switched to another program, would leave us in the wrong
//! space. So interrupts are off from the first switch to the last. An NMI may come; its handler must not
//! touch the lower half.
//!
//! Without PCIDs each switch forgets everything that is cached. With them, foreign roots are loaded under one
//! PCID that is kept for visits and flushed at each, and ours comes back with all that was cached of it.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::entry::Entry;
use crate::fresh::Fresh;
use crate::lend::{self, Lend};
use crate::methods::self_slot::SelfSlot;
use crate::operation::{EntryName, Method, Operation, Stopped};

/// CR3 bit 63: keep what is cached for the PCID.
const NO_FLUSH: u64 = 1 << 63;

/// The other root in CR3.
#[derive(Clone, Copy, Debug)]
pub struct SpaceSwitch {
    own: SelfSlot,
    /// The PCID of visits, where PCIDs are in use.
    visits: Option<u16>,
}

impl SpaceSwitch {
    /// With the self slot at this index of every root; `visits` is a PCID that is kept for visits, or `None`
    /// where CR4.PCIDE is clear.
    ///
    /// # Safety
    /// - Every root holds its [`SpaceSwitch::self_entry`], and the same kernel half.
    /// - Entries that lead to tables are writable and their bits 7 and 8 are clear.
    /// - No space uses the PCID of visits.
    /// - CR4.LA57 and EFER.TCE are clear ([`Paging::check`]).
    pub unsafe fn new(self_slot: PageTableIndex, visits: Option<u16>) -> Self {
        Self { own: SelfSlot::new(self_slot), visits }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        self.own.entry(root)
    }
}

/// A journey from the home space and back.
struct Journey<'a, C> {
    cpu: &'a C,
    own: SelfSlot,
    visits: Option<u16>,
    home: u64,
    home_root: PhysFrame,
    here: PhysFrame,
    were_on: bool,
    fresh: Fresh,
}

impl<C: Cpu> Journey<'_, C> {
    /// What CR3 is set to for a root. Although each address is invalidated before it is used, the PCID of visits is
    /// flushed: until then the CPU may walk on its own account, through tables of a root that was visited before
    /// and that are tables no more.
    fn register(&self, root: PhysFrame) -> u64 {
        match self.visits {
            _ if root == self.home_root => self.home | self.visits.map_or(0, |_| NO_FLUSH),
            Some(pcid) => root.start_address().as_u64() | u64::from(pcid),
            None => root.start_address().as_u64(),
        }
    }

    /// Loads a root, unless it is loaded.
    #[inline(always)]
    #[track_caller]
    fn go(&mut self, root: PhysFrame) {
        if root != self.here {
            // SAFETY: every root has the kernel's half; interrupts are off.
            unsafe { self.cpu.set_root_register(self.register(root)) };
            (self.here, self.fresh) = (root, Fresh::NONE);
        }
    }
}

// SAFETY: the loaded root's own self slot shows its tables, and the page is invalidated first. The flush of a switch would
// not do: through the self slot an entry that maps a large global page is read as a global leaf, which a CPU may have
// cached before a table took its place, and which a write of CR3 leaves.
unsafe impl<C: Cpu> Lend for Journey<'_, C> {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        self.go(name.root());
        let address = self.own.address(name);
        self.fresh.make(self.cpu, address);
        address
    }

    #[inline]
    fn end(&mut self) {
        self.go(self.home_root);
        self.cpu.restore_interrupts(self.were_on);
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically; `end` loads the home root again and
// restores interrupts, however the batch went.
unsafe impl<C: Cpu> Method<C> for SpaceSwitch {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let were_on = cpu.mask_interrupts();
        let (home, home_root) = (cpu.root_register(), cpu.root());
        let mut journey = Journey {
            cpu,
            own: self.own,
            visits: self.visits,
            home,
            home_root,
            here: home_root,
            were_on,
            fresh: Fresh::NONE,
        };
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(&mut journey, cpu, operations) }
    }

    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.check()
    }
}
