//! The words that tables are made of (SDM volume 3, section "4-Level Paging and 5-Level Paging", tables "Format of a ...
//! Entry").

use loadphys_abi::{ENTRY_BYTES, FRAME_BYTES, Status};

use crate::level::Level;

/// Bit 0: the walker uses the entry.
pub const PRESENT: u64 = 1;
/// Bit 1: may be written to.
pub const WRITABLE: u64 = 1 << 1;
/// Bit 2: is for ring 3 too.
pub const USER: u64 = 1 << 2;
/// Bit 5: was used, set by the walker.
pub const ACCESSED: u64 = 1 << 5;
/// Bit 6, of an entry that maps a page: was written to, set by the walker.
pub const DIRTY: u64 = 1 << 6;
/// Bit 7, above level 1: maps a large page. In level 1 it chooses a memory type.
pub const LARGE: u64 = 1 << 7;
/// Bit 8, of an entry that maps a page: stays in the TLB when CR3 changes.
pub const GLOBAL: u64 = 1 << 8;
/// Bits 11:9 are software's.
pub const SOFTWARE: u64 = 0b111 << 9;
/// Bits 51:12: the frame.
pub const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// Bit 63: nothing there can be executed.
pub const NO_EXECUTE: u64 = 1 << 63;

/// Bits of an address that choose the byte in a page, and the entry in one table.
const PAGE_BITS: u32 = FRAME_BYTES.trailing_zeros();
const INDEX_BITS: u32 = 9;

/// Entries of a table.
pub const ENTRIES: u64 = FRAME_BYTES / ENTRY_BYTES;

const _: () = assert!(ENTRIES == 1 << INDEX_BITS);

/// Where in its table the entry of this level is that translates an address, in bytes.
pub const fn offset(address: u64, level: Level) -> u64 {
    let shift = PAGE_BITS + INDEX_BITS * (level.number() as u32 - 1);
    (address >> shift) % ENTRIES * ENTRY_BYTES
}

/// Whether a root of this level translates the address: the bits above the root's are all as the highest one below.
pub const fn canonical(address: u64, root: Level) -> bool {
    let unused = 64 - (PAGE_BITS + INDEX_BITS * root.number() as u32);
    ((address << unused) as i64 >> unused) as u64 == address
}

#[inline]
pub const fn aligned(address: u64, to: u64) -> Result<(), Status> {
    if address.is_multiple_of(to) { Ok(()) } else { Err(Status::Unaligned) }
}
