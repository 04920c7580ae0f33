//! The records that the guest writes on COM1, one JSON object a line.

use heapless::String;
use serde::Serialize;

pub mod counts;

mod peer;

pub use peer::Peer;

/// Room for the longest line.
pub const LINE_BYTES: usize = 4096;

/// A name in a record: of a method, a path, a plan.
pub type Name = String<32>;

/// A sentence in a record.
pub type Sentence = String<160>;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one record lives at a time, and there is no heap to put it in"
)]
pub enum Record {
    /// First: what the guest found below it.
    Machine(Machine),
    /// What was measured for one method, number of sharers and batch size.
    Row(Row),
    /// What was measured of another kernel.
    Peer(Peer),
    /// What one method needs.
    Property(Property),
    /// How one method evacuated a range.
    Evacuation(Evacuation),
    /// What a program met that followed a course.
    Course(Course),
    /// What was asked for and cannot be had, and why.
    Skipped(Skipped),
    /// Something a test looks for: a name and a count.
    Count(Count),
    /// Last: how it ended.
    End(End),
}

/// What the guest found below it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Machine {
    /// `bare`, `vmx` or `svm`.
    pub path: Name,
    /// Brand string of the CPU.
    pub cpu: String<64>,
    /// CPUs that ACPI lists.
    pub cpus: u32,
    /// Usable memory.
    pub memory_mib: u64,
    /// Whether address spaces are tagged (PCID).
    pub pcid: bool,
    /// How the kernel was loaded: `pvh` or `multiboot2`.
    pub loader: Name,
}

/// A distribution of ticks per page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Ticks {
    /// Arithmetic mean.
    pub mean: f64,
    /// Half are at most this.
    pub p50: f64,
    /// 90 % are at most this.
    pub p90: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// 99.9 % are at most this.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

/// Ticks per page, stage by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Stages {
    /// All stages.
    pub total: Ticks,
    /// Naming the entries of all sharers and a swap slot.
    pub find: Ticks,
    /// Making the entries not-present.
    pub edit: Ticks,
    /// Until no CPU can hold a stale entry.
    pub flush: Ticks,
    /// Writing pages that are dirty or have no copy.
    pub write: Ticks,
    /// Freeing the frames.
    pub release: Ticks,
}

/// Means per page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Events {
    /// Exits to the stub.
    pub vm_exits: f64,
    /// VMFUNCs.
    pub vmfuncs: f64,
    /// Writes of CR3.
    pub root_writes: f64,
    /// INVLPGs and single-address INVPCIDs.
    pub invlpgs: f64,
    /// Interrupts sent to other CPUs.
    pub ipis: f64,
    /// Entries loaded by the method.
    pub entry_loads: f64,
    /// Entries stored by the method, slots of its own among them.
    pub entry_writes: f64,
}

/// Ticks per fault that brought a page back from swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct FaultIn {
    /// Arithmetic mean.
    pub mean: f64,
    /// 99 % are at most this.
    pub p99: f64,
}

/// What was measured for one method, number of sharers and batch size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Row {
    /// What ran below.
    pub path: Name,
    /// How entries were reached.
    pub method: Name,
    /// Mappings of each page.
    pub sharers: u32,
    /// Pages evicted together.
    pub batch: u32,
    /// CPUs that took part.
    pub cpus: u32,
    /// Spaces that existed.
    pub spaces: u32,
    /// The swap device.
    pub swap: Name,
    /// Pages evicted and measured.
    pub pages: u64,
    /// Ticks per page.
    pub ticks: Stages,
    /// Events per page.
    pub events: Events,
    /// Exits to the stub by the busiest batch.
    pub vm_exits_per_batch_max: u64,
    /// Ticks per fault.
    pub fault_in: FaultIn,
    /// Longest stretch of ticks for which the method kept interrupts off.
    pub irq_off_max: u64,
    /// Pages whose contents a program checked after they came back, all sharers counted.
    pub verified: u64,
    /// Pages with wrong contents.
    pub lost: u64,
}

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

/// How one method evacuated a range of frames while programs ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Evacuation {
    /// What ran below.
    pub path: Name,
    /// How entries were reached.
    pub method: Name,
    /// The first byte of the range, physical.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
    /// Frames of the range.
    pub frames: u64,
    /// Of these, free when it was closed.
    pub free: u32,
    /// Pages that moved.
    pub pages: u32,
    /// Tables that moved, roots aside.
    pub tables: u32,
    /// Roots that moved.
    pub roots: u32,
    /// Entries that were taken out and put in again.
    pub entries: u32,
    /// Ticks per frame that moved, its copy included.
    pub ticks: Ticks,
    /// The longest time, in ticks, for which programs waited for a batch.
    pub batch_max: u64,
    /// Frames of the range to which the kernel's half of the spaces leads all the same: of a map of all memory, all of them.
    pub kernel_maps: u64,
    /// Entries and records of which none leads into the range afterwards.
    pub checked: u64,
    /// Programs interrupted for another to run, while the range was evacuated.
    pub preemptions: u64,
    /// Pages whose contents a program checked, all sharers counted.
    pub verified: u64,
    /// Pages with wrong contents.
    pub lost: u64,
}

/// What a program met that followed a course through its pages, with fewer frames than pages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Course {
    /// What ran below.
    pub path: Name,
    /// How entries were reached.
    pub method: Name,
    /// The course.
    pub course: Name,
    /// What decided all that is random in it.
    pub seed: u64,
    /// Pages of the course.
    pub pages: u32,
    /// Frames that were free for them when it began.
    pub frames: u32,
    /// Pages of code and stack that were in frames already; they may be evicted too.
    pub besides: u32,
    /// Touches of the course; each was checked.
    pub touches: u64,
    /// Faults that found a page which was never touched before.
    pub first_touches: u64,
    /// Faults that read a page from swap, of code and stack too.
    pub from_swap: u64,
}

/// What was asked for and cannot be had.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Skipped {
    /// What ran below.
    pub path: Name,
    /// The method.
    pub method: Name,
    /// Why.
    pub reason: Sentence,
}

/// A name and a count.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Count {
    /// What was counted.
    pub name: Name,
    /// How many.
    pub count: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct End {
    /// Whether all that was asked was done and nothing was found wrong.
    pub ok: bool,
    /// What was found wrong, empty if nothing.
    pub reason: Sentence,
}
