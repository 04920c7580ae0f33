//! Follows a course through its own pages, and checks each page that it touches.
//!
//! Word 0 of a page says how often it was written, and decides the pattern of the others; a page that was never written is
//! all zeros. The program itself knows how often it wrote in all, so a page that went back to what it was before is missed
//! in the end.
#![expect(unsafe_code, reason = "works on memory at fixed places")]

use loadphys_apps::Start;
use loadphys_apps::calls::Command;
use loadphys_apps::course::{Route, Touch};
use loadphys_apps::pattern::{Pattern, WORDS, private_segment};
use loadphys_apps::places::{PAGE, PRIVATE};

use crate::kernel;

/// The program's pages.
struct Follower {
    segment: u64,
    pages: u64,
    /// Of all pages together.
    writes: u64,
}

/// Follows its course when it is told to, until it is told to exit.
pub fn run(start: &Start) {
    let Some(route) = start.route else { return };
    let segment = private_segment(start.index);
    let mut follower = Follower { segment, pages: start.private_pages, writes: 0 };
    loop {
        kernel::verified(match kernel::wait().0 {
            Command::Write => follower.follow(route),
            Command::Verify => follower.verify(),
            Command::Exit => return,
        });
    }
}

impl Follower {
    /// How many touches found their page right.
    fn follow(&mut self, route: Route) -> u64 {
        route.touches_of(self.pages).filter(|touch| self.touch(*touch)).count() as u64
    }

    fn touch(&mut self, Touch { page, write }: Touch) -> bool {
        let writes = read(page, 0);
        let is_right = self.is_right(page, writes);
        if write {
            self.write(page, writes + 1);
            self.writes += 1;
        }
        is_right
    }

    fn write(&self, page: u64, writes: u64) {
        let pattern = self.pattern(page, writes);
        write(page, 0, writes);
        (1..WORDS).for_each(|index| write(page, index, pattern.word(index)));
    }

    fn is_right(&self, page: u64, writes: u64) -> bool {
        let pattern = self.pattern(page, writes);
        let expected = |index| if writes == 0 { 0 } else { pattern.word(index) };
        let wrong = (1..WORDS).find(|index| read(page, *index) != expected(*index));
        if let Some(index) = wrong {
            kernel::mismatch(self.segment, page, read(page, index), index);
        }
        wrong.is_none()
    }

    /// How many pages are right, if no write was lost.
    fn verify(&self) -> u64 {
        let written: u64 = (0..self.pages).map(|page| read(page, 0)).sum();
        if written != self.writes {
            kernel::mismatch(self.segment, self.pages, written, 0);
        }
        (0..self.pages).filter(|page| self.is_right(*page, read(*page, 0))).count() as u64
    }

    const fn pattern(&self, page: u64, writes: u64) -> Pattern {
        Pattern::new(self.segment, page, writes)
    }
}

fn word(page: u64, index: u64) -> *mut u64 {
    (PRIVATE + page * PAGE + index * 8) as *mut u64
}

fn read(page: u64, index: u64) -> u64 {
    // SAFETY: one of the pages that the kernel gave to this program.
    unsafe { word(page, index).read_volatile() }
}

fn write(page: u64, index: u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { word(page, index).write_volatile(value) };
}
