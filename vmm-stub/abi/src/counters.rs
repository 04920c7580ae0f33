//! What the stub counts.

/// Slots for exits by reason: the basic exit reasons of VT-x are below this number
/// (SDM volume 3, appendix C "VMX Basic Exit Reasons"). On AMD, whose exit codes are others, an exit is counted in the slot
/// of the VT-x reason for the same event.
pub const REASONS: usize = 80;

/// Slots for calls by number.
pub const CALLS: usize = 16;

/// Everything the stub counts, since it started, on all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Exits of any reason.
    pub exits: u64,
    /// Calls that were refused, for whatever reason.
    pub refused: u64,
    /// Items of batches that were done.
    pub batch_items: u64,
    /// Entries of the alias that were taken away, each with a flush.
    pub alias_flushes: u64,
    /// Times that code outside of the gate ran, or tried to switch, in a view that is not its own; handlers of exceptions
    /// that the gate raised are such code.
    pub view_strays: u64,
    /// NMIs that waited until a CPU had left the gate.
    pub nmis_held: u64,
    /// Entries in which the stub set Accessed or Dirty for the walker.
    pub flags_set: u64,
    /// Views that were taken from one root for another.
    pub views_recycled: u64,
    /// Exits by basic exit reason; reasons beyond the last slot are counted in the last.
    pub by_reason: [u64; REASONS],
    /// Calls by number; unknown ones are counted in slot 0.
    pub by_call: [u64; CALLS],
}

impl Counters {
    /// Nothing counted yet.
    pub const ZERO: Self = Self {
        exits: 0,
        refused: 0,
        batch_items: 0,
        alias_flushes: 0,
        view_strays: 0,
        nmis_held: 0,
        flags_set: 0,
        views_recycled: 0,
        by_reason: [0; REASONS],
        by_call: [0; CALLS],
    };
}

const _: () = assert!(size_of::<Counters>() == 8 * (8 + REASONS + CALLS));
