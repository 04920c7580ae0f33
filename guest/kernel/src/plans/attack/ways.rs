//! Ways to an entry: every address of a space at which it can be reached, found by a walk of all its tables, the kernel's half
//! and slots of methods among them. Through a slot that leads to a root, tables are seen as tables of the next lower level, and in
//! the end as pages; the walk does what the walker does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use foreign_access::Entry;
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

/// Levels of a walk.
const LEVELS: u32 = 4;

/// Every address that leads to one of these physical ones in the space of a root; tables are copied by whoever knows how.
pub fn ways(
    root: PhysFrame,
    wanted: &[u64],
    copy: impl Fn(PhysFrame) -> Box<[u64; 512]>,
) -> Vec<VirtAddr> {
    let mut search = Search { wanted, copy, found: Vec::new() };
    search.table(root, LEVELS, 0);
    search.found
}

struct Search<'w, C> {
    wanted: &'w [u64],
    copy: C,
    found: Vec<VirtAddr>,
}

impl<C: Fn(PhysFrame) -> Box<[u64; 512]>> Search<'_, C> {
    /// Goes through a table that serves addresses from `first` on.
    fn table(&mut self, table: PhysFrame, level: u32, first: u64) {
        let bytes = 1 << (12 + 9 * (level - 1));
        for (index, word) in (0..).zip(*(self.copy)(table)) {
            let (entry, address) = (Entry(word), first + index * bytes);
            if !entry.is_present() {
                continue;
            }
            let start = entry.0 & Entry::FRAME_BITS;
            if level == 1 || entry.is_large() {
                self.page(start & !(bytes - 1), bytes, address);
            } else {
                let below = PhysFrame::containing_address(PhysAddr::new(start));
                self.table(below, level - 1, address);
            }
        }
    }

    /// A page of so many bytes.
    fn page(&mut self, start: u64, bytes: u64, address: u64) {
        let inside = self.wanted.iter().filter(|wanted| (start..start + bytes).contains(wanted));
        self.found.extend(inside.map(|it| VirtAddr::new_truncate(address + (it - start))));
    }
}
