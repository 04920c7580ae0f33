//! How often a page that a program touches is in memory, by who chooses the victims.
//!
//! The touches are the courses of [`loadphys_apps::course`], which a program of the guest follows too ([`faults_in_guest`]). The clock and the two hands
//! are `page_reclaim` itself, on tables in which a walker sets Accessed and Dirty ([`Reclaimed`]); the others are the
//! textbook's, told of every touch, which no kernel is.

mod belady;
mod guest;
mod lists;
mod reclaimed;
mod s3_fifo;
mod walker;

use loadphys_apps::course::{Course, Touch};

pub use belady::hits_of_belady;
pub use guest::faults_in_guest;
pub use lists::{ExactClock, Lru, Sieve};
pub use reclaimed::Reclaimed;
pub use s3_fifo::S3Fifo;
pub use walker::Walker;

/// Something that keeps some pages in memory.
pub trait Cache {
    /// A page is touched; says whether it was there.
    fn touch(&mut self, touch: Touch) -> bool;
}

/// The first touches of a course.
pub fn trace(course: Course, pages: u64, seed: u64, touches: usize) -> Vec<Touch> {
    course.touches(pages, seed).take(touches).collect()
}

/// How many of the touches found their page there.
pub fn hits(cache: &mut impl Cache, trace: &[Touch]) -> usize {
    trace.iter().filter(|touch| cache.touch(**touch)).count()
}
