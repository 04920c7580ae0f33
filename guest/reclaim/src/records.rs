//! Who holds the records.

use crate::Memory;

/// The records, behind whatever keeps several CPUs apart. What is done with them is done in steps, and
/// between two steps others may do theirs.
pub trait Records {
    /// Does one step with the records. Nobody else touches them meanwhile, so a step of an eviction must be short: it
    /// waits for nothing, neither for a device nor for another CPU. (A fault is one step, with the read of its page in it:
    /// see [`crate::bring_in()`].)
    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<'_>) -> R) -> R;

    /// Does one step that changes nothing. Others may look at the same time, so such steps do not wait for each other.
    fn look<R>(&mut self, work: impl FnOnce(&Memory<'_>) -> R) -> R;
}

/// Whoever holds them exclusively needs no lock.
impl Records for Memory<'_> {
    #[inline]
    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<'_>) -> R) -> R {
        work(self)
    }

    #[inline]
    fn look<R>(&mut self, work: impl FnOnce(&Memory<'_>) -> R) -> R {
        work(self)
    }
}
