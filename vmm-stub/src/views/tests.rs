use std::sync::atomic::{AtomicU8, Ordering};

use loadphys_abi::Status;
use loadphys_rules::Tables;

use super::{Taken, Trees, Views, roots_for, tables_needed};
use crate::mtrr::Mtrrs;
use crate::nested::ept::{EXECUTE, READ, WRITE};
use crate::nested::format::Format;
use crate::nested::layout::{ALL_RIGHTS, Layout, VIEW_RIGHTS, end};
use crate::nested::root_view::Base;
use crate::stale::Stale;
use crate::tree::{ADDRESS_BITS, Table, Tree};
use crate::vmx::controls::Invept;

const MIB: u64 = 1 << 20;
const TOP: u64 = 64 * MIB;
/// The guest's image, and a frame of it that may become the gate.
const IMAGE: std::ops::Range<u64> = 2 * MIB..4 * MIB;
const GATE: u64 = 2 * MIB + 0x7000;
/// Where the tables pretend to lie.
const USUAL_AT: u64 = 96 * MIB;
const GATE_AT: u64 = 97 * MIB;
const VIEWS_AT: u64 = 98 * MIB;
const ROOT: [u64; 4] = [0x10_1000, 0x10_2000, 0x10_3000, 0x10_4000];

fn empty(count: usize) -> &'static [Table] {
    (0..count).map(|_| Table::empty()).collect::<Vec<_>>().leak()
}

/// Views of so many roots, and rules under which the roots are registered.
fn views(roots: usize) -> (Views<'static>, Tables<'static>) {
    let mtrrs = Mtrrs::read(|msr| if msr == 0x2ff { 0x806 } else { 0 }, 39);
    let tree = |rights, at| {
        let stub = 96 * MIB..100 * MIB;
        let (end, fine) = (end(39, true, TOP), IMAGE);
        let layout = Layout {
            format: Format::Ept,
            stub,
            end,
            largest: 3,
            fine,
            guarded: 0..0,
            rights,
            alias: None,
            mtrrs: &mtrrs,
        };
        Tree::build(empty(crate::tree::tables_needed(&layout)), at, &layout).unwrap()
    };
    let gate = Base { tree: tree(VIEW_RIGHTS, GATE_AT), alias: 0..0 };
    let usual = tree(ALL_RIGHTS, USUAL_AT);
    let trees = Trees { usual, gate, alias: None };
    let frames = (0..TOP / 4096).map(|_| AtomicU8::new(0)).collect::<Vec<_>>().leak();
    let tables = Tables::new(frames);
    tables.grant(0..TOP);
    for root in ROOT {
        tables.register(root, 4).unwrap();
    }
    (Views::new(trees, empty(tables_needed(roots)), VIEWS_AT).unwrap(), tables)
}

/// The same with the gate open.
fn open(roots: usize) -> (Views<'static>, Tables<'static>) {
    let (views, tables) = views(roots);
    let _ = views.set_gate(&tables, GATE).unwrap();
    views.open_gate(GATE);
    (views, tables)
}

fn rights(views: &Views<'_>) -> [u64; 2] {
    [views.trees.usual, views.trees.gate.tree]
        .map(|tree| tree.entry(GATE, 1).unwrap().load(Ordering::Relaxed) & ALL_RIGHTS)
}

#[test]
fn the_gate_is_sealed_first_and_opened_when_nobody_can_write_to_it() {
    let (views, tables) = views(2);
    assert_eq!(rights(&views), [ALL_RIGHTS, READ | WRITE]);
    let _ = views.set_gate(&tables, GATE).unwrap();
    assert_eq!(views.list.get(1), 0, "no way in before the flush");
    assert_eq!(rights(&views)[0], READ | EXECUTE);
    assert_eq!(
        tables.memory(GATE, 8),
        Err(Status::OutsideMemory),
        "calls do not write there either"
    );
    assert_eq!(tables.register(GATE, 1), Err(Status::OutsideMemory));
    views.open_gate(GATE);
    assert_eq!(rights(&views), [READ | EXECUTE; 2]);
    assert_eq!(views.list.get(1) & ADDRESS_BITS, GATE_AT);
    let executable = |page: &u64| {
        let entry = views.trees.gate.tree.entry(*page, 1).unwrap();
        entry.load(Ordering::Relaxed) & EXECUTE != 0
    };
    assert_eq!(IMAGE.step_by(4096).filter(executable).collect::<Vec<_>>(), [GATE]);
}

#[test]
fn a_gate_is_set_once_and_only_where_it_can_be() {
    let (views, tables) = views(2);
    for frame in [IMAGE.start - 4096, IMAGE.end, TOP, u64::MAX, 1 << 48] {
        assert_eq!(views.set_gate(&tables, frame), Err(Status::NotOffered), "{frame:#x}");
    }
    assert_eq!(views.set_gate(&tables, GATE + 8), Err(Status::Unaligned));
    tables.register(GATE, 1).unwrap();
    assert_eq!(views.set_gate(&tables, GATE), Err(Status::AlreadyATable));
    assert_eq!(rights(&views), [ALL_RIGHTS, READ | WRITE], "nothing has changed");
    assert_eq!(views.take(&tables, (ROOT[0], ROOT[1]), 0), Err(Status::NotOffered));
    tables.release(GATE).unwrap();
    let _ = views.set_gate(&tables, GATE).unwrap();
    assert_eq!(views.set_gate(&tables, GATE), Err(Status::GateIsSet));
    assert_eq!(views.set_gate(&tables, GATE + 0x1000), Err(Status::GateIsSet));
}

/// Binds as a call does, without the flush; says whether one was due.
fn bind(views: &Views<'_>, tables: &Tables<'_>, pair: (u64, u64)) -> (u32, bool) {
    let (view, recycled) = match views.take(tables, pair, 0).unwrap() {
        Taken::Bound(view) => return (view, false),
        Taken::Free(view) => (view, false),
        Taken::Recycled(view, _) => (view, true),
        Taken::NoneNow => panic!("one CPU cannot hold them all"),
    };
    assert_eq!(views.list.get(view as usize), 0, "not to be had while it changes");
    (views.bind(tables, view, pair, 0).unwrap(), recycled)
}

/// Where a view leads the frame of a root.
fn leads_to(views: &Views<'_>, view: u32, own: u64) -> u64 {
    let tables = &views.roots[view as usize - 2];
    tables[3].get(own as usize / 4096 % 512) & ADDRESS_BITS
}

#[test]
fn a_pair_keeps_its_view_until_the_places_run_out() {
    let (views, tables) = open(2);
    assert_eq!(views.count(), 4);
    let [a, b, c] = [1, 2, 3].map(|i| (ROOT[0], ROOT[i]));
    assert_eq!([a, b, a, b].map(|pair| bind(&views, &tables, pair).0), [2, 3, 2, 3]);
    assert_eq!(leads_to(&views, 2, ROOT[0]), ROOT[1]);
    assert_eq!(bind(&views, &tables, c), (2, true));
    assert_eq!(leads_to(&views, 2, ROOT[0]), ROOT[3]);
    assert_eq!(bind(&views, &tables, a), (3, true));
    // Another root whose place is taken, in the place of the same.
    assert_eq!(bind(&views, &tables, (ROOT[3], ROOT[1])), (2, true));
    assert_eq!(leads_to(&views, 2, ROOT[3]), ROOT[1]);
    assert_eq!(leads_to(&views, 2, ROOT[0]), ROOT[0]);
    assert!(views.is_listed(views.list.get(2)) && views.is_listed(views.usual()));
    assert!(!views.is_listed(views.nothing()) && !views.is_listed(0x1234_501e));
}

#[test]
fn a_released_root_takes_its_views_out_of_the_list() {
    let (views, tables) = open(4);
    let pairs = [(ROOT[0], ROOT[1]), (ROOT[1], ROOT[2]), (ROOT[2], ROOT[3])];
    let bound = pairs.map(|pair| bind(&views, &tables, pair).0);
    let pointers = bound.map(|view| views.list.get(view as usize));
    tables.release(ROOT[1]).unwrap();
    assert!(views.unbind(ROOT[1], 3).is_some());
    assert_eq!(pointers.map(|pointer| views.is_listed(pointer)), [false, false, true]);
    let free = |by| views.take(&tables, (ROOT[3], ROOT[0]), by).unwrap();
    // The one place that was never used; then none that CPU 3 holds.
    assert_eq!(free(0), Taken::Free(5));
    assert_eq!(free(1), Taken::Recycled(4, Stale::taken_away()));
    assert_eq!(free(2), Taken::NoneNow);
    views.settle(3);
    assert_eq!(free(2), Taken::Free(2));
    assert!(views.unbind(ROOT[1], 3).is_none(), "there were no more");
}

#[test]
fn only_registered_roots_of_one_height_are_bound() {
    let (views, tables) = open(2);
    tables.register(0x20_1000, 5).unwrap();
    tables.register(0x20_2000, 3).unwrap();
    for (pair, status) in [
        ((ROOT[0], 0x20_3000), Status::NotATable),
        ((ROOT[0], 1 << 40), Status::OutsideMemory),
        ((ROOT[0] + 8, ROOT[1]), Status::Unaligned),
        ((0x20_2000, 0x20_2000), Status::WrongLevel),
        ((ROOT[0], 0x20_1000), Status::WrongLevel),
    ] {
        assert_eq!(views.take(&tables, pair, 0), Err(status));
    }
    let pair = (ROOT[0], ROOT[1]);
    assert_eq!(views.take(&tables, pair, 0), Ok(Taken::Free(2)));
    tables.release(ROOT[1]).unwrap();
    assert_eq!(views.bind(&tables, 2, pair, 0), Err(Status::NotATable));
    assert_eq!(views.list.get(2), 0);
    // What was held is free again.
    assert_eq!(bind(&views, &tables, (ROOT[0], ROOT[2])), (3, false));
    assert_eq!(bind(&views, &tables, (ROOT[0], ROOT[3])), (2, false));
}

#[test]
fn two_cpus_that_want_the_same_pair_get_one_view() {
    let (views, tables) = open(2);
    let pair = (ROOT[0], ROOT[1]);
    let taken = [0, 1].map(|by| views.take(&tables, pair, by).unwrap());
    assert_eq!(taken, [Taken::Free(2), Taken::Free(3)]);
    assert_eq!(views.bind(&tables, 3, pair, 1), Ok(3));
    assert_eq!(views.bind(&tables, 2, pair, 0), Ok(3));
    assert_eq!(bind(&views, &tables, (ROOT[0], ROOT[2])), (2, false));
}

#[test]
fn the_way_back_is_open_again_when_nobody_waits_for_it() {
    let (views, _) = open(0);
    let way_back = || views.list.get(0);
    assert_eq!(way_back(), views.usual());
    views.close_way_back();
    views.close_way_back();
    views.open_way_back();
    assert_eq!(way_back(), 0, "another CPU waits");
    views.open_way_back();
    assert_eq!(way_back(), views.usual());
}

#[test]
fn every_pointer_is_another_and_one_of_them_leads_nowhere() {
    let (views, _) = views(5);
    let mut pointers: Vec<_> = views.pointers().collect();
    assert_eq!(pointers.len(), 3 + 5);
    // The walk has four levels, tables are write-back, Accessed and Dirty are off.
    assert!(pointers.iter().all(|pointer| pointer & !ADDRESS_BITS == 0x1e));
    pointers.sort_unstable();
    pointers.dedup();
    assert_eq!(pointers.len(), 3 + 5);
    assert_eq!(views.nothing() & ADDRESS_BITS, VIEWS_AT + 0x1000);
}

#[test]
fn views_take_one_part_in_sixty_four_of_memory_at_most() {
    assert_eq!([0, MIB - 1, MIB, 128 * MIB, 4096 * MIB].map(roots_for), [0, 0, 1, 128, 510]);
    for top in [MIB, 100 * MIB, 510 * MIB] {
        assert_eq!(roots_for(top) as u64 * 4 * 4096 * 64, top);
    }
}

#[test]
fn a_flush_reaches_every_view_with_either_kind_of_invept() {
    let (views, _) = views(5);
    for kind in [Invept::SingleContext, Invept::AllContexts] {
        // What a CPU remembers, tagged by EPT pointer.
        let mut remembered: Vec<_> = views.pointers().collect();
        for pointer in views.invepts(kind) {
            remembered.retain(|tag| kind == Invept::SingleContext && *tag != pointer);
        }
        assert_eq!(remembered, [], "{kind:?}");
    }
    // The numbers of the types are the manual's (volume 2, "INVEPT").
    assert_eq!([Invept::SingleContext, Invept::AllContexts].map(Invept::operand), [1, 2]);
}
