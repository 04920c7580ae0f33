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

    /// The mistake that tests must find: made before the edits, and it does not speak of them.
    #[track_caller]
    pub fn too_early<M: Machine>(machine: &mut M) -> Option<Self> {
        if !cfg!(feature = "broken-flush-before-edit") {
            return None;
        }
        machine.flush();
        Some(Self(()))
    }

    /// For a space that no CPU has loaded, and whose entries are all empty: every CPU lets go of it.
    ///
    /// Its edits need no flush. Where loading another root flushes, nothing of the space is cached; with
    /// PCIDs something may be, but the PCID is flushed before another space is loaded under it
    /// ([`crate::shootdown::Identity`]). Both hold only because no page of a space is mapped global: neither a load of
    /// CR3 nor the flush of a PCID drops global translations, and they are used under every PCID. The entries made here
    /// never have Global (see `Rights::leaf`, which makes them all). What is left are slots that lead to its tables.
    #[track_caller]
    pub fn by_letting_go<M: Machine>(machine: &mut M) -> Self {
        machine.let_go();
        Self(())
    }

    /// For tables that no entry leads to any more, of spaces that may be loaded: every CPU forgets the way to
    /// them, its own by the flush of what was noted, and lets go of what a method keeps of them.
    #[track_caller]
    pub fn by_unlinking<M: Machine>(machine: &mut M) -> Self {
        machine.flush();
        machine.let_go();
        Self(())
    }

    /// For a frame whose record names no mapping, at the beginning of a step with all of [`crate::Memory`]. It rests on this:
    /// - whoever takes the record of a mapping away has a [`Flushed`] by the end of that step. There are two:
    ///   [`crate::evict()`] does it in its last step, for which it has made its own by a flush after the last edit;
    ///   [`crate::tear_down()`] is one step, and makes its own by letting go, also if it stops half-way.
    ///   ([`crate::evacuate()`] takes entries away for a while, and their records stay);
    /// - a mapping is recorded as soon as the entry is there, and the record goes only when the entry has, so that no
    ///   record means no entry: [`crate::audit()`] compares the two;
    /// - nobody else makes entries of the lower halves: [`Machine`] asks it of the kernel;
    /// - after [`crate::tear_down()`], what [`Flushed::by_letting_go`] says.
    ///
    /// A further function that takes mappings away must make a proof of its own before it returns, or this one is false.
    pub const fn before() -> Self {
        Self(())
    }

    /// For frames that no entry ever led to since they were allocated.
    pub const fn never_mapped() -> Self {
        Self(())
    }
}
