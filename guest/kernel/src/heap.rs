//! The kernel's heap, for what is made and unmade with spaces. Nothing on the eviction path
//! allocates.
#![expect(unsafe_code, reason = "hands an area to the allocator")]

use loadphys_plan::command_line::Plan;
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

/// Bytes for each space: a record of it and the registers of its program, and as much again while lists grow.
const BYTES_PER_SPACE: u64 = 2 << 10;

/// Bytes of a heap that is large enough for a plan.
pub fn bytes_for(plan: &Plan) -> u64 {
    let spaces = plan.sharers.iter().copied().max().unwrap_or(1).max(plan.spaces);
    let of_pages = u64::from(plan.pages) * BYTES_PER_PAGE + u64::from(spaces) * BYTES_PER_SPACE;
    FIXED_BYTES + of_pages.next_multiple_of(4096) + u64::from(plan.cpus) * BYTES_PER_CPU
}
