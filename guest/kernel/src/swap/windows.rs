//! Windows on the pages of requests that are under way, which devices reach by physical address and
//! the kernel through these.
#![expect(unsafe_code, reason = "opens windows on frames")]

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

use foreign_access::Cpu;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::layout::MOST_CPUS;
use crate::window::{Window, Words};

/// Pages that can be shown at once.
pub const WINDOWS: usize = 64;

/// The first window; those before are the CPUs'.
const FIRST: u16 = 256;

const _: () = assert!(MOST_CPUS <= FIRST && FIRST as usize + WINDOWS <= 511);

/// The frame that each window shows; 0 is none.
static SHOWN: [AtomicU64; WINDOWS] = [const { AtomicU64::new(0) }; WINDOWS];

/// A page that a device is to move.
#[derive(Clone, Copy, Debug)]
pub struct SwapPage {
    /// Where it is in memory.
    pub frame: PhysFrame,
    /// Where the kernel sees it.
    pub at: *mut Words,
}

/// The windows, used by whoever has the disk.
#[derive(Debug)]
pub struct PageWindows {
    windows: Box<[Window]>,
}

// SAFETY: pages are shown by whoever has the windows exclusively.
unsafe impl Send for SwapPage {}

impl PageWindows {
    /// Those of the kernel's windows that are kept for disks.
    ///
    /// # Safety
    /// As for [`Window::new`]; this is called once for a base.
    pub unsafe fn new(base: VirtAddr) -> Self {
        // SAFETY: the caller's promise.
        let window = |number| unsafe { Window::new(base, FIRST + number as u16) };
        Self { windows: (0..WINDOWS).map(window).collect() }
    }

    /// Has a window show a frame until it is hidden.
    ///
    /// # Safety
    /// As for [`Window::show`], until [`PageWindows::hide`].
    pub unsafe fn show(&mut self, cpu: &impl Cpu, number: usize, frame: PhysFrame) -> SwapPage {
        // SAFETY: the caller's promise.
        let at = unsafe { self.windows[number].keep_showing(cpu, frame) };
        SHOWN[number].store(frame.start_address().as_u64(), Ordering::Relaxed);
        SwapPage { frame, at }
    }

    /// Has a window show nothing.
    pub fn hide(&mut self, cpu: &impl Cpu, number: usize) {
        SHOWN[number].store(0, Ordering::Relaxed);
        self.windows[number].show_nothing(cpu);
    }
}

/// The physical address of what is seen at an address, if a window shows it.
pub fn physical(base: VirtAddr, seen: VirtAddr) -> Option<u64> {
    let first = base + u64::from(FIRST) * 4096;
    let number = seen.as_u64().checked_sub(first.as_u64())? / 4096;
    let frame = SHOWN.get(number as usize)?.load(Ordering::Relaxed);
    (frame != 0).then(|| frame + u64::from(seen.page_offset()))
}
