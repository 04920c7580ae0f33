//! The memory behind the image, from which everything is taken whose size depends on the machine.
#![expect(unsafe_code, reason = "makes slices of memory that nobody else has")]

use core::mem::MaybeUninit;
use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicU8, AtomicU64};

use loadphys_abi::FRAME_BYTES;
use loadphys_rules::typed::Frame;

use crate::counts::Counts;
use crate::image::Stacks;
use crate::svm::vmcb::Vmcb;
use crate::tree::Table;

/// What all zeroes are a value of, and what begins at a frame's start without harm.
///
/// # Safety
/// All zeroes must be a valid value, and the alignment must not exceed that of a frame.
pub unsafe trait Zeroable: 'static {}

// SAFETY: plain numbers.
unsafe impl Zeroable for u8 {}
// SAFETY: atomics have the layout of plain numbers.
unsafe impl Zeroable for AtomicU8 {}
// SAFETY: as above.
unsafe impl Zeroable for AtomicU64 {}
// SAFETY: zeroes are a frame that is not the guest's, and that is what it is for.
unsafe impl Zeroable for Frame {}
// SAFETY: anything is a value of it; `take` looks at the alignment.
unsafe impl<T: 'static> Zeroable for MaybeUninit<T> {}
// SAFETY: numbers.
unsafe impl Zeroable for Counts {}
// SAFETY: numbers.
unsafe impl Zeroable for Vmcb {}
// SAFETY: arrays of bytes, aligned to a frame.
unsafe impl Zeroable for Stacks {}
// SAFETY: an array of numbers, aligned to a frame.
unsafe impl Zeroable for Table {}

/// A range of memory that is handed out from its start.
#[derive(Debug)]
pub struct Pool {
    left: Range<u64>,
}

impl Pool {
    /// # Safety
    /// The range is memory, mapped writable at its own addresses, and nobody uses it, now or later.
    pub const unsafe fn new(range: Range<u64>) -> Self {
        Self { left: range }
    }

    /// Takes room for one.
    pub fn take_one<T>(&mut self) -> Option<&'static mut MaybeUninit<T>> {
        self.take::<MaybeUninit<T>>(1)?.first_mut()
    }

    /// Takes a zeroed array that begins at a frame; `None` if there is no room for it.
    pub fn take<T: Zeroable>(&mut self, count: usize) -> Option<&'static mut [T]> {
        const { assert!(align_of::<T>() <= FRAME_BYTES as usize) };
        let start = self.left.start.next_multiple_of(FRAME_BYTES);
        let end = start + (count * size_of::<T>()) as u64;
        if end > self.left.end {
            return None;
        }
        self.left.start = end;
        let first = start as *mut T;
        // SAFETY: the range is ours alone (promised at `new`), what was taken is never taken again, it is
        // aligned, and zeroes are a value of T.
        unsafe {
            first.write_bytes(0, count);
            Some(slice::from_raw_parts_mut(first, count))
        }
    }
}
