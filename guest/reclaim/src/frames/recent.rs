//! Tables of level one that faults needed lately, so that the next fault nearby needs no walk.

use foreign_access::EntryName;
use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{Frames, RANGE_SHIFT, State};
use crate::number::FrameNumber;

/// How many are kept.
const PLACES: usize = 256;

/// Each has one place, by its space and the addresses that it serves; another that has the same place displaces it. Which
/// of them a place holds, and whether it still is one, its frame's record says.
#[derive(Debug)]
pub struct RecentTables([Option<FrameNumber>; PLACES]);

impl RecentTables {
    /// None.
    pub const NONE: Self = Self([None; PLACES]);
}

impl Frames<'_> {
    /// The entry of level one of a page, if the table that holds it is kept.
    pub(crate) fn recent_leaf(&self, root: FrameNumber, page: VirtAddr) -> Option<EntryName> {
        let (place, range) = place(root, page);
        let table = self.recent.0[place]?;
        let State::Table { level: PageTableLevel::One, root: owner, range: serves, .. } =
            self.records[table.index()].0
        else {
            return None;
        };
        let (root, level) = (root.frame(), PageTableLevel::One);
        ((owner.frame(), serves) == (root, range))
            .then(|| EntryName::new(table.frame(), root, page, level))
    }

    /// A walk came to this entry of level one.
    pub(crate) fn keep_leaf(&mut self, root: FrameNumber, name: &EntryName) {
        self.recent.0[place(root, name.page()).0] = FrameNumber::of(name.table());
    }

    /// Tables may be taken out of what leads to them: from now on every page needs a walk first.
    pub(crate) fn forget_recent(&mut self) {
        self.recent = RecentTables::NONE;
    }
}

/// The place of the table of level one that serves a page, and the number of the range that it serves.
fn place(root: FrameNumber, page: VirtAddr) -> (usize, u32) {
    let range = (page.as_u64() >> RANGE_SHIFT) as u32;
    (root.number().wrapping_add(range) as usize % PLACES, range)
}

#[cfg(test)]
mod tests {
    use foreign_access::EntryName;
    use x86_64::VirtAddr;
    use x86_64::structures::paging::page_table::PageTableLevel;

    use super::{FrameNumber, Frames, PLACES, State};
    use crate::frames::FrameRecord;

    #[test]
    fn a_table_is_found_as_long_as_its_record_says_that_it_is_one() {
        let mut records = [FrameRecord::default(); 512];
        let mut frames = Frames::new(&mut records);
        let number = |number| FrameNumber::new(number).unwrap();
        let (root, twin, table) = (number(1), number(1 + PLACES as u32), number(2));
        let (page, level) = (VirtAddr::new(0x4000_5000), PageTableLevel::One);
        let name = EntryName::new(table.frame(), root.frame(), page, level);
        frames.set(table, Frames::table_for(page, level, root));
        assert!(frames.recent_leaf(root, page).is_none(), "no walk came there");
        frames.keep_leaf(root, &name);
        assert!(frames.recent_leaf(root, page) == Some(name));
        assert!(frames.recent_leaf(root, page + 4096).is_some(), "the same table serves it");
        assert!(frames.recent_leaf(twin, page).is_none(), "another space, the same place");
        assert!(frames.recent_leaf(root, page + (PLACES as u64 * 0x20_0000)).is_none());
        frames.set(table, State::Kernel);
        assert!(frames.recent_leaf(root, page).is_none(), "it is a table no more");
        frames.set(table, Frames::table_for(page, level, root));
        frames.forget_recent();
        assert!(frames.recent_leaf(root, page).is_none());
    }
}
