//! One row: pages are written, shared, evicted, faulted in and checked.

use loadphys_peer_linux::counters::counter;
use loadphys_plan::command_line::Plan;
use loadphys_plan::histogram::Histogram;
use loadphys_plan::records::{Peer, Record};

use crate::clock::Stopwatch;
use crate::evict;
use crate::region::Region;
use crate::sharers::Sharers;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::get;
use loadphys_peer_linux::report::{name, release};

/// What has been found so far.
struct Found {
    ticks: Histogram,
    fault_in: Histogram,
    pages: u64,
    written: u64,
    wrong: u64,
}

/// Measures a row.
pub fn measure(plan: &Plan, sharers: u32, batch: u32) -> Result<Record, Failure> {
    let (ticks, fault_in) = (Histogram::new(), Histogram::new());
    let mut found = Found { ticks, fault_in, pages: 0, written: 0, wrong: 0 };
    for round in 1..=plan.rounds {
        found.round(plan.pages, sharers, batch, round.into())?;
    }
    let checked = u64::from(region_pages(plan.pages)) * u64::from(sharers) * u64::from(plan.rounds);
    Ok(Record::Peer(Peer {
        peer: name("linux"),
        release: release()?,
        sharers,
        batch,
        pages: found.pages,
        written: found.written,
        ticks: found.ticks.ticks(),
        fault_in: found.fault_in.ticks(),
        verified: checked.saturating_sub(found.wrong),
        lost: found.wrong,
    }))
}

/// Pages of a region of which so many are to be evicted. Where Linux chooses it must not run out of pages, since it would then
/// search long for the last ones.
pub const fn region_pages(evicted: u32) -> u32 {
    evicted + evicted / 8 + 64
}

impl Found {
    fn round(
        &mut self,
        pages: u32,
        sharers: u32,
        batch: u32,
        generation: u64,
    ) -> Result<(), Failure> {
        let mut region = Region::map(region_pages(pages))?;
        region.write(generation);
        let others = Sharers::start(sharers - 1, &region, generation)?;
        let before = written()?;
        match sharers {
            1 => evict::by_address(&region, pages, batch, &mut self.ticks)?,
            _ => evict::by_group(&region, pages, batch, &mut self.ticks)?,
        }
        self.written += written()? - before;
        self.pages += u64::from(others.swapped(&region)?);
        self.bring_in(&region)?;
        self.wrong += u64::from(region.wrong(generation)) + u64::from(others.check()?);
        Ok(())
    }

    /// Reads a word of each page that is in swap.
    fn bring_in(&mut self, region: &Region) -> Result<(), Failure> {
        let stopwatch = Stopwatch::new();
        let map = region.page_map(c"/proc/self/pagemap")?;
        for page in 0..region.pages() {
            if map.is_swapped(page)? {
                let (took, ()) = stopwatch.time(|| region.touch(page));
                self.fault_in.record(took);
            }
        }
        Ok(())
    }
}

/// Pages that were ever written to swap.
fn written() -> Result<u64, Failure> {
    let mut room = [0; 16384];
    let text = get(c"/proc/vmstat", &mut room)?;
    counter(text, "pswpout").ok_or_else(|| Failure::new(format_args!("no pswpout in /proc/vmstat")))
}
