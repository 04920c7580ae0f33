//! What another kernel is measured by.

use serde::Serialize;

use super::{Name, Ticks};

/// What was measured of another kernel for one number of sharers and batch size. What goes on inside it is not known, so
/// there are no stages and no events.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Peer {
    /// Which kernel: `linux`.
    pub peer: Name,
    /// Its version, as it states it.
    pub release: Name,
    /// Mappings of each page.
    pub sharers: u32,
    /// Pages that it was asked to evict together.
    pub batch: u32,
    /// Pages that were found in swap, and were measured.
    pub pages: u64,
    /// Pages that it says it has written to swap meanwhile.
    pub written: u64,
    /// Ticks per page.
    pub ticks: Ticks,
    /// Ticks per first access to a page in swap, with the exception's entry and return.
    pub fault_in: Ticks,
    /// Pages whose contents a program checked after they came back, all sharers counted.
    pub verified: u64,
    /// Pages with wrong contents.
    pub lost: u64,
}
