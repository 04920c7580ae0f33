//! The time-stamp counter, fenced.
#![expect(unsafe_code, reason = "RDTSC and LFENCE")]

use core::arch::x86_64::{_mm_lfence, _rdtsc};

/// The time-stamp counter between two fences, so that neither what comes before nor what comes after is counted on the wrong
/// side (SDM volume 2, "RDTSC").
#[inline]
pub fn now() -> u64 {
    // SAFETY: both instructions exist on every 64-bit CPU, and Linux lets programs read the counter.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// Measures spans of ticks without what reading the clock takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    cost: u64,
}

impl Stopwatch {
    /// Measures its own cost: what two readings right after each other differ by, the least of many.
    pub fn new() -> Self {
        let cost = (0..1000).map(|_| now()).map(|first| now() - first).min().unwrap_or(0);
        Self { cost }
    }

    /// Ticks that work took, and what came of it.
    #[inline]
    pub fn time<T>(self, work: impl FnOnce() -> T) -> (u64, T) {
        let began = now();
        let outcome = work();
        let ticks = now() - began;
        (ticks.saturating_sub(self.cost), outcome)
    }
}
