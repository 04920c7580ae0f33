//! Frames become tables and plain again, and counts say when.

use loadphys_abi::Status;
use loadphys_rules::typed::Kind;
use loadphys_rules::{Level, Wish};

use crate::memory::FRAME;
use crate::world::{PRESENT, STUB, USER, WRITABLE, World, to};

fn level(number: u64) -> Level {
    Level::new(number).unwrap()
}

#[test]
fn a_frame_that_becomes_a_table_is_of_no_use_before() {
    let mut world = World::new();
    world.register(2, 2).unwrap();
    world.register(6, 1).unwrap();
    let becoming = world.rules().begin_register(FRAME, 1).unwrap();
    assert_eq!(world.kind(1), (Kind::Becoming(level(1)), 0));
    assert_eq!(world.store(2, 0, to(1, PRESENT)), Err(Status::WrongLevel));
    assert_eq!(world.store(6, 0, to(1, PRESENT | WRITABLE)), Err(Status::MapsTable));
    assert_eq!(world.perform(1, 0, Wish::Load), Err(Status::NotATable));
    assert_eq!(world.release(1), Err(Status::NotATable));
    let rules = world.rules();
    assert_eq!(rules.memory(FRAME, 8).map(drop), Err(Status::AlreadyATable));
    assert!(rules.word(FRAME).is_ok());
    assert_eq!(world.rules().begin_register(FRAME, 1).map(drop), Err(Status::AlreadyATable));
    assert!(world.rules().finish_register(becoming, &crate::memory::Memory::new(2)).is_ok());
    assert!(world.store(2, 0, to(1, PRESENT)).is_ok());
}

#[test]
fn what_lies_in_a_new_table_is_counted() {
    let mut world = World::new();
    for (index, frame) in [(0, 3), (1, 3), (511, 4)] {
        world.memory.at(FRAME + 8 * index).set(to(frame, PRESENT | WRITABLE));
    }
    world.register(1, 1).unwrap();
    assert_eq!(world.kind(3), (Kind::Plain, 2));
    assert_eq!(world.kind(4), (Kind::Plain, 1));
    assert_eq!(world.register(3, 1).map(drop), Err(Status::InUse));
    assert_eq!(world.rules().open(3 * FRAME, 3).map(drop), Err(Status::InUse));
    world.release(1).unwrap();
    assert_eq!((world.kind(3), world.kind(4)), ((Kind::Plain, 0), (Kind::Plain, 0)));
    assert_eq!(world.memory.at(FRAME).get(), to(3, PRESENT | WRITABLE), "it stays there");
}

#[test]
fn one_bad_entry_spoils_a_new_table() {
    let bad = [
        (to(STUB, PRESENT), Status::OutsideMemory),
        (to(1, PRESENT | WRITABLE), Status::MapsTable),
        (to(2, PRESENT) | 1 << 3, Status::BadFlags),
        (2 * FRAME, Status::NamesMemory),
    ];
    for (entry, status) in bad {
        let mut world = World::new();
        world.memory.at(FRAME).set(to(3, PRESENT | WRITABLE));
        world.memory.at(FRAME + 8 * 511).set(entry);
        assert_eq!(world.register(1, 1).map(drop), Err(status));
        assert_eq!((world.kind(1), world.kind(3)), ((Kind::Plain, 0), (Kind::Plain, 0)));
    }
}

#[test]
fn tables_that_entries_lead_to_stay() {
    let mut world = World::with_a_page();
    for table in 1..4 {
        assert_eq!(world.release(table).map(drop), Err(Status::InUse));
    }
    assert_eq!(world.kind(5), (Kind::Plain, 1));
    for table in (1..=4).rev() {
        world.release(table).unwrap();
    }
    assert!((1..=5).all(|frame| world.kind(frame) == (Kind::Plain, 0)));
}

#[test]
fn open_tables_are_released_at_count_zero() {
    let mut world = World::new();
    world.rules().open(3 * FRAME, 3).unwrap();
    world.memory.at(3 * FRAME).set(to(STUB, PRESENT | USER | WRITABLE));
    world.register(4, 4).unwrap();
    world.store(4, 300, to(3, PRESENT | WRITABLE)).unwrap();
    assert_eq!(world.release(3).map(drop), Err(Status::InUse));
    world.store(4, 300, 0).unwrap();
    assert_eq!(world.release(3).map(|table| table.level().number()), Ok(3));
    assert_eq!(world.kind(3), (Kind::Plain, 0));
}

#[test]
fn what_lies_in_an_open_table_was_not_counted_and_is_not_given_back() {
    let mut world = World::with_a_page();
    world.rules().open(6 * FRAME, 2).unwrap();
    world.memory.at(6 * FRAME).set(to(1, PRESENT));
    world.memory.at(6 * FRAME + 8).set(to(5, PRESENT | WRITABLE));
    world.release(6).unwrap();
    assert_eq!((world.kind(1).1, world.kind(5).1), (1, 1));
}

#[test]
fn frames_and_levels_are_checked() {
    let mut world = World::new();
    let mut says = |frame, level| world.rules().begin_register(frame, level).map(drop);
    assert_eq!(says(FRAME + 8, 1), Err(Status::Unaligned));
    assert_eq!(says(FRAME, 0), Err(Status::NoSuchLevel));
    assert_eq!(says(FRAME, 6), Err(Status::NoSuchLevel));
    assert_eq!(says(STUB, 1), Err(Status::OutsideMemory));
    assert_eq!(says(11 * FRAME, 1), Err(Status::OutsideMemory));
    assert_eq!(says(1 << 62, 1), Err(Status::OutsideMemory));
    assert_eq!(world.release(STUB).map(drop), Err(Status::OutsideMemory));
    assert_eq!(world.release(1).map(drop), Err(Status::NotATable));
}

#[test]
fn arrays_lie_in_plain_memory() {
    let mut world = World::new();
    world.register(5, 1).unwrap();
    let rules = world.rules();
    assert!(rules.memory(FRAME, 4 * FRAME).is_ok());
    assert_eq!(rules.memory(FRAME, 4 * FRAME + 8).map(drop), Err(Status::AlreadyATable));
    assert_eq!(rules.memory(FRAME + 4, 8).map(drop), Err(Status::Unaligned));
    assert_eq!(rules.memory(10 * FRAME, FRAME + 8).map(drop), Err(Status::OutsideMemory));
    assert_eq!(rules.memory(u64::MAX - 7, 16).map(drop), Err(Status::OutsideMemory));
    assert_eq!(rules.word(STUB).map(drop), Err(Status::OutsideMemory));
    assert_eq!(rules.word(FRAME + 1).map(drop), Err(Status::Unaligned));
}
