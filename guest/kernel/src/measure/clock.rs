//! The time-stamp counter, fenced.
#![expect(unsafe_code, reason = "RDTSC and LFENCE")]

use core::arch::x86_64::{_mm_lfence, _rdtsc};

/// The time-stamp counter between two fences, so that neither what comes before nor what comes
/// after is counted on the wrong side (SDM volume 2, "RDTSC").
#[inline]
pub fn now() -> u64 {
    // SAFETY: both instructions exist on every 64-bit CPU.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// What two readings right after each other differ by: the least of many.
pub fn cost() -> u64 {
    (0..1000).map(|_| now()).map(|first| now() - first).min().unwrap_or(0)
}
