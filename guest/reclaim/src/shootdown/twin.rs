//! Broken twins of the protocol, so that tests can show that they would find what is broken.
//!
//! Only builds with the feature `twins` have a choice; in all others `is_broken` is a constant, and nothing is left of it.

/// A mistake that is easily made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// Edits leave generations as they are.
    NothingIsRaised,
    /// No CPU is asked, not even the editor's own.
    NobodyIsAsked,
    /// Between announcing a root and reading its generation.
    LoaderHasNoFence,
    /// Between raising generations and looking who has announced what.
    EditorHasNoFence,
    /// A CPU that changes from one root to another is believed to use the other already.
    OldRootIsOverlooked,
    /// What a CPU has loaded is read before what it is about to load.
    OldRootIsReadFirst,
    /// That a root is used no more does not say that what was done under it is over.
    LoadedIsRelaxed,
    /// The generation up to which everything is flushed is read after the flush.
    ClockIsReadAfterTheFlush,
    /// Who forgets the pages of one editor is believed to have flushed another's edits too.
    OthersEditsCountAsMine,
    /// A CPU says that it has forgotten before it has.
    AcknowledgesFirst,
    /// An acknowledgement does not say that what was done before is over.
    AcknowledgementIsRelaxed,
    /// A CPU that waits for others does not answer those that wait for it.
    WaitsWithoutAnswering,
}

#[cfg(feature = "twins")]
std::thread_local! {
    static CHOSEN: core::cell::Cell<Option<Twin>> = const { core::cell::Cell::new(None) };
}

/// Chooses what is broken for this thread, from now on.
#[cfg(feature = "twins")]
pub fn choose(twin: Option<Twin>) {
    CHOSEN.set(twin);
}

/// Whether this is broken on purpose.
#[cfg(feature = "twins")]
pub(super) fn is_broken(twin: Twin) -> bool {
    CHOSEN.get() == Some(twin)
}

/// Nothing is.
#[cfg(not(feature = "twins"))]
#[inline(always)]
pub(super) const fn is_broken(_: Twin) -> bool {
    false
}
