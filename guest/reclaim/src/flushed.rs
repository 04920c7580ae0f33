//! The proof that a frame may be freed.

use crate::machine::Machine;

/// Nobody can reach the frames in question through a TLB any more. Only who holds one can free
/// frames. It speaks of the edits that were noted before it was made, so it lives no longer than
/// the function that made it.
#[must_use = "frames can be freed now"]
#[derive(Debug)]
pub struct Flushed(());

impl Flushed {
    /// Flushes what was noted, and waits until every CPU has.
    #[track_caller]
    pub fn by<M: Machine>(machine: &mut M) -> Self {
        if !cfg!(feature = "broken-skip-flush") {
            machine.flush();
        }
        Self(())
    }

    /// For a space that no CPU has loaded, and whose entries are all empty: every CPU lets go of it.
    ///
    /// Its edits need no flush. Where loading another root flushes, nothing of the space is cached; with
    /// PCIDs something may be, but the PCID is flushed before another space is loaded under it
    /// ([`crate::stale::Tag::new`]). What is left are slots that lead to its tables.
    #[track_caller]
    pub fn by_letting_go<M: Machine>(machine: &mut M) -> Self {
        machine.let_go();
        Self(())
    }

    /// For frames whose last mapping went in a call of this crate that has returned: [`crate::evict()`] has flushed
    /// by then, [`crate::tear_down()`] has let go, and nothing else takes mappings away.
    pub const fn before() -> Self {
        Self(())
    }

    /// For frames that no entry ever led to since they were allocated.
    pub const fn never_mapped() -> Self {
        Self(())
    }
}
