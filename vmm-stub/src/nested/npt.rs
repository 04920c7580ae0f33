//! NPT entries: those of ordinary long-mode tables (AMD64 APM volume 2, order number 24593, section 15.25 "Nested Paging").
//!
//! Every access of the guest counts as one of ring 3 (section 15.25.5 "Nested Table Walk"), so all entries allow that. Memory
//! types are not for these entries to say: the MTRRs hold for what they lead to, whatever they are (section 15.25.8 "Combining
//! Memory Types, MTRRs").

use crate::nested::ept::{EXECUTE, WRITE};

/// Bit 0: there is something, which can be read.
const PRESENT: u64 = 1 << 0;
/// Bit 1: it can be written.
const WRITABLE: u64 = 1 << 1;
/// Bit 2: ring 3 has it too.
const USER: u64 = 1 << 2;
/// Bit 7, in tables of level 2 and 3: a page, not a table.
const LARGE: u64 = 1 << 7;
/// Bit 63: it cannot be executed.
const NO_EXECUTE: u64 = 1 << 63;

/// An entry for a page. All pages can be read.
pub const fn page(address: u64, level: u8, rights: u64) -> u64 {
    table(address, rights) | if level > 1 { LARGE } else { 0 }
}

/// An entry for a table; rights count at every level.
pub const fn table(address: u64, rights: u64) -> u64 {
    let writable = if rights & WRITE != 0 { WRITABLE } else { 0 };
    let executable = if rights & EXECUTE != 0 { 0 } else { NO_EXECUTE };
    address | PRESENT | USER | writable | executable
}

#[cfg(test)]
mod tests {
    use super::{page, table};
    use crate::nested::ept::{EXECUTE, READ, WRITE};

    #[test]
    fn rights_are_those_of_long_mode_entries() {
        assert_eq!(page(0x1000, 1, READ | WRITE | EXECUTE), 0x1007);
        assert_eq!(page(0x20_0000, 2, READ | WRITE), 1 << 63 | 0x20_0087);
        assert_eq!(page(0x4000_0000, 3, READ | EXECUTE), 0x4000_0085);
        assert_eq!(table(0x5000, READ | WRITE), 1 << 63 | 0x5007);
    }
}
