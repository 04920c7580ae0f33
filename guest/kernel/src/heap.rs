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

/// Bytes of the heap for contexts, spaces and histograms.
const FIXED_BYTES: u64 = 2 << 20;

/// Bytes for each page of a plan: lists of victims, and what the audit counts.
const BYTES_PER_PAGE: u64 = 64;

/// Bytes for what each CPU has of its own: operations, pages being evicted, PCIDs.
const BYTES_PER_CPU: u64 = 256 << 10;

/// Bytes of a heap that is large enough for plans with so many pages and CPUs.
pub fn bytes_for(pages: u32, cpus: u32) -> u64 {
    let of_pages = (u64::from(pages) * BYTES_PER_PAGE).next_multiple_of(4096);
    FIXED_BYTES + of_pages + u64::from(cpus) * BYTES_PER_CPU
}
