//! Walks nested tables in plain memory as the hardware would.

use crate::nested::ept::{EXECUTE, READ, WRITE};
use crate::tree::{ADDRESS_BITS, ROOT_LEVEL, index, page_bytes};

/// Where a guest-physical address leads, with what rights, in a page of what size.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The host-physical address.
    pub address: u64,
    /// What all entries on the way allow.
    pub rights: u64,
    /// The memory type.
    pub kind: u64,
    /// The level of the entry that maps the page.
    pub level: u8,
}

/// Where an address leads, if it leads anywhere; `load` gives an entry of the table at an address.
pub fn walk(root: u64, at: u64, load: impl Fn(u64, usize) -> u64) -> Option<Place> {
    let (mut table, mut rights) = (root, READ | WRITE | EXECUTE);
    for level in (1..=ROOT_LEVEL).rev() {
        let entry = load(table, index(at, level));
        rights &= entry;
        if entry & 7 == 0 {
            return None;
        }
        if level == 1 || entry & 1 << 7 != 0 {
            let page = entry & ADDRESS_BITS;
            assert_eq!(page % page_bytes(level), 0, "reserved bits of {entry:#x}");
            let address = page + at % page_bytes(level);
            return Some(Place { address, rights, kind: entry >> 3 & 7, level });
        }
        table = entry & ADDRESS_BITS;
    }
    None
}
