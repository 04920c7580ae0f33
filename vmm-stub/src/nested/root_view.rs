//! A view in which one frame, a root, leads to another root. All else is as in the gate view, with which it shares all tables
//! but those on the way to that frame.
//!
//! ```text
//! root of the view -> level 3 -> level 2 -> level 1 -> own: the frame of `target`
//!        |               |          |          '-- all others: as in the gate view, page by page
//!        '---------------'----------'-- tables and pages of the gate view
//! ```

use core::ops::Range;

use loadphys_abi::FRAME_BYTES;

use crate::mtrr::MemoryType;
use crate::nested::ept::{self, EXECUTE, READ, WRITE};
use crate::places::overlap;
use crate::tree::{ENTRIES, ROOT_LEVEL, Table, Tree, index, page_bytes};

/// The tables of a view: one of each level, the root first.
pub const TABLES: usize = ROOT_LEVEL as usize;

/// The gate view, as views of roots see it.
#[derive(Clone, Debug)]
pub struct Base<'a> {
    /// Its tables.
    pub tree: Tree<'a>,
    /// Its alias, which views of roots do not have.
    pub alias: Range<u64>,
}

/// The tables of one view.
#[derive(Clone, Copy, Debug)]
pub struct RootView<'a> {
    tables: &'a [Table; TABLES],
    address: u64,
}

impl<'a> RootView<'a> {
    /// A view in these tables, which lie at this physical address.
    pub const fn new(tables: &'a [Table; TABLES], address: u64) -> Self {
        Self { tables, address }
    }

    /// Its EPT pointer.
    pub const fn pointer(&self) -> u64 {
        ept::pointer(self.address)
    }

    /// Lets the frame `own` lead to the frame `target`. No CPU may remember anything of the view.
    pub fn build(&self, base: &Base<'_>, own: u64, target: u64) {
        // What maps `own` in the gate view, if a page does that above the level at hand.
        let mut page = 0;
        for (table, level) in self.tables.iter().zip((1..=ROOT_LEVEL).rev()) {
            let like = base.tree.table(own, level);
            for i in 0..ENTRIES {
                let entry = like.map_or_else(|| ept::part(page, level + 1, i), |like| like.get(i));
                table.set(i, if base.hides(own, level, i) { 0 } else { entry });
            }
            let here = index(own, level);
            page = table.get(here);
            table.set(here, self.step(level, target));
        }
    }

    /// Lets the frame `own`, for which it was built, lead to another frame. No CPU may remember anything of the view.
    pub fn retarget(&self, own: u64, target: u64) {
        if let Some(last) = self.tables.last() {
            last.set(index(own, 1), self.step(1, target));
        }
    }

    /// The entry on the way to `own` in the table of this level.
    const fn step(&self, level: u8, target: u64) -> u64 {
        let table = self.address + (ROOT_LEVEL - level + 1) as u64 * FRAME_BYTES;
        match level {
            1 => ept::page(target, 1, MemoryType::WriteBack, READ | WRITE),
            _ => ept::table(table, READ | WRITE | EXECUTE),
        }
    }
}

impl Base<'_> {
    /// Whether an entry of the table of this level on the way to `own` leads to the alias.
    const fn hides(&self, own: u64, level: u8, index: usize) -> bool {
        let table = own & !(page_bytes(level + 1) - 1);
        let start = table + index as u64 * page_bytes(level);
        overlap(&(start..start + page_bytes(level)), &self.alias)
    }
}

#[cfg(test)]
mod tests;
