//! Trees of tables: one loop over levels for the nested tables and for the stub's own.

use core::ops::Range;

use loadphys_abi::FRAME_BYTES;

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// Bits of an entry that hold a physical address.
pub const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

/// The level of a root.
pub const ROOT_LEVEL: u8 = 4;

/// A table, as the hardware sees it.
#[derive(Clone, Debug)]
#[repr(C, align(4096))]
pub struct Table(pub [u64; ENTRIES]);

const _: () = assert!(size_of::<Table>() == FRAME_BYTES as usize);

/// What an entry is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing is mapped.
    Nothing,
    /// Exactly this: a page, or a table that someone else keeps.
    Entry(u64),
    /// A table of the next level.
    Table,
}

/// What a tree is to map.
pub trait Shape {
    /// What the entry for this page is to hold, in a table of this level (1 to 4).
    fn slot(&self, page: &Range<u64>, level: u8) -> Slot;

    /// An entry that leads to the table at this physical address.
    fn upper(&self, table: u64) -> u64;
}

/// Bytes that one entry of a table of this level maps.
pub const fn page_bytes(level: u8) -> u64 {
    FRAME_BYTES << (9 * (level as u32 - 1))
}

/// The pages of a table's entries, from where the table begins.
fn pages(start: u64, level: u8) -> impl Iterator<Item = Range<u64>> {
    let bytes = page_bytes(level);
    (0..ENTRIES as u64).map(move |i| start + i * bytes..start + (i + 1) * bytes)
}

/// How many tables a tree takes.
pub fn tables_needed(shape: &impl Shape) -> usize {
    count(shape, ROOT_LEVEL, 0)
}

fn count(shape: &impl Shape, level: u8, start: u64) -> usize {
    let below = |page: Range<u64>| match shape.slot(&page, level) {
        Slot::Table => count(shape, level - 1, page.start),
        _ => 0,
    };
    1 + pages(start, level).map(below).sum::<usize>()
}

/// There are fewer tables than the tree takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Tables side by side, the first at a known physical address.
#[derive(Debug)]
pub struct Storage<'a> {
    tables: &'a mut [Table],
    address: u64,
    used: usize,
}

impl<'a> Storage<'a> {
    /// Tables that lie at this physical address.
    pub const fn new(tables: &'a mut [Table], address: u64) -> Self {
        Self { tables, address, used: 0 }
    }

    /// Builds a tree and returns the physical address of its root.
    ///
    /// # Errors
    /// [`NoRoom`]; see [`tables_needed`].
    pub fn build(&mut self, shape: &impl Shape) -> Result<u64, NoRoom> {
        self.fill(shape, ROOT_LEVEL, 0)
    }

    fn fill(&mut self, shape: &impl Shape, level: u8, start: u64) -> Result<u64, NoRoom> {
        let mine = self.used;
        self.used += 1;
        for (i, page) in pages(start, level).enumerate() {
            let entry = match shape.slot(&page, level) {
                Slot::Nothing => 0,
                Slot::Entry(entry) => entry,
                Slot::Table => shape.upper(self.fill(shape, level - 1, page.start)?),
            };
            self.tables.get_mut(mine).ok_or(NoRoom)?.0[i] = entry;
        }
        Ok(self.address + mine as u64 * FRAME_BYTES)
    }
}
