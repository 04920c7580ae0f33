//! What a method needs, and what interrupts find while it works.

use serde::Serialize;

use super::Name;

/// What one method needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Property {
    /// The method.
    pub method: Name,
    /// Bytes of kernel virtual space, measured while the method was in use.
    pub virtual_bytes: u64,
    /// Bytes of entries that exist for the method with each space: in its root, and in arrays that show
    /// its tables. Measured.
    pub bytes_per_space: u64,
    /// Whether interrupts are off while it works.
    pub irqs_off: bool,
    /// Whether the tables must be usable at every level by the same walker.
    pub recursive_format: bool,
    /// Whether it reaches tables in frames above 4 GiB, as it was seen to do, or to refuse; `None` where
    /// there is no memory up there.
    pub above_4gib: Option<bool>,
    /// What keeps several CPUs apart that use the method at once. It is what the method promises, and is tried on a
    /// model of the MMU.
    pub cpus_at_once: Name,
    /// Whether NMIs may strike while it works, as was seen; `None` where none could be sent.
    pub nmi: Option<bool>,
    /// What interrupts found that struck while it worked; `None` where none could be sent.
    pub interrupts: Option<Struck>,
    /// Whether a missing flush of the loaded space would have shown: what was cached of an entry that the method
    /// edits stays until it is flushed.
    pub oracle_sees: bool,
    /// The same of a foreign space that is loaded later.
    pub oracle_sees_foreign: bool,
    /// Conformance checks that it passed on this path before it was measured.
    pub conformance: u64,
    /// Conformance checks that this machine gives no way to make.
    pub untested: u64,
    /// Ticks of the longest use of the method during which it kept interrupts off.
    pub irq_off_max: u64,
    /// Ticks of the longest wait until another context ran, for methods that wait for one.
    pub context_latency_max: u64,
}

/// What interrupts found that were sent before each step of a method, and before each step of a twin
/// that lets them in wherever they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Struck {
    /// Interrupts that were taken.
    pub taken: u64,
    /// Those of them that were sent while the method had interrupts off, and had to wait.
    pub held: u64,
    /// Those that struck while a foreign root was loaded.
    pub in_foreign_root: u64,
    /// The same of the twin.
    pub twin_in_foreign_root: u64,
    /// Entries that the twin took from the wrong space, since whoever struck went to another program
    /// and came back to the root that the kernel believes loaded.
    pub twin_in_wrong_space: u64,
}
