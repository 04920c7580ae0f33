//! Trees of tables: one loop over levels for the nested tables and for the stub's own.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::FRAME_BYTES;

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// Bits of an entry that hold a physical address.
pub const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

/// The level of a root.
pub const ROOT_LEVEL: u8 = 4;

/// A table, as the hardware sees it, which may look at it while it changes.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Table(pub [AtomicU64; ENTRIES]);

impl Table {
    /// Nothing is mapped.
    pub const fn empty() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }

    /// What this entry holds.
    pub fn get(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::Relaxed)
    }

    /// Stores an entry. What was stored to other tables before is seen by who sees it.
    pub fn set(&self, index: usize, entry: u64) {
        self.0[index].store(entry, Ordering::Release);
    }
}

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

/// Which entry of a table of this level leads to an address.
pub const fn index(at: u64, level: u8) -> usize {
    (at / page_bytes(level)) as usize % ENTRIES
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

/// Tables side by side that lead to one another, the first of them the root.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    tables: &'a [Table],
    address: u64,
}

impl<'a> Tree<'a> {
    /// Builds a tree in tables that lie at this physical address.
    ///
    /// # Errors
    /// [`NoRoom`]; see [`tables_needed`].
    pub fn build(tables: &'a [Table], address: u64, shape: &impl Shape) -> Result<Self, NoRoom> {
        Filling { tables, address, used: 0 }.fill(shape, ROOT_LEVEL, 0)?;
        Ok(Self { tables, address })
    }

    /// The physical address of the root.
    pub const fn root(&self) -> u64 {
        self.address
    }

    /// The table of this level on the way to an address, if the way leads so far within the tree.
    pub fn table(&self, at: u64, level: u8) -> Option<&'a Table> {
        // Beyond what the root translates addresses would wrap.
        if at >= page_bytes(ROOT_LEVEL + 1) {
            return None;
        }
        (level + 1..=ROOT_LEVEL).rev().try_fold(self.tables.first()?, |table, above| {
            let next = table.get(index(at, above)) & ADDRESS_BITS;
            let place = next.checked_sub(self.address)? / FRAME_BYTES;
            self.tables.get(place as usize)
        })
    }

    /// The level of the entry that maps the page at an address as a whole, as far as entries do that.
    pub fn level_at(&self, at: u64) -> u8 {
        /// Bit 7: a page, not a table, in all formats.
        const LARGE: u64 = 1 << 7;
        let is_page =
            |level| self.table(at, level).is_some_and(|t| t.get(index(at, level)) & LARGE != 0);
        (2..ROOT_LEVEL).rev().find(|level| is_page(*level)).unwrap_or(1)
    }

    /// The entry of this level on the way to an address, if the way leads so far within the tree.
    pub fn entry(&self, at: u64, level: u8) -> Option<&'a AtomicU64> {
        self.table(at, level).map(|table| &table.0[index(at, level)])
    }
}

/// A tree that is being built.
struct Filling<'a> {
    tables: &'a [Table],
    address: u64,
    used: usize,
}

impl Filling<'_> {
    fn fill(&mut self, shape: &impl Shape, level: u8, start: u64) -> Result<u64, NoRoom> {
        let mine = self.used;
        self.used += 1;
        for (i, page) in pages(start, level).enumerate() {
            let entry = match shape.slot(&page, level) {
                Slot::Nothing => 0,
                Slot::Entry(entry) => entry,
                Slot::Table => shape.upper(self.fill(shape, level - 1, page.start)?),
            };
            self.tables.get(mine).ok_or(NoRoom)?.set(i, entry);
        }
        Ok(self.address + mine as u64 * FRAME_BYTES)
    }
}
