//! How often the stub is entered while the guest calls nobody.

use heapless::Vec;
use serde::Serialize;

use super::Name;

/// Reasons that a record has room for.
pub const MOST_REASONS: usize = 16;

/// What went by while the guest was idle, or busy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Activity {
    /// What ran below.
    pub path: Name,
    /// `idle`: all CPUs halt but for the timer. `busy`: programs compute, and are evicted and brought back.
    pub activity: Name,
    /// How entries were reached, while it was busy.
    pub method: Name,
    /// CPUs that took part.
    pub cpus: u32,
    /// Ticks of the first CPU.
    pub ticks: u64,
    /// Time by the machine's own clock, the power-management timer. An emulator's is not the host's.
    pub microseconds: u64,
    /// Interrupts of the timer: those that woke CPUs, or those that ended a program's slice for another.
    pub interrupts: u64,
    /// Pages that were evicted.
    pub evicted: u64,
    /// Exits to the stub, the call that reads its counters left out; `None` without a stub.
    pub exits: Option<u64>,
    /// The same by basic exit reason, each with its count.
    pub by_reason: Vec<(u64, u64), MOST_REASONS>,
}
