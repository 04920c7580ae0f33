//! The names of [`Count`](super::Count)s.

/// Programs that were ended, for what they did or for want of a page.
pub const ENDED_PROGRAMS: &str = "ended-programs";
/// Programs that ran to their end.
pub const FINISHED_PROGRAMS: &str = "finished-programs";
/// Evictions that were refused because swap is full.
pub const SWAP_FULL_REFUSALS: &str = "swap-full-refusals";
/// Pages that stayed in memory because the swap disk did not take them.
pub const WRITE_FAILURES: &str = "write-failures";
/// Audits that found tables and reverse map equal.
pub const AUDITS: &str = "audits";
/// What audits found wrong.
pub const AUDIT_FAULTS: &str = "audit-faults";
/// Programs interrupted by the timer for another to run.
pub const PREEMPTIONS: &str = "preemptions";
/// Stale translations that a probe found.
pub const STALE: &str = "stale";
/// Pages evicted.
pub const EVICTED: &str = "evicted";
/// Pages brought back from swap.
pub const FAULTED_IN: &str = "faulted-in";
/// Pages whose contents a program checked.
pub const VERIFIED: &str = "verified";
/// Pages with wrong contents.
pub const LOST: &str = "lost";
/// Calls that the stub refused as it must.
pub const REFUSED_CALLS: &str = "refused-calls";
/// Calls that the stub should have refused, or refused for another reason.
pub const WRONG_ANSWERS: &str = "wrong-answers";
/// Conformance checks that passed, of all methods.
pub const CONFORMANCE: &str = "conformance";
/// Conformance checks that this machine gave no way to make, of all methods.
pub const UNTESTED: &str = "conformance-untested";
/// Methods whose edits stay in the TLB until they are flushed, so that a missing flush shows.
pub const ORACLE_SEES: &str = "oracle-sees";
/// Methods under which this machine forgets by itself.
pub const ORACLE_BLIND: &str = "oracle-blind";
/// Methods that reached tables above 4 GiB, or refused to as they must.
pub const ABOVE_4GIB: &str = "above-4gib";
/// Methods that evicted a page and brought it back, checked.
pub const CHECKS: &str = "checks";
/// Non-maskable interrupts that arrived.
pub const NMIS: &str = "nmis";
/// Frames moved out of a range of memory.
pub const EVACUATED: &str = "evacuated";
/// Spaces made as copies of another.
pub const FORKS: &str = "forks";
/// Requests that a swap device refused.
pub const DEVICE_FAULTS: &str = "device-faults";
/// Pages that a swap device gave back otherwise than they were written.
pub const CORRUPTED: &str = "corrupted";
/// Programs that were ended since a page of theirs could not be read from swap; they are among the [`ENDED_PROGRAMS`].
pub const ENDED_BY_DEVICE: &str = "ended-by-device";
