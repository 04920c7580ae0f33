//! The two ways to have Linux evict pages that a program has.

use core::fmt::Write;

use heapless::String;
use loadphys_peer_linux::PAGE_BYTES;
use loadphys_plan::histogram::Histogram;

use crate::clock::Stopwatch;
use crate::region::Region;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::{File, WRITE};

/// Pages that nobody shares: by their addresses, a batch a call. Linux leaves those alone that somebody shares.
pub fn by_address(
    region: &Region,
    pages: u32,
    batch: u32,
    ticks: &mut Histogram,
) -> Result<(), Failure> {
    let stopwatch = Stopwatch::new();
    for first in (0..pages).step_by(batch as usize) {
        let chunk = first..pages.min(first + batch);
        let count = chunk.end - chunk.start;
        let (took, outcome) = stopwatch.time(|| region.page_out(chunk));
        outcome?;
        ticks.record_per(took, count);
    }
    Ok(())
}

/// Calls after each other that evict no page, after which the rest is left where it is.
const PATIENCE: u32 = 3;

/// Pages that are shared: as many of the group's memory as a batch has, whichever Linux chooses, until so many of the
/// region's are in swap. What a call takes that evicts none of them is added to the next one's.
pub fn by_group(
    region: &Region,
    pages: u32,
    batch: u32,
    ticks: &mut Histogram,
) -> Result<(), Failure> {
    let stopwatch = Stopwatch::new();
    let group = File::open(c"/groups/sharers/memory.reclaim", WRITE)?;
    let mut bytes: String<16> = String::new();
    let _ = write!(bytes, "{}", batch as usize * PAGE_BYTES);
    let (mut before, mut spent, mut in_vain) = (0, 0, 0);
    while before < pages && in_vain < PATIENCE {
        // It fails if it evicted less than it was asked for: what counts is what is in swap.
        let (took, _) = stopwatch.time(|| group.write(bytes.as_bytes()));
        let after = region.swapped(c"/proc/self/pagemap")?;
        spent += took;
        in_vain = if after > before { 0 } else { in_vain + 1 };
        if after > before {
            ticks.record_per(core::mem::take(&mut spent), after - before);
        }
        before = after;
    }
    Ok(())
}
