//! Hit rates of victim choices, as a table: `cargo run --release -p loadphys-tests --bin hit_rates`.
//!
//! For each course and each size of memory: the share of touches that found their page in memory, in
//! per cent, and in brackets the ratio to Belady's optimum. The first touch of a page is a miss for all.

use loadphys_apps::course::Course;
use loadphys_tests::hit_rates::{
    ExactClock, Lru, Reclaimed, S3Fifo, Sieve, hits, hits_of_belady, trace,
};
use loadphys_tests::kernel::{Choice, Records};
use page_reclaim::victims::Clock;

/// Pages that the programs touch.
const PAGES: u64 = 4096;
/// Touches of a course.
const TOUCHES: usize = 40 * PAGES as usize;
/// What decides all that is random.
const SEED: u64 = 1;
/// Seeds by which nothing was chosen.
const SEEDS: [u64; 5] = [11, 12, 13, 14, 15];
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
    println!(
        "\nRatio to Belady over seeds {}: mean (least to most)",
        SEEDS.map(|it| it.to_string()).join(", ")
    );
    println!("course           memory  clock                two-hands");
    for course in Course::ALL {
        for eighths in EIGHTHS {
            row_of_seeds(course, eighths);
        }
    }
}

/// The clock and the two hands beside each other, with every seed.
fn row_of_seeds(course: Course, eighths: u32) {
    let ratios = SEEDS.map(|seed| ratios(course, eighths, seed));
    print!("{:16} {eighths}/8 ", course.name());
    for which in 0..2 {
        let of_one = ratios.map(|both| both[which]);
        let mean = of_one.iter().sum::<f64>() / SEEDS.len() as f64;
        let (least, most) = (
            of_one.iter().copied().fold(f64::INFINITY, f64::min),
            of_one.iter().copied().fold(0.0, f64::max),
        );
        print!("    {mean:.2} ({least:.2} to {most:.2})");
    }
    println!();
}

/// Hits of the clock and of the two hands, by those of Belady.
fn ratios(course: Course, eighths: u32, seed: u64) -> [f64; 2] {
    let frames = PAGES as u32 * eighths / 8;
    let trace = trace(course, PAGES, seed, TOUCHES);
    let best = hits_of_belady(frames as usize, &trace) as f64;
    [Choice::Clock(Clock::default()), Choice::TwoHands]
        .map(|choice| reclaimed(frames, choice, &trace) as f64 / best)
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
