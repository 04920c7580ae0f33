//! The proof that a frame may be freed.

use crate::machine::Machine;

/// Nobody can reach the frames in question through a TLB any more. Only who holds one can free
/// frames. It speaks of the edits that were noted before it was made, so it lives no longer than
/// the function that made it.
#[must_use = "frames can be freed now"]
#[derive(Debug)]
pub struct Flushed(());

impl Flushed {
    /// Flushes, and waits until every CPU has.
    pub fn by<M: Machine>(machine: &mut M) -> Self {
        if !cfg!(feature = "broken-skip-flush") {
            machine.flush();
        }
        Self(())
    }

    /// For frames that no entry ever led to since they were allocated.
    pub const fn never_mapped() -> Self {
        Self(())
    }
}
