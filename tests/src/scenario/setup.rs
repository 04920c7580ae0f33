//! Under which circumstances the kernel works.

use crate::flushes::Flushing;
use crate::kernel::Choice;

/// The circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The method by its name, or `plain`.
    pub method: &'static str,
    /// How many frames there are.
    pub frames: usize,
    /// How many slots swap has.
    pub slots: usize,
    /// For how many operations the kernel has room, and the method for how many items.
    pub room: usize,
    /// Who chooses victims.
    pub choice: Choice,
    /// Whether programs on other CPUs run in the middle of the kernel's work.
    pub intruder: bool,
    /// Whether each space has a PCID of its own, and is loaded without a flush if nothing is stale.
    pub pcids: bool,
    /// Which flushes are done.
    pub flushing: Flushing,
    /// After how many steps everything is audited; 0: at the end only.
    pub audited_every: usize,
    /// After how many steps what stands in the tables is remembered; 0: never.
    pub remembered_every: usize,
    /// Whether to go on after a violation. Tables may be in ruins then; contents of pages are not.
    pub goes_on: bool,
    /// Decides what the model's CPUs forget and what they keep.
    pub seed: u64,
}

impl Setup {
    /// Enough of everything, and nobody intrudes.
    pub fn roomy(method: &'static str, seed: u64) -> Self {
        Self {
            method,
            frames: 160,
            slots: 80,
            room: 64,
            choice: Choice::default(),
            intruder: false,
            pcids: false,
            flushing: Flushing::Done,
            audited_every: 1,
            remembered_every: 0,
            goes_on: false,
            seed,
        }
    }

    /// Little memory, less swap, and somebody who intrudes: some faults cannot be answered.
    pub fn scarce(method: &'static str, seed: u64) -> Self {
        Self { frames: 40, slots: 8, intruder: true, ..Self::roomy(method, seed) }
    }
}
