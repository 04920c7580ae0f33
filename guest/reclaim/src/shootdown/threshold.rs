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

#[cfg(test)]
mod tests {
    use super::{Costs, MOST_PAGES, UNMEASURED, worth_one_by_one};

    fn pages(one_page: u64, everything: u64) -> usize {
        worth_one_by_one(Some(Costs { one_page, everything }))
    }

    #[test]
    fn pages_are_worth_it_until_together_they_cost_what_everything_does() {
        assert_eq!(pages(228, 3 * 228), 3);
        assert_eq!(pages(228, 3 * 228 + 227), 3);
    }

    #[test]
    fn one_page_is_always_worth_it_and_no_more_than_there_is_room_for() {
        assert_eq!(pages(500, 100), 1);
        assert_eq!(pages(1, u64::MAX), MOST_PAGES);
    }

    #[test]
    fn where_nothing_can_be_measured_published_figures_decide() {
        assert_eq!(worth_one_by_one(None), UNMEASURED);
        assert_eq!(pages(0, 100), UNMEASURED);
    }
}
