//! What was measured of evictions, and of bringing pages back.

use serde::Serialize;

use super::Name;

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
    /// What the stub below checked; `none` where there is no stub.
    pub rules: Name,
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
