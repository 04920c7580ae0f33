//! How many pages are worth forgetting one by one.

use super::MOST_PAGES;

/// What flushes cost on this CPU, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// INVLPG of a page that is known.
    pub one_page: u64,
    /// A write of CR3 that flushes, and the misses after it that would not have been.
    pub everything: u64,
}

/// Pages that are forgotten one by one where ticks say nothing. Published figures for several CPUs put the crossing at
/// two to four.
pub const UNMEASURED: usize = 4;

/// Up to so many pages it is cheaper to forget one by one than to forget everything.
///
/// `None` where ticks are instructions: a miss costs none there, so that by such ticks a flush of everything would win
/// always. What is chosen then is what a CPU would be likely to measure.
pub fn worth_one_by_one(costs: Option<Costs>) -> usize {
    let crossing = costs.and_then(|costs| costs.everything.checked_div(costs.one_page));
    crossing.map_or(UNMEASURED, |pages| pages.clamp(1, MOST_PAGES as u64) as usize)
}
