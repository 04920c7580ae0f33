//! Hit rates of victim choices, as a table: `cargo run --release -p loadphys-tests --bin hit_rates`.
//!
//! For each course and each size of memory: the share of touches that found their page in memory, in
//! per cent, and in brackets the ratio to Belady's optimum. The first touch of a page is a miss for all.

use loadphys_apps::course::Course;
use loadphys_tests::hit_rates::{
    Choice, ExactClock, Lru, Reclaimed, S3Fifo, Sieve, hits, hits_of_belady, trace,
};
use loadphys_tests::kernel::Records;
use page_reclaim::victims::Clock;

/// Pages that the programs touch.
const PAGES: u64 = 4096;
/// Touches of a course.
const TOUCHES: usize = 40 * PAGES as usize;
/// What decides all that is random.
const SEED: u64 = 1;
/// Frames, in eighths of the pages.
const EIGHTHS: [u32; 4] = [1, 2, 4, 6];

fn main() {
    println!("{PAGES} pages, {TOUCHES} touches, seed {SEED}; hits in per cent (ratio to Belady)");
    println!(
        "course           memory  belady    lru           clock-exact   sieve-exact   s3-fifo-exact clock         two-hands"
    );
    for course in Course::ALL {
        for eighths in EIGHTHS {
            row(course, eighths);
        }
    }
}

fn row(course: Course, eighths: u32) {
    let frames = PAGES as u32 * eighths / 8;
    let trace = trace(course, PAGES, SEED, TOUCHES);
    let count = frames as usize;
    let best = hits_of_belady(count, &trace);
    let all = [
        hits(&mut Lru::new(count), &trace),
        hits(&mut ExactClock::new(count), &trace),
        hits(&mut Sieve::new(count), &trace),
        hits(&mut S3Fifo::new(count), &trace),
        reclaimed(frames, Choice::Clock(Clock::default()), &trace),
        reclaimed(frames, Choice::TwoHands, &trace),
    ];
    print!("{:16} {eighths}/8     {:5.1}", course.name(), per_cent(best));
    for hits in all {
        print!("    {:5.1} ({:.2})", per_cent(hits), hits as f64 / best as f64);
    }
    println!();
}

fn reclaimed(frames: u32, choice: Choice, trace: &[loadphys_apps::course::Touch]) -> usize {
    let mut records =
        Records::new(Reclaimed::records_for(PAGES, frames), PAGES as usize, PAGES as usize);
    hits(&mut Reclaimed::new(records.memory(), PAGES, frames, choice), trace)
}

fn per_cent(hits: usize) -> f64 {
    100.0 * hits as f64 / TOUCHES as f64
}
