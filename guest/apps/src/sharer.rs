//! Writes patterns and checks them, as it is told.
#![expect(unsafe_code, reason = "works on memory at fixed places")]

use loadphys_apps::Start;
use loadphys_apps::calls::{Command, Generation};
use loadphys_apps::pattern::{Pattern, SHARED_SEGMENT, WORDS, private_segment};
use loadphys_apps::places::{PAGE, PRIVATE, SHARED};

use crate::kernel;

/// A run of pages with a pattern of its own.
struct Segment {
    name: u64,
    base: u64,
    pages: u64,
    /// Every how many words one is ours to write, and which is the first.
    share: (u64, u64),
}

/// Follows commands until it is told to exit.
pub fn run(start: &Start) {
    let segments = [
        Segment {
            name: SHARED_SEGMENT,
            base: SHARED,
            pages: start.shared_pages,
            share: (start.sharers, start.index % start.sharers),
        },
        Segment {
            name: private_segment(start.index),
            base: PRIVATE,
            pages: start.private_pages,
            share: (1, 0),
        },
    ];
    loop {
        match kernel::wait() {
            (Command::Write, generation) => {
                segments.iter().for_each(|segment| segment.write(generation));
            }
            (Command::Verify, generation) => {
                kernel::verified(segments.iter().map(|segment| segment.verify(generation)).sum());
            }
            (Command::Exit, _) => return,
        }
    }
}

impl Segment {
    fn word(&self, page: u64, index: u64) -> *mut u64 {
        (self.base + page * PAGE + index * 8) as *mut u64
    }

    fn pattern(&self, page: u64, generation: Generation) -> Pattern {
        let generation =
            if self.name == SHARED_SEGMENT { generation.shared } else { generation.own() };
        Pattern::new(self.name, page, generation)
    }

    fn write(&self, generation: Generation) {
        let (step, first) = self.share;
        for page in 0..self.pages {
            let pattern = self.pattern(page, generation);
            if first >= WORDS {
                // Of more sharers than words some have none to write, and are to have the page all the same.
                // SAFETY: as below.
                unsafe { self.word(page, 0).read_volatile() };
            }
            for index in (first..WORDS).step_by(step as usize) {
                // SAFETY: inside a segment that the kernel gave to this program.
                unsafe { self.word(page, index).write_volatile(pattern.word(index)) };
            }
        }
    }

    /// How many pages hold the pattern of this generation.
    fn verify(&self, generation: Generation) -> u64 {
        (0..self.pages).filter(|page| self.verify_page(*page, generation)).count() as u64
    }

    fn verify_page(&self, page: u64, generation: Generation) -> bool {
        let pattern = self.pattern(page, generation);
        for index in 0..WORDS {
            // SAFETY: as in `write`.
            let found = unsafe { self.word(page, index).read_volatile() };
            if found != pattern.word(index) {
                kernel::mismatch(self.name, page, found, index);
                return false;
            }
        }
        true
    }
}
