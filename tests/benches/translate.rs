//! What translations through this project's direct map cost, against the `x86_64` crate's mapper on the same
//! tables: `cargo bench -p loadphys-tests --bench translate`.
//!
//! Two questions are asked of both, which both answer in full: where an address leads (`Translate::translate`), and which
//! frame a page of 4 KiB is mapped to (`Mapper::translate_page`; ours is `ForeignSpace::frame_of`, on which that stands).
//!
//! Both are timed alternately, a few microseconds each, so that whatever else the host does meets both; of each pair the
//! ratio is taken, and the median of all ratios printed, with its quartiles. A framework that times one after the other
//! would show what the host did in between.
#![expect(unsafe_code, reason = "makes mappers of this program's memory")]

use std::hint::black_box;
use std::time::Instant;

use foreign_access::ForeignSpace;
use foreign_access::cpu::Hosted;
use foreign_access::methods::DirectMap;
use loadphys_tests::model::Random;
use x86_64::structures::paging::page_table::{PageTable, PageTableFlags};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PhysFrame, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

/// Tables in memory: 32 MiB, which no cache of a core holds.
const TABLES: u64 = 8192;
/// Pages that are mapped, far enough apart that most have a table of level one for themselves.
const PAGES: usize = 7000;
/// Pages that are translated over and over.
const HOT: usize = 16;
/// Translations of one measurement.
const CALLS: usize = 4096;
/// Pairs of measurements.
const PAIRS: usize = 2000;

/// Frames after the root.
struct Frames(core::ops::Range<u64>);

// SAFETY: each frame is given out once.
unsafe impl FrameAllocator<Size4KiB> for Frames {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.0.next().map(|number| PhysFrame::containing_address(PhysAddr::new(number << 12)))
    }
}

/// Both ways to the same tables.
struct Ways<'a> {
    theirs: OffsetPageTable<'a>,
    ours: ForeignSpace<'a, Hosted, DirectMap, ()>,
}

fn main() {
    // Only `cargo bench` says so: as part of `cargo test` nothing is measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut tables: Vec<PageTable> = (0..TABLES).map(|_| PageTable::new()).collect();
    let base = tables.as_mut_ptr();
    let offset = VirtAddr::from_ptr(base);
    let root = PhysFrame::containing_address(PhysAddr::zero());
    let (cpu, mut deeds) = (Hosted::new(root), ());
    // SAFETY: frame n is table n of the vector, which is reached by this pointer only, one way at a time.
    let mut method = unsafe { DirectMap::new(offset) };
    // SAFETY: the same.
    let theirs = unsafe { OffsetPageTable::new(&mut *base, offset) };
    // SAFETY: the same.
    let ours = unsafe { ForeignSpace::new(&cpu, &mut method, &mut deeds, root) };
    let mut ways = Ways { theirs, ours: ours.expect("four levels") };
    let pages = map_pages(&mut ways.theirs);
    for (set, chosen) in [("random", &pages[..]), ("hot", &pages[..HOT])] {
        let addresses: Vec<_> = (0..CALLS).map(|call| chosen[call % chosen.len()]).collect();
        report("translate", set, &addresses, &ways, translate_theirs, translate_ours);
        report("frame of a page", set, &addresses, &ways, frame_theirs, frame_ours);
    }
}

/// Maps pages all over the lower half, and gives them in random order.
fn map_pages(mapper: &mut OffsetPageTable<'_>) -> Vec<VirtAddr> {
    let (random, mut frames) = (Random::new(1), Frames(1..TABLES));
    let page = |_| VirtAddr::new((random.below(1 << 24) as u64) << 12 | 0xabc);
    let pages: Vec<_> = (0..PAGES).map(page).collect();
    for address in &pages {
        let page = Page::<Size4KiB>::containing_address(*address);
        let frame = PhysFrame::containing_address(PhysAddr::new(address.as_u64()));
        let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
        // SAFETY: nobody uses these tables. A page that comes twice is mapped already.
        let mapped = unsafe { mapper.map_to(page, frame, flags, &mut frames) };
        mapped.map_or_else(drop, |flush| flush.ignore());
        assert!(!frames.0.is_empty(), "there are enough tables");
    }
    pages
}

#[inline(never)]
fn translate_theirs(ways: &Ways<'_>, addresses: &[VirtAddr]) {
    for address in addresses {
        black_box(ways.theirs.translate(*address));
    }
}

#[inline(never)]
fn translate_ours(ways: &Ways<'_>, addresses: &[VirtAddr]) {
    for address in addresses {
        black_box(ways.ours.translate(*address));
    }
}

#[inline(never)]
fn frame_theirs(ways: &Ways<'_>, addresses: &[VirtAddr]) {
    for address in addresses {
        let page = Page::<Size4KiB>::containing_address(*address);
        black_box(ways.theirs.translate_page(page).ok());
    }
}

#[inline(never)]
fn frame_ours(ways: &Ways<'_>, addresses: &[VirtAddr]) {
    for address in addresses {
        let page = Page::<Size4KiB>::containing_address(*address);
        black_box(ways.ours.frame_of(page).ok());
    }
}

/// A way to translate addresses.
type Way = fn(&Ways<'_>, &[VirtAddr]);

/// Times both alternately, each first in half of the pairs, and says what came of it.
fn report(what: &str, set: &str, addresses: &[VirtAddr], ways: &Ways<'_>, theirs: Way, ours: Way) {
    let (mut ratios, mut times) = (Vec::new(), [Vec::new(), Vec::new()]);
    for pair in 0..PAIRS {
        let (theirs, ours) = match pair % 2 {
            0 => (timed(theirs, ways, addresses), timed(ours, ways, addresses)),
            _ => {
                let first = timed(ours, ways, addresses);
                (timed(theirs, ways, addresses), first)
            }
        };
        ratios.push(ours / theirs);
        times[0].push(theirs / CALLS as f64);
        times[1].push(ours / CALLS as f64);
    }
    let [low, middle, high] = quartiles(&mut ratios);
    let [theirs, ours] = times.map(|mut times| quartiles(&mut times)[1]);
    println!(
        "{what}, {set} pages: x86_64 {theirs:.2} ns, foreign-access {ours:.2} ns, \
         ratio {middle:.3} (quartiles {low:.3} to {high:.3}, {PAIRS} pairs)"
    );
}

/// Nanoseconds of all addresses.
fn timed(way: Way, ways: &Ways<'_>, addresses: &[VirtAddr]) -> f64 {
    let start = Instant::now();
    way(ways, black_box(addresses));
    start.elapsed().as_secs_f64() * 1e9
}

fn quartiles(all: &mut [f64]) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| all[all.len() * quarter / 4])
}
