//! Which pages the nested tables use.

use loadphys_plan::command_line::NestedPage;

/// Which pages the nested tables use. In any case they are no larger than a range of one memory type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Up to 1 GiB.
    pub gib_pages: bool,
    /// Memory is mapped by pages of 4 KiB only.
    pub smallest: bool,
}

/// What to use where this is asked for and 1 GiB pages are offered or not; nothing if it cannot be had.
pub fn sizes(asked: NestedPage, gib_offered: bool) -> Option<Sizes> {
    let (gib_pages, smallest) = match asked {
        NestedPage::Auto => (gib_offered, false),
        NestedPage::OneGib => (gib_offered.then_some(true)?, false),
        NestedPage::TwoMib => (false, false),
        NestedPage::FourKib => (false, true),
    };
    Some(Sizes { gib_pages, smallest })
}

#[cfg(test)]
mod tests {
    use loadphys_plan::command_line::NestedPage;

    use super::{Sizes, sizes};

    #[test]
    fn pages_are_as_large_as_they_may_and_can_be() {
        let all = |offered| NestedPage::ALL.iter().map(move |asked| sizes(*asked, offered));
        let [gib, large, small] = [(true, false), (false, false), (false, true)]
            .map(|(gib_pages, smallest)| Some(Sizes { gib_pages, smallest }));
        // Auto, 4k, 2m, 1g.
        assert!(all(true).eq([gib, small, large, gib]));
        assert!(all(false).eq([large, small, large, None]));
    }
}
