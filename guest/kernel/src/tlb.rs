//! What the TLB of this CPU may still hold, and how it is made to forget.
//!
//! Invariants:
//! - A frame is freed only after [`Tlb::flush`] for every edit that took it away; the proof is
//!   `page_reclaim`'s, this file makes it true. The end of a space is no such edit: it is not loaded, and the next
//!   space under its PCID has a new tag, which makes its first load flush.
//! - Of the loaded space, each edited page is flushed by INVLPG, which also drops the
//!   paging-structure caches of the current PCID.
//! - Of a space that is not loaded, translations can survive under its PCID only. The edit is noted, and loading the
//!   space next writes CR3 with a flush ([`page_reclaim::stale`], which is tested on a model).
//! - Without PCIDs every load of a root flushes, and nothing needs to be noted.
#![expect(unsafe_code, reason = "writes CR3")]

use alloc::boxed::Box;
use alloc::vec;

use foreign_access::{Action, Cpu, Operation};
use heapless::Vec;
use page_reclaim::stale::{Notes, Tag};
use x86_64::VirtAddr;
use x86_64::instructions::tlb::Pcid;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

/// Pages that are flushed one by one; more, and the whole space is flushed.
pub const MOST_PAGES: usize = 64;

/// Notes about spaces that are not loaded.
const NOTES: usize = 4096;

/// The TLB of this CPU.
#[derive(Debug)]
pub struct Tlb {
    has_pcids: bool,
    loaded: PhysFrame,
    pages: Vec<VirtAddr, MOST_PAGES>,
    whole: bool,
    notes: Notes<Box<[u64]>>,
    /// Writes of CR3 so far.
    pub root_writes: u64,
}

impl Tlb {
    /// With this root loaded, under PCID 0.
    pub fn new(has_pcids: bool, loaded: PhysFrame) -> Self {
        let notes = Notes::new(vec![0; NOTES].into_boxed_slice());
        Self { has_pcids, loaded, pages: Vec::new(), whole: false, notes, root_writes: 0 }
    }

    /// The loaded root.
    pub fn loaded(&self) -> PhysFrame {
        self.loaded
    }

    /// Notes what operations have made stale.
    #[inline]
    pub fn edited(&mut self, operations: &[Operation]) {
        for operation in operations {
            if operation.action == Action::Load {
                continue;
            }
            if operation.name.root == self.loaded {
                self.whole |= self.pages.push(operation.name.page).is_err();
            } else if self.has_pcids {
                self.notes.edited(operation.name.root);
            }
        }
    }

    /// Forgets what was noted. There is one CPU, so this is all of the shootdown.
    #[inline]
    pub fn flush(&mut self, cpu: &impl Cpu) {
        if core::mem::take(&mut self.whole) {
            let (root, value) = Cr3::read_raw();
            // SAFETY: the same root and PCID again; bit 63 is clear, so the PCID is flushed.
            unsafe { Cr3::write_raw(root, value) };
            self.root_writes += 1;
        } else if cfg!(not(feature = "broken-tlb-flush")) {
            self.pages.iter().for_each(|page| cpu.invlpg(*page));
        }
        self.pages.clear();
    }

    /// Loads a space.
    ///
    /// # Safety
    /// Its root has the kernel's upper half.
    pub unsafe fn load(&mut self, root: PhysFrame, tag: &mut Tag) {
        if root == self.loaded {
            return;
        }
        // Left until now they would be flushed under another PCID, or never.
        let pending = self.whole || !self.pages.is_empty();
        assert!(!pending, "stale translations are flushed before another root is loaded");
        let stale = self.notes.must_flush(root, tag);
        let pcid = Pcid::new(tag.pcid()).expect("tags have PCIDs");
        // SAFETY: the caller's promise; bit 63 is set only if nothing of this PCID is stale.
        unsafe {
            match (self.has_pcids, stale) {
                (false, _) => Cr3::write(root, Cr3Flags::empty()),
                (true, true) => Cr3::write_pcid(root, pcid),
                (true, false) => Cr3::write_pcid_no_flush(root, pcid),
            }
        }
        self.loaded = root;
        self.root_writes += 1;
        self.notes.loaded(tag);
    }
}
