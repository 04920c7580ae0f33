//! How much a plan has to do: what the guest promises, and what the host demands of its records.

use crate::command_line::Plan;

/// Pages that each program has of its own, beside the shared segment; it checks them too.
pub const PRIVATE_PAGES: u64 = 4;

/// The most pages that are evicted together.
pub const MOST_BATCH: u32 = 512;

/// The most programs that share a segment.
pub const MOST_SHARERS: u32 = MOST_SPACES;

/// The most CPUs that are used.
pub const MOST_CPUS: u32 = 64;

/// The most spaces that exist at a time.
pub const MOST_SPACES: u32 = 4096;

/// Pages that a program has at most besides the shared segment: code, stacks and its own.
pub const PAGES_BESIDES: u32 = 16;

/// Programs whose own pages have room in swap too, unless it is asked for more.
const SWAPPED_WHOLE: u32 = 256;

/// Pages that swap must be able to hold for a plan: as many as it asks for, or enough for the segment and
/// for everything that a good many programs have. Slot 0, which is not used, is not among them.
pub fn swap_pages(plan: &Plan) -> u32 {
    let most_sharers = plan.sharers.iter().copied().max().unwrap_or(1);
    let programs = (most_sharers + 1).min(SWAPPED_WHOLE);
    match plan.swap_pages {
        0 => plan.pages + programs * PAGES_BESIDES,
        asked => asked,
    }
}

/// Frames of plan `courses`, in eighths of its pages; each course is followed with each.
pub const COURSE_EIGHTHS: [u32; 2] = [2, 4];

/// Touches of a course for each of its pages.
pub const COURSE_TURNS: u64 = 20;

/// With fewer pages the frames of plan `courses` would not hold a batch of victims and what programs need besides.
pub const LEAST_COURSE_PAGES: u32 = 256;

/// Rounds in which events are counted instead of ticks; they follow those of the plan.
pub const COUNTED_ROUNDS: u64 = 1;

/// Pages that the programs of a row check: each sharer all of its pages, once a round.
pub const fn verified(sharers: u32, pages: u32, rounds: u32) -> u64 {
    sharers as u64 * (pages as u64 + PRIVATE_PAGES) * (rounds as u64 + COUNTED_ROUNDS)
}
