//! Windows: kernel pages that show one frame for a moment, so that frames can be zeroed, copied
//! and poisoned although physical memory is mapped nowhere.
//!
//! Invariant: a window's entry is not present whenever nobody looks through it, and its translation was
//! flushed when it was closed, so no freed frame stays reachable here. What it shows is changed by a store and an INVLPG.
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
    /// As for [`Opened::show`], while `look` runs.
    pub unsafe fn show<R>(
        &mut self,
        cpu: &impl Cpu,
        frame: PhysFrame,
        look: impl FnOnce(&mut Words) -> R,
    ) -> R {
        let mut opened = self.open(cpu);
        // SAFETY: the caller vouches for the frame.
        look(unsafe { opened.show(frame) })
    }

    /// Opens it, for one frame after the other.
    #[inline]
    pub fn open<'w, C: Cpu>(&'w mut self, cpu: &'w C) -> Opened<'w, C> {
        Opened { window: self, cpu }
    }

    /// Has it show a frame until it is to show nothing.
    ///
    /// # Safety
    /// As for [`Opened::show`], until then.
    #[inline]
    pub unsafe fn keep_showing(&mut self, cpu: &impl Cpu, frame: PhysFrame) -> *mut Words {
        self.set(Entry::new(frame, DATA));
        cpu.invlpg(self.page);
        self.page.as_mut_ptr()
    }

    /// Has it show nothing.
    #[inline]
    pub fn show_nothing(&mut self, cpu: &impl Cpu) {
        self.set(Entry::EMPTY);
        cpu.invlpg(self.page);
    }

    /// Only walkers read the entry besides, and they may do so at any time: a plain store is as good as an exchange. A
    /// window of the disk's may be used by one CPU after another; each flushes the page after it has changed the entry.
    #[inline(always)]
    fn set(&self, entry: Entry) {
        // SAFETY: the entry is the window's own.
        unsafe { self.entry.as_mut_ptr::<u64>().write_volatile(entry.0) };
    }
}

/// A window while somebody looks through it.
#[derive(Debug)]
pub struct Opened<'w, C: Cpu> {
    window: &'w mut Window,
    cpu: &'w C,
}

impl<C: Cpu> Opened<'_, C> {
    /// Looks at a frame, instead of the one before.
    ///
    /// # Safety
    /// The frame is memory, and while it is looked at nothing relies on what is done to it.
    #[inline]
    pub unsafe fn show(&mut self, frame: PhysFrame) -> &mut Words {
        // SAFETY: the page shows the frame then; the caller vouches for the frame.
        unsafe { &mut *self.window.keep_showing(self.cpu, frame) }
    }
}

impl<C: Cpu> Drop for Opened<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.window.show_nothing(self.cpu);
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
