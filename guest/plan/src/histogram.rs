//! A histogram of ticks per page in fixed memory, exact to 1/64.
//!
//! A sample is a batch: so many ticks for so many pages. It counts once for each of its pages with
//! the ticks that fall to one page, kept in units of 1/256 tick. Buckets are of width 1 unit below
//! 64 units, and above that each power of two is cut in 32. So a percentile is off by at most 1/64
//! of itself, or 1/256 tick where that is more; mean, smallest and largest are exact, and
//! percentiles never leave the range between those two.

use crate::records::Ticks;

/// Units in a tick.
const UNITS: u64 = 256;
/// Values below this have a bucket each.
const LINEAR: u64 = 64;
/// Base-two logarithm of [`LINEAR`].
const LINEAR_BITS: u32 = LINEAR.ilog2();
/// Buckets for each power of two from [`LINEAR`] on.
const PER_OCTAVE: u64 = LINEAR / 2;
/// Enough for every `u64`.
const BUCKETS: usize = (LINEAR + PER_OCTAVE * (64 - LINEAR_BITS as u64)) as usize;

/// Ticks per page.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u32; BUCKETS],
    pages: u64,
    ticks: u64,
    least: f64,
    most: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// With no samples. It takes 8 KiB, so give it a place that is not the stack.
    pub const fn new() -> Self {
        Self { counts: [0; BUCKETS], pages: 0, ticks: 0, least: f64::INFINITY, most: 0.0 }
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.pages, self.ticks, self.least, self.most) = (0, 0, f64::INFINITY, 0.0);
    }

    /// Adds a sample of one page.
    pub fn record(&mut self, ticks: u64) {
        self.record_per(ticks, 1);
    }

    /// Adds a sample: `ticks` for a batch of `pages`, 0 of which are no sample.
    pub fn record_per(&mut self, ticks: u64, pages: u32) {
        if pages == 0 {
            return;
        }
        let units = ticks.saturating_mul(UNITS) / u64::from(pages);
        let count = &mut self.counts[bucket_of(units)];
        *count = count.saturating_add(pages);
        self.pages += u64::from(pages);
        self.ticks = self.ticks.saturating_add(ticks);
        let per_page = ticks as f64 / f64::from(pages);
        self.least = self.least.min(per_page);
        self.most = self.most.max(per_page);
    }

    /// How many pages the samples cover.
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// The sum of all samples' ticks.
    pub const fn total(&self) -> u64 {
        self.ticks
    }

    /// Ticks that `per_mille` of a thousand pages do not exceed; 0 without samples.
    pub fn percentile(&self, per_mille: u64) -> f64 {
        let rank = (self.pages * per_mille).div_ceil(1000).clamp(1, self.pages.max(1));
        let mut below = 0;
        for (index, &count) in self.counts.iter().enumerate() {
            below += u64::from(count);
            if below >= rank {
                return middle_of(index as u64).clamp(self.least, self.most);
            }
        }
        0.0
    }

    /// What is recorded of it.
    pub fn ticks(&self) -> Ticks {
        Ticks {
            mean: self.ticks as f64 / self.pages.max(1) as f64,
            p50: self.percentile(500),
            p90: self.percentile(900),
            p99: self.percentile(990),
            p999: self.percentile(999),
            max: self.most,
        }
    }
}

/// The bucket of a value in units.
const fn bucket_of(units: u64) -> usize {
    if units < LINEAR {
        return units as usize;
    }
    let octave = units.ilog2() - LINEAR_BITS;
    let step = (units >> (octave + 1)) - PER_OCTAVE;
    (LINEAR + octave as u64 * PER_OCTAVE + step) as usize
}

/// What a bucket stands for, in ticks.
fn middle_of(bucket: u64) -> f64 {
    if bucket < LINEAR {
        return bucket as f64 / UNITS as f64;
    }
    let octave = (bucket - LINEAR) / PER_OCTAVE;
    let step = (bucket - LINEAR) % PER_OCTAVE;
    let half_width = 1_u64 << octave;
    let low = (PER_OCTAVE + step) << (octave + 1);
    (low + half_width) as f64 / UNITS as f64
}

const _: () = {
    assert!(bucket_of(LINEAR - 1) + 1 == bucket_of(LINEAR));
    assert!(bucket_of(2 * LINEAR - 1) + 1 == bucket_of(2 * LINEAR));
    assert!(bucket_of(u64::MAX) == BUCKETS - 1);
};
