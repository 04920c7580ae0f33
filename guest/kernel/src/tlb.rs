//! What the TLB of this CPU may still hold, and how it is made to forget.
//!
//! Invariants:
//! - A frame is freed only after [`Tlb::flush`] for every edit that took it away; the proof is
//!   `page_reclaim`'s, this file makes it true.
//! - Of the loaded space, each edited page is flushed by INVLPG, which also drops the
//!   paging-structure caches of the current PCID.
//! - Of a space that is not loaded, translations can survive under its PCID only. The edit is noted
//!   in `edited`; loading a space that was edited since it was last loaded writes CR3 with a flush. Several spaces may
//!   share a note, which costs a flush too many, never one too few.
//! - Without PCIDs every load of a root flushes, and nothing needs to be noted.
#![expect(unsafe_code, reason = "writes CR3")]

use alloc::boxed::Box;
use alloc::vec;

use foreign_access::{Action, Cpu, Operation};
use heapless::Vec;
use x86_64::VirtAddr;
use x86_64::instructions::tlb::Pcid;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

/// Pages that are flushed one by one; more, and the whole space is flushed.
const MOST_PAGES: usize = 64;

/// Notes about spaces that are not loaded, shared by spaces whose roots' frame numbers are equal
/// modulo this.
const NOTES: usize = 4096;

/// What a space remembers about its translations.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    pcid: Pcid,
    /// The time at which the space was last loaded; `None` before it was for the first time, when
    /// the PCID's former owner may have left something.
    loaded_at: Option<u64>,
}

impl Tag {
    /// For a space that was never loaded.
    pub fn new(pcid: Pcid) -> Self {
        Self { pcid, loaded_at: None }
    }
}

/// The TLB of this CPU.
#[derive(Debug)]
pub struct Tlb {
    has_pcids: bool,
    loaded: PhysFrame,
    pages: Vec<VirtAddr, MOST_PAGES>,
    whole: bool,
    /// Counts noted edits.
    time: u64,
    /// When a space with such a root was last edited while it was not loaded.
    edited: Box<[u64]>,
    /// Writes of CR3 so far.
    pub root_writes: u64,
}

impl Tlb {
    /// With this root loaded, under PCID 0.
    pub fn new(has_pcids: bool, loaded: PhysFrame) -> Self {
        let edited = vec![0; NOTES].into_boxed_slice();
        Self { has_pcids, loaded, pages: Vec::new(), whole: false, time: 1, edited, root_writes: 0 }
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
                self.time += 1;
                self.edited[note(operation.name.root)] = self.time;
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
        } else {
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
        assert!(
            self.pages.is_empty() && !self.whole,
            "what was noted is flushed before another root is loaded"
        );
        let stale = tag.loaded_at.is_none_or(|time| self.edited[note(root)] > time);
        // SAFETY: the caller's promise; bit 63 is set only if nothing of this PCID is stale.
        unsafe {
            match (self.has_pcids, stale) {
                (false, _) => Cr3::write(root, Cr3Flags::empty()),
                (true, true) => Cr3::write_pcid(root, tag.pcid),
                (true, false) => Cr3::write_pcid_no_flush(root, tag.pcid),
            }
        }
        self.loaded = root;
        self.root_writes += 1;
        tag.loaded_at = Some(self.time);
    }
}

fn note(root: PhysFrame) -> usize {
    (root.start_address().as_u64() >> 12) as usize % NOTES
}
