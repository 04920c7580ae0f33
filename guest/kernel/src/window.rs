//! Windows: kernel pages that show one frame for a moment, so that frames can be zeroed, copied
//! and poisoned although physical memory is mapped nowhere.
//!
//! Invariant: a window's entry is not present whenever nobody looks through it, and its translation was
//! flushed when it was closed; so opening needs no flush, and no freed frame stays reachable here.
#![expect(unsafe_code, reason = "opens windows on any frame")]

use foreign_access::{Cpu, Entry};
use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

use crate::early::WINDOW_TABLE_SLOT;

/// Words of a frame.
pub type Words = [u64; 512];

const DATA: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::NO_EXECUTE);

/// The window of one CPU, used with no preemption and never from an interrupt.
#[derive(Debug)]
pub struct Window {
    page: VirtAddr,
    entry: VirtAddr,
}

impl Window {
    /// Window `number` of those that begin at `base`.
    ///
    /// # Safety
    /// [`crate::early::KernelMap::windows`] made them, and no one else has this one.
    pub unsafe fn new(base: VirtAddr, number: u16) -> Self {
        assert!(number < WINDOW_TABLE_SLOT);
        let table = base + u64::from(WINDOW_TABLE_SLOT) * 4096;
        Self { page: base + u64::from(number) * 4096, entry: table + u64::from(number) * 8 }
    }

    /// Looks at a frame.
    ///
    /// # Safety
    /// The frame is memory, and while `look` runs nothing relies on what it does to it.
    pub unsafe fn show<R>(
        &mut self,
        cpu: &impl Cpu,
        frame: PhysFrame,
        look: impl FnOnce(&mut Words) -> R,
    ) -> R {
        // SAFETY: the entry is the window's own, and was not present.
        unsafe { cpu.exchange(self.entry, Entry::new(frame, DATA)) };
        // SAFETY: the page shows the frame now; the caller vouches for the frame.
        let answer = look(unsafe { &mut *self.page.as_mut_ptr() });
        // SAFETY: as above.
        unsafe { cpu.exchange(self.entry, Entry::EMPTY) };
        cpu.invlpg(self.page);
        answer
    }
}

/// Copies a frame's words by the instruction that needs the fewest steps where steps are counted,
/// and runs at full width on hardware with fast strings.
pub fn copy(from: *const Words, to: *mut Words) {
    // SAFETY: callers pass whole frames or slots of swap that are mapped.
    unsafe {
        core::arch::asm!("rep movsq", inout("rcx") 512 => _, inout("rsi") from => _,
                         inout("rdi") to => _, options(nostack, preserves_flags));
    }
}

/// Fills a frame with one word.
pub fn fill(frame: &mut Words, word: u64) {
    // SAFETY: the frame is 512 words long.
    unsafe {
        core::arch::asm!("rep stosq", inout("rcx") 512 => _, inout("rdi") frame.as_mut_ptr() => _,
                         in("rax") word, options(nostack, preserves_flags));
    }
}
