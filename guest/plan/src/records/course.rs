//! What a program met on its way through its pages.

use serde::Serialize;

use super::Name;

/// What a program met that followed a course through its pages, with fewer frames than pages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Course {
    /// What ran below.
    pub path: Name,
    /// How entries were reached.
    pub method: Name,
    /// The course.
    pub course: Name,
    /// What decided all that is random in it.
    pub seed: u64,
    /// Pages of the course.
    pub pages: u32,
    /// Frames that were free for them when it began.
    pub frames: u32,
    /// Pages of code and stack that were in frames already; they may be evicted too.
    pub besides: u32,
    /// Touches of the course; each was checked.
    pub touches: u64,
    /// Faults that found a page which was never touched before.
    pub first_touches: u64,
    /// Faults that read a page from swap, of code and stack too.
    pub from_swap: u64,
}
