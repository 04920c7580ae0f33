//! Accessed and Dirty, set for the walker.

use loadphys_abi::Status;
use loadphys_rules::Level;
use loadphys_rules::typed::Walk;

use crate::memory::FRAME;
use crate::world::{ACCESSED, DIRTY, LARGE, PRESENT, STUB, WIDTH, WRITABLE, World, to};

fn walk(address: u64) -> Walk {
    Walk { root: 4 * FRAME, level: Level::new(4).unwrap(), address, writes_anywhere: false }
}

/// Touches with no count changed and no bit but these two.
fn touch(world: &mut World, walk: Walk) -> Result<u64, Status> {
    let (words, frames) = (world.memory.all(), world.frames.clone());
    let set =
        loadphys_rules::Typed::new(&mut world.frames, WIDTH, false).touch(walk, &world.memory);
    assert_eq!(world.frames, frames);
    for (now, before) in world.memory.all().into_iter().zip(words) {
        assert_eq!((now ^ before) & !(ACCESSED | DIRTY), 0);
        assert_eq!(now & before, before);
    }
    set
}

fn flags(world: &World) -> [u64; 4] {
    [1, 2, 3, 4].map(|frame| world.memory.at(frame * FRAME).get() & (ACCESSED | DIRTY))
}

#[test]
fn accessed_comes_first_and_dirty_when_nothing_else_is_missing() {
    let mut world = World::with_a_page();
    assert_eq!(touch(&mut world, walk(0xfff)), Ok(4));
    assert_eq!(flags(&world), [ACCESSED; 4]);
    assert_eq!(touch(&mut world, walk(0)), Ok(1));
    assert_eq!(flags(&world), [ACCESSED | DIRTY, ACCESSED, ACCESSED, ACCESSED]);
    assert_eq!(touch(&mut world, walk(0)), Ok(0));
}

#[test]
fn what_is_not_writable_does_not_become_dirty_unless_writes_go_anywhere() {
    let mut world = World::with_a_page();
    world.store(1, 0, to(5, PRESENT | ACCESSED)).unwrap();
    assert_eq!(touch(&mut world, walk(0)), Ok(3));
    assert_eq!(touch(&mut world, walk(0)), Ok(0));
    assert_eq!(touch(&mut world, Walk { writes_anywhere: true, ..walk(0) }), Ok(1));
    assert_eq!(flags(&world)[0], ACCESSED | DIRTY);
}

#[test]
fn a_walk_that_ends_early_is_tried_again() {
    let mut world = World::with_a_page();
    assert_eq!(touch(&mut world, walk(0x1000)), Ok(3));
    assert_eq!(touch(&mut world, walk(1 << 39)), Ok(0));
    world.store(2, 0, 0).unwrap();
    world.store(4, 0, to(3, PRESENT | WRITABLE)).unwrap();
    assert_eq!(touch(&mut world, walk(0)), Ok(1));
}

#[test]
fn somebody_else_may_come_first() {
    let mut world = World::with_a_page();
    let other = to(3, PRESENT | WRITABLE | 4 | ACCESSED);
    world.memory.between.replace(vec![other]);
    let memory = &world.memory;
    let set = loadphys_rules::Typed::new(&mut world.frames, WIDTH, false).touch(walk(0), memory);
    assert_eq!(set, Ok(3), "the root's entry was set already");
}

#[test]
fn in_memory_that_the_guest_writes_the_walker_sets_what_it_likes() {
    let mut world = World::new();
    world.rules().open(3 * FRAME, 3).unwrap();
    world.register(4, 4).unwrap();
    world.store(4, 0, to(3, PRESENT)).unwrap();
    let large = to(7, PRESENT | WRITABLE | LARGE);
    world.memory.at(3 * FRAME).set(large);
    assert_eq!(touch(&mut world, walk(0)), Ok(1));
    assert_eq!(touch(&mut world, walk(0)), Ok(0));
    assert_eq!(world.memory.at(3 * FRAME).get(), large);
}

#[test]
fn a_large_page_ends_the_walk_whatever_lies_there() {
    let mut world = World::with_a_page();
    world.rules().open(6 * FRAME, 3).unwrap();
    world.memory.at(6 * FRAME).set(to(2, PRESENT | LARGE));
    world.register(9, 4).unwrap();
    world.store(9, 0, to(6, PRESENT)).unwrap();
    let walk = Walk { root: 9 * FRAME, ..walk(0) };
    assert_eq!(touch(&mut world, walk), Ok(1));
    assert_eq!(flags(&world), [0; 4]);
}

#[test]
fn checked_tables_serve_their_level_only() {
    let mut world = World::with_a_page();
    world.memory.at(6 * FRAME).set(to(1, PRESENT));
    let plain = Walk { root: 6 * FRAME, ..walk(0) };
    assert_eq!(touch(&mut world, plain), Err(Status::WrongLevel));
    world.memory.at(6 * FRAME).set(to(STUB, PRESENT));
    assert_eq!(touch(&mut world, plain), Err(Status::OutsideMemory));
    world.memory.at(6 * FRAME).set(to(3, PRESENT));
    assert_eq!(touch(&mut world, Walk { address: 0, ..plain }), Ok(3), "below its own root");
    assert_eq!(world.memory.at(6 * FRAME).get(), to(3, PRESENT));
}

#[test]
fn the_walker_waits_for_a_frame_that_becomes_a_table() {
    let mut world = World::with_a_page();
    world.memory.at(6 * FRAME).set(to(7, PRESENT));
    world.memory.at(7 * FRAME).set(to(2, PRESENT));
    world.rules().begin_register(7 * FRAME, 3).unwrap();
    assert_eq!(touch(&mut world, Walk { root: 6 * FRAME, ..walk(0) }), Ok(0));
    assert_eq!(world.memory.at(7 * FRAME).get(), to(2, PRESENT));
}
