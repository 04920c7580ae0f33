//! The kernel's heap, for what is made and unmade with spaces. Nothing on the eviction path
//! allocates.
#![expect(unsafe_code, reason = "hands an area to the allocator")]

use talc::{TalcLock, source::Manual};
use x86_64::VirtAddr;

use crate::interrupts::MaskingLock;

#[global_allocator]
static HEAP: TalcLock<MaskingLock, Manual> = TalcLock::new(Manual);

/// Gives an area to the heap.
///
/// # Safety
/// The area is mapped, writable and used by nothing else, for ever.
pub unsafe fn claim(start: VirtAddr, bytes: u64) {
    // SAFETY: the caller's promise.
    let claimed = unsafe { HEAP.lock().claim(start.as_mut_ptr(), bytes as usize) };
    assert!(claimed.is_some(), "a heap of {bytes} bytes is too small to be one");
}

/// Bytes of the heap: contexts, spaces, histograms.
pub const BYTES: u64 = 2 << 20;
