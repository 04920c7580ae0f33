//! How frames were evacuated.

use serde::Serialize;

use super::{Name, Ticks};

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
