//! Ticks of the stages of one batch.

use page_reclaim::Stage;

use super::clock;

/// How many stages a batch has.
pub const STAGES: usize = 5;

/// Stamps the end of each stage.
#[derive(Debug)]
pub struct Stopwatch {
    /// What one reading costs; every stage has one in it.
    cost: u64,
    last: u64,
    ticks: [u64; STAGES],
}

impl Stopwatch {
    /// Measures its own cost.
    pub fn new() -> Self {
        Self { cost: clock::cost(), last: 0, ticks: [0; STAGES] }
    }

    /// What one reading costs, in ticks.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// A batch begins.
    pub fn start(&mut self) {
        self.ticks = [0; STAGES];
        self.last = clock::now();
    }

    /// A stage of the batch is at its end.
    #[inline]
    pub fn stage(&mut self, stage: Stage) {
        let now = clock::now();
        self.ticks[stage as usize] += (now - self.last).saturating_sub(self.cost);
        self.last = now;
    }

    /// Ticks of the batch, by stage.
    pub fn ticks(&self) -> &[u64; STAGES] {
        &self.ticks
    }
}
