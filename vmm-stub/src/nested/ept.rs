//! EPT entries (SDM volume 3, section "The Extended Page Table Mechanism (EPT)", table "Format of an EPT
//! ... Entry").

use crate::mtrr::MemoryType;
use crate::tree::{ADDRESS_BITS, page_bytes};

/// Bit 0: the guest may read.
pub const READ: u64 = 1 << 0;
/// Bit 1: the guest may write.
pub const WRITE: u64 = 1 << 1;
/// Bit 2: the guest may execute.
pub const EXECUTE: u64 = 1 << 2;
/// Bits 5:3 of a page: its memory type.
const TYPE_SHIFT: u32 = 3;
/// Bit 7, in tables of level 2 and 3: a page, not a table.
const LARGE: u64 = 1 << 7;

/// An entry for a page.
pub const fn page(address: u64, level: u8, kind: MemoryType, rights: u64) -> u64 {
    let large = if level > 1 { LARGE } else { 0 };
    address | rights | (kind as u64) << TYPE_SHIFT | large
}

/// The entry with this index in a table that maps what an entry of this level maps as one page, in the same way.
pub const fn part(page: u64, level: u8, index: usize) -> u64 {
    let (address, below) = (page & ADDRESS_BITS, level - 1);
    let large = if below > 1 { LARGE } else { 0 };
    let kept = page & !(ADDRESS_BITS | LARGE);
    (address + index as u64 * page_bytes(below)) | kept | large
}

/// The same entry with other rights.
pub const fn with_rights(entry: u64, rights: u64) -> u64 {
    entry & !(READ | WRITE | EXECUTE) | rights
}

/// An entry for a table; rights count at every level.
pub const fn table(address: u64, rights: u64) -> u64 {
    address | rights
}

/// The EPT pointer (section "Extended-Page-Table Pointer (EPTP)"): tables are write-back, the walk has four
/// levels, Accessed and Dirty stay off, since nothing here reads them.
pub const fn pointer(root: u64) -> u64 {
    root | MemoryType::WriteBack as u64 | 3 << 3
}
