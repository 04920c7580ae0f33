//! `unmap`, with both rule sets.

use std::sync::atomic::AtomicU8;

use loadphys_abi::Status;
use loadphys_rules::typed::Kind;
use loadphys_rules::{Found, Mapping, Tables, Typed};

use crate::memory::{FRAME, Memory};
use crate::world::{
    ACCESSED, DIRTY, FRAMES, LARGE, PRESENT, STUB, USER, WIDTH, WRITABLE, World, to,
};

/// The mapping that `World::with_a_page` has.
const MAPPED: Mapping = Mapping { root: 4 * FRAME, page: 0, frame: 5 * FRAME };
const ENTRY: u64 = to(5, PRESENT | WRITABLE);
const DONE: Result<Found, Status> = Ok(Found { entry: ENTRY, differs: false });

fn typed(world: &mut World, mapping: Mapping) -> Result<Found, Status> {
    Typed::new(&mut world.frames, WIDTH, false).unmap(mapping, &world.memory)
}

/// The same tables, for the other rule set.
fn tables(memory: &Memory, mapping: Mapping) -> Result<Found, Status> {
    let bytes: Vec<_> = (0..FRAMES).map(|_| AtomicU8::new(0)).collect();
    let tables = Tables::new(&bytes);
    tables.grant(FRAME..11 * FRAME);
    for level in 1..=4 {
        tables.register(level * FRAME, level).unwrap();
    }
    tables.unmap(mapping, memory)
}

/// Asks both; what is refused changes nothing.
fn both(change: impl Fn(&Memory), mapping: Mapping) -> [Result<Found, Status>; 2] {
    let mut world = World::with_a_page();
    change(&world.memory);
    let before = world.memory.all();
    let first = tables(&world.memory, mapping);
    if first.is_ok_and(|found| !found.differs) {
        change(&world.memory);
        world.memory.at(FRAME).set(ENTRY);
    }
    assert_eq!(world.memory.all(), before);
    [first, typed(&mut world, mapping)]
}

#[test]
fn the_entry_of_the_page_is_emptied_and_counted() {
    let mut world = World::with_a_page();
    assert_eq!(tables(&world.memory, MAPPED), DONE);
    assert_eq!(world.memory.at(FRAME).get(), 0);
    world.memory.at(FRAME).set(ENTRY);
    assert_eq!(typed(&mut world, MAPPED), DONE);
    assert_eq!((world.memory.at(FRAME).get(), world.kind(5)), (0, (Kind::Plain, 0)));
    assert_eq!(typed(&mut world, MAPPED), Err(Status::NotMapped));
}

#[test]
fn another_frame_is_told_and_stays() {
    let found = Ok(Found { entry: ENTRY, differs: true });
    assert_eq!(both(|_| (), Mapping { frame: 6 * FRAME, ..MAPPED }), [found; 2]);
}

#[test]
fn the_index_of_each_level_comes_from_the_page() {
    for shift in [12, 21, 30, 39] {
        let elsewhere = Mapping { page: 1 << shift, ..MAPPED };
        assert_eq!(both(|_| (), elsewhere), [Err(Status::NotMapped); 2], "bit {shift}");
    }
    let last = |memory: &Memory| {
        for level in 1..=4 {
            let entry = memory.at(level * FRAME).replace(0);
            memory.at(level * FRAME + 0xff8).set(entry);
        }
    };
    let page = Mapping { page: !0xfff, ..MAPPED };
    let mut world = World::with_a_page();
    last(&world.memory);
    assert_eq!(typed(&mut world, page), DONE);
}

#[test]
fn addresses_are_checked() {
    let says = |mapping| both(|_| (), mapping);
    for bad in [Mapping { root: 1, ..MAPPED }, Mapping { page: 8, ..MAPPED }] {
        assert_eq!(says(bad), [Err(Status::Unaligned); 2]);
    }
    assert_eq!(says(Mapping { frame: 8, ..MAPPED }), [Err(Status::Unaligned); 2]);
    assert_eq!(says(Mapping { root: STUB, ..MAPPED }), [Err(Status::OutsideMemory); 2]);
    assert_eq!(says(Mapping { root: 5 * FRAME, ..MAPPED }), [Err(Status::NotATable); 2]);
    assert_eq!(says(Mapping { root: 3 * FRAME, ..MAPPED }), [Err(Status::WrongLevel); 2]);
    for page in [1 << 47, 1 << 63, 0xffff << 48] {
        assert_eq!(says(Mapping { page, ..MAPPED }), [Err(Status::NotMapped); 2], "{page:#x}");
    }
}

#[test]
fn every_level_is_checked_on_the_way() {
    for level in 2..=4 {
        let says = |entry| both(|memory| memory.at(level * FRAME).set(entry), MAPPED);
        let link = to(level - 1, USER);
        assert_eq!(says(link), [Err(Status::NotMapped); 2]);
        assert_eq!(says(link | LARGE), [Err(Status::NotMapped); 2]);
        assert_eq!(says(link | PRESENT | LARGE), [Err(Status::LargePage); 2]);
        for frame in [STUB, 5, level, 11, 1 << 30] {
            let wrong = says(to(frame, PRESENT));
            assert_eq!(wrong, [Err(Status::WrongLevel); 2], "{frame}");
        }
    }
}

#[test]
fn the_walker_comes_in_between_but_nobody_for_ever() {
    for (between, wanted) in [
        (vec![ENTRY | ACCESSED], Ok(Found { entry: ENTRY | ACCESSED, differs: false })),
        (
            vec![ENTRY | ACCESSED | DIRTY, ENTRY | ACCESSED],
            Ok(Found { entry: ENTRY | ACCESSED | DIRTY, differs: false }),
        ),
        (
            vec![1, 2, ENTRY | DIRTY, ENTRY, ENTRY | DIRTY],
            Ok(Found { entry: ENTRY | DIRTY, differs: true }),
        ),
        (vec![to(6, PRESENT)], Ok(Found { entry: to(6, PRESENT), differs: true })),
        (vec![0], Err(Status::NotMapped)),
    ] {
        let mut world = World::with_a_page();
        world.memory.between.replace(between.clone());
        assert_eq!(typed(&mut world, MAPPED), wanted);
        let world = World::with_a_page();
        world.memory.between.replace(between);
        assert_eq!(tables(&world.memory, MAPPED), wanted);
    }
}

#[test]
fn five_levels_are_walked_too() {
    let mut world = World::with_a_page();
    world.register(9, 5).unwrap();
    world.store(9, 1, to(4, PRESENT)).unwrap();
    let mapping = Mapping { root: 9 * FRAME, page: 1 << 48, ..MAPPED };
    assert_eq!(typed(&mut world, Mapping { page: 1 << 56, ..mapping }), Err(Status::NotMapped));
    assert_eq!(typed(&mut world, mapping), DONE);
}

#[test]
fn open_tables_are_not_walked() {
    let mut world = World::new();
    world.rules().open(3 * FRAME, 3).unwrap();
    world.register(4, 4).unwrap();
    world.store(4, 0, to(3, PRESENT)).unwrap();
    assert_eq!(typed(&mut world, MAPPED), Err(Status::WrongLevel));
}
