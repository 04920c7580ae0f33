//! An array of pages in which each frame has its place, and some frames are shown.
//!
//! Invariant: a place is empty unless its frame is shown, and hiding flushes it on this CPU, so that a stray pointer into it
//! faults.
//!
//! Lending a place needs no INVLPG. It only ever shows its own frame, always with the same flags, and the tables above it
//! never change. So what another CPU or PCID has kept of it from the last time is what its entry says now, and while the
//! frame is not shown nobody is lent the place.
#![expect(unsafe_code, reason = "edits the array's own entries")]

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::methods::self_slot::SLOT_FLAGS;

/// The array.
#[derive(Clone, Copy, Debug)]
pub struct FrameArray {
    pages: VirtAddr,
    entries: VirtAddr,
}

impl FrameArray {
    /// With the place of physical address `p` at `pages + p`, and the entry of frame number `n` at `entries +
    /// 8 n`.
    ///
    /// # Safety
    /// In every space the entries are those of level one that map the pages, for all memory in which tables may
    /// lie; they are empty, and nothing else uses them.
    pub const unsafe fn new(pages: VirtAddr, entries: VirtAddr) -> Self {
        Self { pages, entries }
    }

    /// Shows a frame in its place.
    pub fn show(&self, cpu: &impl Cpu, frame: PhysFrame) {
        // SAFETY: the entry is the array's own, and empty before.
        unsafe { cpu.exchange(self.entry(frame), Entry::new(frame, SLOT_FLAGS)) };
    }

    /// Takes a frame away.
    pub fn hide(&self, cpu: &impl Cpu, frame: PhysFrame) {
        // SAFETY: the entry is the array's own.
        unsafe { cpu.exchange(self.entry(frame), Entry::EMPTY) };
        cpu.invlpg(self.address(frame.start_address().as_u64()));
    }

    /// Where a physical address appears, if its frame is shown.
    #[inline]
    pub fn address(&self, physical: u64) -> VirtAddr {
        VirtAddr::new_truncate(self.pages.as_u64() + physical)
    }

    fn entry(&self, frame: PhysFrame) -> VirtAddr {
        self.entries + (frame.start_address().as_u64() >> 12) * 8
    }
}
