//! Most of the free memory is filled and read again, each word with a value of its own, then with the complement.

use loadphys_peer_linux::counters::counter;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::get;
use loadphys_peer_linux::{PAGE_BYTES, report, system};

/// Of the memory that is available so many eighths are tried: the kernel needs some for itself meanwhile.
const EIGHTHS: u64 = 6;

/// Fills and verifies it, on all CPUs in turn; says how many pages that were, and how many words were wrong.
pub fn check() -> Result<(), Failure> {
    let mut room = [0; 4096];
    let available = counter(get(c"/proc/meminfo", &mut room)?, "MemAvailable:");
    let available = available.ok_or_else(|| Failure::new(format_args!("no MemAvailable")))?;
    let pages = available * 1024 / PAGE_BYTES as u64 * EIGHTHS / 8;
    let memory = system::memory(pages as usize * PAGE_BYTES / 8)?;
    let wrong = fill_and_count(memory, 0) + fill_and_count(memory, u64::MAX);
    report::count("memory-pages", pages);
    report::count("memory-wrong-words", wrong);
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::new(format_args!("{wrong} words of memory were wrong"))),
    }
}

fn fill_and_count(memory: &mut [u64], mask: u64) -> u64 {
    for (place, word) in memory.iter_mut().enumerate() {
        *word = value(place) ^ mask;
    }
    // What was written could be known without reading it.
    let memory = core::hint::black_box(memory);
    let wrong = memory.iter().enumerate().filter(|(place, word)| **word != value(*place) ^ mask);
    wrong.count() as u64
}

const fn value(place: usize) -> u64 {
    (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
