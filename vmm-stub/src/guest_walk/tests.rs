use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{ACCESSED, DIRTY, Fault, LARGE, Mode, PRESENT, Paging, WRITABLE};

const ALL: u64 = PRESENT | WRITABLE;

/// Tables in memory; what is not there is refused.
struct Memory(RefCell<BTreeMap<u64, u64>>);

impl Memory {
    fn new(words: &[(u64, u64)]) -> Self {
        Self(RefCell::new(words.iter().copied().collect()))
    }

    /// Entries of 4 bytes, in words of 8.
    fn narrow(entries: &[(u64, u64)]) -> Self {
        let memory = Self::new(&[]);
        for (at, entry) in entries {
            *memory.0.borrow_mut().entry(at & !7).or_default() |= entry << (8 * (at & 7));
        }
        memory
    }

    fn walk(&self, paging: Paging, address: u64, writes: bool) -> Result<u64, Fault> {
        paging.walk(address, writes, |at, set| {
            assert_eq!(at % 8, 0);
            let mut words = self.0.borrow_mut();
            let word = words.get_mut(&at)?;
            let before = *word;
            *word |= set;
            Some(before)
        })
    }

    fn word(&self, at: u64) -> u64 {
        self.0.borrow()[&at]
    }
}

fn paging(mode: Mode) -> Paging {
    Paging { mode, root: 0x1000, write_protect: true }
}

#[test]
fn the_control_registers_choose_the_mode() {
    let mode = |cr0, cr4, efer| Paging::of(cr0, 0, cr4, efer, || [1, 2, 3, 4]).mode;
    assert_eq!(mode(1, 0x20, 0x500), Mode::Off);
    assert_eq!(mode(1 << 31, 0x10, 0), Mode::Bits32 { large: true });
    assert_eq!(mode(1 << 31, 0, 0), Mode::Bits32 { large: false });
    assert_eq!(mode(1 << 31, 0x30, 0x100), Mode::Pae([1, 2, 3, 4]));
    assert_eq!(mode(1 << 31, 0x20, 0x500), Mode::Levels(4));
    assert_eq!(mode(1 << 31, 0x1020, 0x500), Mode::Levels(5));
    assert!(Paging::of(1 << 16, 0, 0, 0, || [0; 4]).write_protect);
    assert!(!Paging::of(1 << 31, 0, 0, 0, || [0; 4]).write_protect);
}

#[test]
fn without_paging_addresses_are_physical() {
    let memory = Memory::new(&[]);
    assert_eq!(memory.walk(paging(Mode::Off), 0xdead_beef, true), Ok(0xdead_beef));
}

#[test]
fn entries_of_4_bytes_lead_through_two_levels() {
    // Address 0x0080_5678: entry 2 of the root, entry 5 of the table.
    let memory = Memory::narrow(&[(0x1008, 0x3000 | ALL), (0x3014, 0xabcd_e000 | ALL)]);
    let mode = Mode::Bits32 { large: false };
    assert_eq!(memory.walk(paging(mode), 0x80_5678, false), Ok(0xabcd_e678));
    // The other half of the word is another entry, and left alone.
    assert_eq!(memory.word(0x1008), 0x3000 | ALL | ACCESSED);
    assert_eq!(memory.word(0x3010), (0xabcd_e000 | ALL | ACCESSED) << 32);
    assert_eq!(memory.walk(paging(mode), 0x80_4678, false), Err(Fault::Page(0)));
    assert_eq!(memory.walk(paging(mode), 0xc0_0000, false), Err(Fault::Page(0)));
}

#[test]
fn a_page_of_4_mib_needs_pse_and_reaches_above_4_gib() {
    let memory = Memory::narrow(&[(0x1000, 0x0040_6000 | ALL | LARGE), (0x40_6000, 0x9000 | ALL)]);
    let with = paging(Mode::Bits32 { large: true });
    assert_eq!(memory.walk(with, 0x12_3456, true), Ok(0x3_0052_3456));
    assert_eq!(memory.word(0x1000) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
    let without = paging(Mode::Bits32 { large: false });
    assert_eq!(memory.walk(without, 0x456, false), Ok(0x9456));
}

#[test]
fn pae_begins_at_four_pointers() {
    let words =
        [(0x5018, 0x6000 | ALL), (0x6010, 0x1_2345_6000 | ALL), (0x5020, 0x20_0000 | ALL | LARGE)];
    let memory = Memory::new(&words);
    let pae = paging(Mode::Pae([0, 0, 0, 0x5000 | PRESENT]));
    assert_eq!(memory.walk(pae, 0xc060_2abc, false), Ok(0x1_2345_6abc));
    assert_eq!(memory.walk(pae, 0xc091_2345, false), Ok(0x31_2345));
    assert_eq!(memory.walk(pae, 0x2abc, true), Err(Fault::Page(2)));
}

/// Address 0x0000_7f80_4020_1123 in four levels, the same below entry 3 of the fifth.
const FAR: u64 = 0x7f80_4020_1123;

#[test]
fn four_and_five_levels_differ_by_the_first() {
    let (four, five) = (0x1000 + 8 * 255, 0x1000 + 8 * 3);
    let below =
        [(0x3000 + 8, 0x4000 | ALL), (0x4000 + 8, 0x5000 | ALL), (0x5000 + 8, 0x77_7000 | ALL)];
    let words = [&below[..], &[(four, 0x3000 | ALL)]].concat();
    assert_eq!(Memory::new(&words).walk(paging(Mode::Levels(4)), FAR, true), Ok(0x77_7123));
    let second = 0x2000 + 8 * 255;
    let words = [&below[..], &[(five, 0x2000 | ALL), (second, 0x3000 | ALL)]].concat();
    let address = FAR | 3 << 48;
    assert_eq!(Memory::new(&words).walk(paging(Mode::Levels(5)), address, true), Ok(0x77_7123));
}

#[test]
fn pages_of_2_mib_and_1_gib_end_the_walk() {
    let root = (0x1000 + 8 * 255, 0x3000 | ALL);
    let gib = [root, (0x3008, 0x8000_0000 | ALL | LARGE)];
    assert_eq!(Memory::new(&gib).walk(paging(Mode::Levels(4)), FAR, false), Ok(0x8020_1123));
    let two = [root, (0x3008, 0x4000 | ALL), (0x4008, 0x60_0000 | ALL | LARGE)];
    assert_eq!(Memory::new(&two).walk(paging(Mode::Levels(4)), FAR, false), Ok(0x60_1123));
    let none = [(root.0, root.1 | LARGE)];
    assert_eq!(Memory::new(&none).walk(paging(Mode::Levels(4)), FAR, false), Err(Fault::Page(9)));
}

#[test]
fn a_store_needs_every_level_writable_where_that_is_heeded() {
    for read_only in 0..2 {
        let entry = |level, at| if level == read_only { at | PRESENT } else { at | ALL };
        let memory = Memory::narrow(&[(0x1000, entry(0, 0x3000)), (0x3000, entry(1, 0x9000))]);
        let strict = paging(Mode::Bits32 { large: false });
        assert_eq!(memory.walk(strict, 4, true), Err(Fault::Page(3)));
        assert_eq!(memory.word(0x3000) & DIRTY, 0);
        assert_eq!(memory.walk(strict, 4, false), Ok(0x9004));
        let lax = Paging { write_protect: false, ..strict };
        assert_eq!(memory.walk(lax, 4, true), Ok(0x9004));
        assert_ne!(memory.word(0x3000) & DIRTY, 0);
    }
}

#[test]
fn tables_that_are_no_memory_are_refused() {
    let memory = Memory::new(&[(0x1000 + 8 * 255, 0x3000 | ALL)]);
    assert_eq!(memory.walk(paging(Mode::Levels(4)), FAR, false), Err(Fault::Refused));
}
