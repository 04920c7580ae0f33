//! Every bit of an entry, in tables of every level.

use loadphys_abi::Status;
use loadphys_rules::{Found, Wish};

use crate::memory::FRAME;
use crate::world::{ACCESSED, DIRTY, LARGE, PRESENT, STUB, USER, WIDTH, WRITABLE, World, to};

const TABLE: u64 = 7;

/// A table of this level, and one below it in frame 3; frame 4 is plain.
fn world(level: u64) -> World {
    let mut world = World::new();
    if level > 1 {
        world.register(3, level - 1).unwrap();
    }
    world.register(TABLE, level).unwrap();
    world
}

/// A good entry of this level.
fn good(level: u64) -> u64 {
    if level == 1 { to(4, PRESENT) } else { to(3, PRESENT) }
}

/// What is to be said of a good entry with one more bit set.
fn verdict(level: u64, bit: u32) -> Result<(), Status> {
    match bit {
        // P, RW, US, A, bits 11:9, NX.
        0..=2 | 5 | 9..=11 | 63 => Ok(()),
        6 | 8 if level == 1 => Ok(()),
        7 if level > 1 => Err(Status::LargePage),
        // Bits 13 and 12 are set in 3, and none but bit 14 in 4.
        12 | 13 if level > 1 => Ok(()),
        // Frames 5 and 6 are plain too.
        12 | 13 if level == 1 => Ok(()),
        // Frame 7 is the table itself, which has the wrong level; it was there already in level 1.
        14 if level > 1 => Err(Status::WrongLevel),
        14 => Ok(()),
        15..52 if level > 1 => Err(Status::WrongLevel),
        15..52 => Err(Status::OutsideMemory),
        _ => Err(Status::BadFlags),
    }
}

#[test]
fn present_entries_have_no_bit_that_is_not_on_the_list() {
    for level in 1..=5 {
        for bit in 0..64 {
            let mut world = world(level);
            let stored = world.store(TABLE, 1, good(level) | 1 << bit);
            assert_eq!(stored.map(drop), verdict(level, bit), "level {level} bit {bit}");
        }
    }
}

#[test]
fn absent_entries_name_no_memory() {
    let mut world = world(1);
    let mut says = |entry: u64| world.store(TABLE, 0, entry).map(drop);
    for empty in [0, ACCESSED, DIRTY, ACCESSED | DIRTY] {
        assert_eq!(says(empty), Ok(()));
    }
    for named in [STUB, 1, 11] {
        for flags in [WRITABLE, LARGE, 1 << 62] {
            assert_eq!(says(to(named, flags)), Err(Status::NamesMemory));
        }
    }
    // Beyond memory, up to the highest address that the processor has.
    assert_eq!(says(to(12, WRITABLE)), Ok(()));
    assert_eq!(says(1 << (WIDTH - 1)), Ok(()));
    // A bit more is one that the processor does not look at: frame 1 is named all the same.
    assert_eq!(says(1 << WIDTH | FRAME), Err(Status::NamesMemory));
    assert_eq!(says(0xff << 44 | !7 << 12 & 0xfff_ffff_ffff), Ok(()), "an entry of a page in swap");
}

#[test]
fn with_preset_the_walker_has_nothing_to_set() {
    for level in 1..=4 {
        let mut world = world(level);
        world.preset = true;
        let mut says = |flags: u64| world.store(TABLE, 0, good(level) | flags).map(drop);
        assert_eq!(says(0), Err(Status::NotPreset));
        assert_eq!(says(ACCESSED), Ok(()));
        let writable = if level == 1 { Err(Status::NotPreset) } else { Ok(()) };
        assert_eq!(says(ACCESSED | WRITABLE), writable);
        let dirty = if level == 1 { Ok(()) } else { Err(Status::BadFlags) };
        assert_eq!(says(ACCESSED | WRITABLE | DIRTY), dirty);
    }
}

#[test]
fn a_table_is_mapped_read_only_or_not_at_all() {
    let mut world = world(2);
    world.register(5, 1).unwrap();
    for table in [3, 5, TABLE] {
        assert!(world.store(5, 0, to(table, PRESENT)).is_ok());
        let writable = world.store(5, 0, to(table, PRESENT | WRITABLE));
        assert_eq!(writable, Err(Status::MapsTable));
    }
    for rights in [PRESENT, PRESENT | WRITABLE] {
        assert_eq!(world.store(5, 0, to(STUB, rights)), Err(Status::OutsideMemory));
    }
}

#[test]
fn only_the_supervisor_gets_to_open_tables() {
    let mut world = World::new();
    world.register(TABLE, 4).unwrap();
    world.rules().open(3 * FRAME, 3).unwrap();
    assert!(world.store(TABLE, 0, to(3, PRESENT | WRITABLE)).is_ok());
    let user = world.store(TABLE, 0, to(3, PRESENT | USER));
    assert_eq!(user, Err(Status::WrongLevel));
    assert_eq!(world.store(3, 0, 0), Err(Status::NotATable), "calls do not touch it");
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut world = world(1);
    world.store(TABLE, 0, to(4, PRESENT | WRITABLE)).unwrap();
    let before = (world.memory.all(), world.frames.clone());
    let table = to(TABLE, PRESENT | WRITABLE);
    let bad = Wish::CompareExchange { expected: to(4, PRESENT | WRITABLE), new: table };
    assert_eq!(world.perform(TABLE, 0, bad), Err(Status::MapsTable));
    let new = to(5, PRESENT | WRITABLE);
    let differs = Wish::CompareExchange { expected: 0, new };
    let found = Found { entry: to(4, PRESENT | WRITABLE), differs: true };
    assert_eq!(world.perform(TABLE, 0, differs), Ok(found));
    assert_eq!((world.memory.all(), world.frames.clone()), before);
}

#[test]
fn places_are_checked_before_values() {
    let mut world = world(1);
    let memory = &world.memory;
    let mut rules = loadphys_rules::Typed::new(&mut world.frames, WIDTH, false);
    let mut says = |address| rules.perform(address, Wish::Load, memory).map(drop);
    assert_eq!(says(TABLE * FRAME + 4), Err(Status::Unaligned));
    assert_eq!(says(STUB), Err(Status::OutsideMemory));
    assert_eq!(says(u64::MAX - 7), Err(Status::OutsideMemory));
    assert_eq!(says(4 * FRAME), Err(Status::NotATable));
    assert_eq!(says(TABLE * FRAME + 0xff8), Ok(()));
}
