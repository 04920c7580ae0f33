//! The records that the guest writes on COM1, one JSON object a line.

use heapless::String;
use serde::Serialize;

pub mod counts;

mod activity;
mod attack;
mod course;
mod evacuation;
mod peer;
mod property;
mod row;

pub use activity::{Activity, MOST_REASONS};
pub use attack::{Attack, NO_RULES};
pub use course::Course;
pub use evacuation::Evacuation;
pub use peer::Peer;
pub use property::{Property, Struck};
pub use row::{Events, FaultIn, Row, Stages, Ticks};

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
    /// What went by while the guest was idle, or busy.
    Activity(Activity),
    /// What came of an attack under one method.
    Attack(Attack),
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
