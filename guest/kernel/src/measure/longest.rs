//! The longest of the stretches that something took, while events are counted; in rounds that are timed it costs
//! a look at a flag.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::clock;

/// Whether events are counted.
static COUNTING: AtomicBool = AtomicBool::new(false);

/// From now on stretches are measured, or are not.
pub fn count(on: bool) {
    COUNTING.store(on, Ordering::Relaxed);
}

/// The longest stretch of one kind, in ticks.
pub struct Longest {
    began: AtomicU64,
    longest: AtomicU64,
}

impl Longest {
    /// None was measured.
    pub const fn new() -> Self {
        Self { began: AtomicU64::new(0), longest: AtomicU64::new(0) }
    }

    /// A stretch begins.
    #[inline]
    pub fn begin(&self) {
        if COUNTING.load(Ordering::Relaxed) {
            self.began.store(clock::now(), Ordering::Relaxed);
        }
    }

    /// The stretch is over.
    #[inline]
    pub fn end(&self) {
        if COUNTING.load(Ordering::Relaxed) {
            let ticks = clock::now() - self.began.load(Ordering::Relaxed);
            self.longest.fetch_max(ticks, Ordering::Relaxed);
        }
    }

    /// The longest since this was last asked.
    pub fn take(&self) -> u64 {
        self.longest.swap(0, Ordering::Relaxed)
    }
}
