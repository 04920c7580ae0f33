//! Frames for what stays for ever, taken downwards from the top of the largest usable range.
#![expect(unsafe_code, reason = "hands out and zeroes memory through the identity map")]

use core::fmt;

use loadphys_boot::IDENTITY_BYTES;
use loadphys_boot::handoff::{Handoff, Region};
use x86_64::PhysAddr;
use x86_64::structures::paging::{FrameAllocator, PhysFrame, Size4KiB};

/// Bytes in a frame.
const FRAME: u64 = 4096;

/// Below this firmware may still have its data.
const LOW_MEMORY: u64 = 1 << 20;

/// Takes frames; they are zeroed.
pub struct EarlyFrames {
    bottom: u64,
    top: u64,
    taken: Region,
}

/// There is not enough memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct TooLittle {
    wanted: u64,
    left: u64,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wanted, left) = (self.wanted >> 10, self.left >> 10);
        write!(
            f,
            "memory too small: {wanted} KiB more are needed for the kernel, {left} KiB are left"
        )
    }
}

impl EarlyFrames {
    /// Takes from the largest usable range that the identity map covers, above the image.
    pub fn new(handoff: &Handoff, image_end: u64) -> Self {
        let bottom = image_end.max(LOW_MEMORY);
        let cut = |r: Region| (r.start.max(bottom), r.end.min(IDENTITY_BYTES));
        let ranges = handoff.usable().map(cut).filter(|(start, end)| start < end);
        let (bottom, top) = ranges.max_by_key(|(start, end)| end - start).unwrap_or((0, 0));
        Self { bottom, top, taken: Region { start: top, end: top, usable: false } }
    }

    /// What has been taken.
    pub fn taken(&self) -> Region {
        Region { start: self.top, ..self.taken }
    }

    /// Takes frames that lie side by side, for so many bytes.
    ///
    /// # Errors
    /// [`TooLittle`].
    pub fn take(&mut self, bytes: u64) -> Result<PhysAddr, TooLittle> {
        let bytes = bytes.next_multiple_of(FRAME);
        let left = self.top - self.bottom;
        if bytes > left {
            return Err(TooLittle { wanted: bytes, left });
        }
        self.top -= bytes;
        // SAFETY: usable memory above the image, mapped at itself, and taken only once.
        unsafe { core::ptr::write_bytes(self.top as *mut u8, 0, bytes as usize) };
        Ok(PhysAddr::new(self.top))
    }
}

// SAFETY: each frame is handed out once.
unsafe impl FrameAllocator<Size4KiB> for EarlyFrames {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.take(FRAME).ok().map(PhysFrame::containing_address)
    }
}
