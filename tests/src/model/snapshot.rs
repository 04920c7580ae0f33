//! A space as it lies in memory, without any CPU.

use foreign_access::{Entry, walk};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::Model;
use super::walker::entry_address;

/// Level, page and entry.
pub type Seen = (u32, u64, Entry);

impl Model<'_> {
    /// Every entry of the lower half that is not empty, Accessed and Dirty left out, in order of
    /// address.
    pub fn entries(&self, root: PhysFrame) -> Vec<Seen> {
        let mut all = Vec::new();
        self.collect(root, 4, 0, walk::USER_ENTRIES as u64, &mut all);
        all
    }

    /// Host address of the entry of this level on the way from a root to a page, if tables lead there.
    pub fn place(&self, root: PhysFrame, page: VirtAddr, level: u32) -> Option<u64> {
        let at = entry_address(root, page, 4);
        (level..4).rev().try_fold(at, |at, below| {
            let table = self.entry(at).filter(|entry| below == 3 || !entry.is_large())?.frame()?;
            Some(entry_address(table, page, below))
        })
    }

    fn collect(&self, table: PhysFrame, level: u32, page: u64, end: u64, all: &mut Vec<Seen>) {
        for index in 0..end {
            let at = table.start_address().as_u64() + 8 * index;
            let Some(entry) = self.entry(at).filter(|entry| *entry != Entry::EMPTY) else {
                continue;
            };
            let page = VirtAddr::new_truncate(page | index << (3 + 9 * level)).as_u64();
            all.push((level, page, Entry(entry.0 & !0x60)));
            if let Some(below) = entry.frame().filter(|_| level > 1 && !entry.is_large()) {
                self.collect(below, level - 1, page, 512, all);
            }
        }
    }
}
