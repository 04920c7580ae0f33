//! Broken twins of the typed rules, so that tests can show that they would find what is broken.
//!
//! Only builds with the feature `twins` have a choice; in all others `is_broken` is a constant, and nothing is left of it.

/// A check that is easily forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// An entry may map a table writable.
    TablesAreWritable,
    /// An entry may map memory that is not the guest's.
    OutsideIsMapped,
    /// An entry may map a large page, over whatever lies there.
    LargePagesAreMapped,
    /// An entry may lead to a table of any level.
    AnyLevelIsBelow,
    /// Ring 3 may use what an open table maps.
    OpenIsForUsers,
    /// An entry may lead to a frame that is only becoming a table.
    BecomingIsLinked,
    /// An entry that is not present may name memory.
    MemoryIsNamed,
    /// What an entry led to is believed to be used still, when it is overwritten.
    OldStaysCounted,
    /// What an entry will lead to is not counted.
    NewIsNotCounted,
    /// What a compare-exchange did not store stays counted.
    UnstoredStaysCounted,
    /// What a page mapped stays counted when it is unmapped.
    UnmappedStaysCounted,
    /// A frame becomes a table while entries map it writable.
    MappedBecomesTable,
    /// A frame becomes an open table while entries map it writable.
    MappedBecomesOpen,
    /// A table becomes plain while entries lead to it.
    LinkedBecomesPlain,
    /// What lies in a new table is not looked at.
    ContentIsTrusted,
    /// What was counted for a new table stays so when it is refused.
    RefusedStaysCounted,
    /// What the entries of a table lead to stays counted when it is released.
    ReleasedStaysCounted,
    /// A frame that is no root any more is walked from.
    DeadRootsAreWalked,
    /// A page is unmapped whatever frame it maps.
    ExpectationIsForgotten,
    /// Where an array ends is computed without a look at what does not fit 64 bits.
    ArraysWrap,
    /// Memory that is no table has entries too.
    EverythingHasEntries,
    /// A batch goes on behind an item that was refused.
    BatchesGoOn,
}

#[cfg(feature = "twins")]
impl Twin {
    /// Those that lead to a state that must not be: a search through all states comes upon them.
    pub const OF_STATES: &[Self] = &[
        Self::TablesAreWritable,
        Self::OutsideIsMapped,
        Self::LargePagesAreMapped,
        Self::AnyLevelIsBelow,
        Self::OpenIsForUsers,
        Self::BecomingIsLinked,
        Self::MemoryIsNamed,
        Self::OldStaysCounted,
        Self::NewIsNotCounted,
        Self::UnstoredStaysCounted,
        Self::UnmappedStaysCounted,
        Self::MappedBecomesTable,
        Self::MappedBecomesOpen,
        Self::LinkedBecomesPlain,
        Self::ContentIsTrusted,
        Self::RefusedStaysCounted,
        Self::ReleasedStaysCounted,
    ];
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
#[inline]
pub(crate) fn is_broken(twin: Twin) -> bool {
    CHOSEN.get() == Some(twin)
}

/// Nothing is.
#[cfg(not(feature = "twins"))]
#[inline(always)]
pub(crate) const fn is_broken(_: Twin) -> bool {
    false
}
