//! What an evacuation does to pages, tables and roots, under every method.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::{Action, Entry, Operation, walk};
use loadphys_tests::kernel::{CPUS, PAGES, SHARED, SPACES, frames, page};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::evacuate::{Evacuated, Evacuation, Step, Why};
use page_reclaim::{Kind, Machine, NotEmptyYet, Reference, evacuate, tables};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::frame::PhysFrameRange;
use x86_64::structures::paging::page_table::PageTableLevel;

/// Frames there are, and the first of those that the spaces use: the model gives the last away first.
const FRAMES: u64 = 260;
const USED: u64 = 150;

const PRIVATE_PAGE: usize = SHARED;

/// What the walker sets when it uses an entry.
const ACCESSED: u64 = 1 << 5;

/// The same for every method; at the end all tables and records must agree, and nothing may have gone wrong.
fn with_every_method(change: impl Fn(&mut Setup), work: impl Fn(&mut Tested<'_, '_, '_>)) {
    for (method, pcids) in methods().iter().flat_map(|method| [(method, false), (method, true)]) {
        let mut setup = Setup { pcids, frames: FRAMES as usize, ..Setup::roomy(method, 11) };
        change(&mut setup);
        with_kernel(&setup, |kernel| {
            work(kernel);
            kernel.audit().unwrap();
            read_all(kernel);
            assert_eq!(kernel.model().take_violations(), [], "{method}");
            assert_eq!(kernel.machine.world.happened, [], "{method}");
        });
    }
}

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

fn is_in(range: PhysFrameRange, frame: PhysFrame) -> bool {
    range.start <= frame && frame < range.end
}

/// Programs of all spaces write all their pages.
fn write_all(kernel: &mut Tested<'_, '_, '_>) {
    for (space, page) in (0..SPACES).flat_map(|space| (0..PAGES.len()).map(move |it| (space, it))) {
        kernel.touch(space % CPUS, space, page, Some((space * 100 + page) as u64)).unwrap();
    }
}

/// They read what they should.
fn read_all(kernel: &mut Tested<'_, '_, '_>) {
    for (space, page) in (0..SPACES).flat_map(|space| (0..PAGES.len()).map(move |it| (space, it))) {
        kernel.touch((space + 1) % CPUS, space, page, None).unwrap();
    }
}

/// Every frame of the spaces' tables and pages, by what stands in memory.
fn used(kernel: &Tested<'_, '_, '_>) -> Vec<PhysFrame> {
    let roots = kernel.machine.world.spaces.iter().flatten();
    let below = |root: &PhysFrame| kernel.model().entries(*root).into_iter();
    let frames = roots.clone().flat_map(below).filter_map(|(_, _, entry)| entry.frame());
    frames.chain(roots.copied()).collect()
}

#[test]
fn pages_tables_and_roots_of_running_spaces_move() {
    with_every_method(
        |_| {},
        |kernel| {
            write_all(kernel);
            let range = frames(USED, FRAMES);
            let before = used(kernel);
            let inside = before.iter().filter(|frame| is_in(range, **frame)).count();
            assert!(inside > 60, "{inside} of {}", before.len());
            let found = kernel.evacuate(0, range).unwrap();
            assert_eq!((found.left, found.first_left), (0, None));
            let all = |found: [u32; 4]| found.into_iter().sum::<u32>();
            let Evacuated { free, pages, tables, roots, .. } = found;
            assert_eq!(all([free, pages, tables, roots]) as u64, FRAMES - USED);
            assert!(pages > 20 && tables > 20 && roots == SPACES as u32, "{found:?}");
            assert!(used(kernel).iter().all(|frame| !is_in(range, *frame)));
            assert_eq!(used(kernel).len(), before.len());
            assert_eq!(kernel.unreferenced(range).unwrap().frames as u64, FRAMES - USED);
            assert_eq!(kernel.audit().unwrap().offline as u64, FRAMES - USED);
        },
    );
}

#[test]
fn the_range_stays_unused_until_it_is_opened() {
    with_every_method(
        |setup| setup.frames = 160,
        |kernel| {
            write_all(kernel);
            let range = frames(120, 160);
            assert_eq!(kernel.evacuate(1, range).unwrap().left, 0);
            for round in 0..4 {
                kernel.evict_some(20);
                kernel.exit(round % SPACES).unwrap();
                write_all(kernel);
                assert_eq!(kernel.unreferenced(range).unwrap().frames, 40);
            }
            let free = kernel.memory.frames.free_count();
            kernel.open_all();
            assert_eq!(kernel.memory.frames.free_count(), free + 40);
            assert_eq!(kernel.unreferenced(range), Err(Reference::InUse(frame(120))));
        },
    );
}

#[test]
fn a_frame_of_the_kernels_stays_and_is_named() {
    with_every_method(
        |_| {},
        |kernel| {
            let own = kernel.memory.frames.take_for_kernel().unwrap();
            write_all(kernel);
            let range = frames(USED, FRAMES);
            let found = kernel.evacuate(0, range).unwrap();
            assert_eq!((found.left, found.first_left), (1, Some((own, Why::Kernels))));
            assert_eq!(kernel.unreferenced(range), Err(Reference::InUse(own)));
            assert!(used(kernel).iter().all(|frame| !is_in(range, *frame)));
            let other = kernel.evacuate(0, frames(USED - 1, USED)).map(drop);
            assert_eq!(other, Err(NotEmptyYet(own.start_address().as_u64() >> 12).into()));
            kernel.memory.frames.give_back(own).unwrap();
            assert_eq!(kernel.unreferenced(range).unwrap().frames as u64, FRAMES - USED);
        },
    );
}

#[test]
fn memory_that_was_never_granted_stays() {
    with_every_method(
        |_| {},
        |kernel| {
            let found = kernel.evacuate(0, frames(0, 10)).unwrap();
            let reserved = frame(1);
            assert_eq!((found.left, found.first_left), (7, Some((reserved, Why::NotGranted))));
            assert_eq!(found.free, 2);
        },
    );
}

#[test]
fn without_a_free_frame_outside_it_stops_and_goes_on_when_there_is_one() {
    with_every_method(
        |_| {},
        |kernel| {
            write_all(kernel);
            let range = frames(30, FRAMES);
            let mut evacuation = Evacuation::begin(&mut kernel.memory, range).unwrap();
            let mut steps = [0, 0];
            for _ in 0..200 {
                match kernel.step(&mut evacuation).unwrap() {
                    Step::Done => break,
                    Step::More => steps[0] += 1,
                    Step::NoFrame => {
                        assert_eq!(kernel.memory.frames.free_count(), 0);
                        kernel.audit().unwrap();
                        assert!(evacuation.so_far(&kernel.memory).left > 0);
                        kernel.evict_some(16);
                        steps[1] += 1;
                    }
                }
            }
            assert!(steps[0] > 0 && steps[1] > 0, "{steps:?}");
            kernel.open_all();
        },
    );
}

#[test]
fn programs_run_and_pages_are_evicted_between_the_steps() {
    with_every_method(
        |setup| setup.room = 4,
        |kernel| {
            write_all(kernel);
            let range = frames(USED, FRAMES);
            let mut evacuation = Evacuation::begin(&mut kernel.memory, range).unwrap();
            let mut round = 0;
            while kernel.step(&mut evacuation).unwrap() == Step::More {
                let space = round % SPACES;
                for page in 0..PAGES.len() {
                    kernel.touch(round % CPUS, space, page, Some(round as u64)).unwrap();
                }
                kernel.evict_some(3);
                if round % 5 == 4 {
                    kernel.audit().unwrap();
                    kernel.exit((space + 2) % SPACES).unwrap();
                }
                round += 1;
            }
            assert!(round > 5, "{round} steps");
            assert_eq!(evacuation.so_far(&kernel.memory).left, 0);
            assert_eq!(kernel.unreferenced(range).unwrap().frames as u64, FRAMES - USED);
        },
    );
}

#[test]
fn what_was_written_before_is_dirty_and_what_was_not_is_clean() {
    with_every_method(
        |setup| setup.room = 4,
        |kernel| {
            let rounds = [(Some(5), 1), (None, 0), (Some(6), 1), (None, 0)];
            for (round, (value, written)) in rounds.into_iter().enumerate() {
                let pages = [(0, 0), (1, 0), (0, PRIVATE_PAGE)];
                pages.iter().for_each(|(space, page)| {
                    kernel.touch(0, *space, *page, value).unwrap();
                });
                let accessed = |kernel: &Tested<'_, '_, '_>| {
                    pages.map(|(space, number)| {
                        let root = kernel.machine.world.spaces[space].unwrap();
                        let at = kernel.model().place(root, page(number), 1).unwrap();
                        kernel.model().memory.word(at).unwrap().get() & ACCESSED
                    })
                };
                assert_eq!(accessed(kernel), [ACCESSED; 3]);
                kernel.open_all();
                // To and fro, so that there is something to move each time.
                let range = if round % 2 == 0 { frames(USED, FRAMES) } else { frames(8, USED) };
                assert_eq!(kernel.evacuate(1, range).unwrap().pages, 2);
                assert_eq!(accessed(kernel), [ACCESSED; 3], "no Accessed is lost");
                let victims = [(0, 0), (0, PRIVATE_PAGE)];
                let victims = victims.map(|(space, page)| kernel.frame_of(space, page).unwrap());
                let found = kernel.evict(&victims);
                assert_eq!((found.written, found.clean), (2 * written, 2 * (1 - written)));
            }
        },
    );
}

#[test]
fn what_the_records_do_not_know_stays_where_it_is() {
    let nonsense = Entry(0x1234_5001 & !0xfff | 1 << 12 | 1);
    with_every_method(
        |_| {},
        |kernel| {
            write_all(kernel);
            let root = kernel.machine.world.spaces[0].unwrap();
            let (name, entry) = tables::find(&mut kernel.machine, root, page(0)).unwrap();
            let (found, shared) = (kernel.model().memory.word(name.physical()), entry.frame());
            found.unwrap().set(nonsense.0);
            let at = shared.unwrap().start_address().as_u64() >> 12;
            let found = kernel.evacuate(0, frames(at, at + 1)).unwrap();
            assert_eq!(found.first_left, Some((shared.unwrap(), Why::NotLinked)));
            let word = kernel.model().memory.word(name.physical()).unwrap();
            assert_eq!(word.get(), nonsense.0);
            assert_eq!(kernel.frame_of(1, 0), shared, "the other sharers have it again");
            word.set(entry.0);
        },
    );
}

#[test]
fn what_the_stub_refuses_stays_where_it_is() {
    for method in ["hypercall", "alias", "gate", "root-view"] {
        with_kernel(&Setup::roomy(method, 3), |kernel| {
            write_all(kernel);
            let root = kernel.machine.world.spaces[1].unwrap();
            let (name, entry) =
                tables::find(&mut kernel.machine, root, page(PRIVATE_PAGE)).unwrap();
            kernel.machine.release(name.table()).unwrap();
            kernel.model().memory.set_table(name.table(), true);
            let at = name.table().start_address().as_u64() >> 12;
            let found = kernel.evacuate(0, frames(at, at + 1)).unwrap();
            let Some((stays, Why::Refused(_))) = found.first_left else { panic!("{found:?}") };
            assert_eq!((stays, found.left, found.moved()), (name.table(), 1, 0));
            assert_eq!(kernel.memory.frames.kind(stays), Kind::Table);
            kernel.machine.adopt(name.table(), name.level()).unwrap();
            kernel.audit().unwrap();
            assert_eq!(kernel.frame_of(1, PRIVATE_PAGE), entry.frame());
            kernel.evacuate_another(0, frames(at, at + 1)).unwrap();
            assert_eq!(kernel.memory.frames.kind(name.table()), Kind::Offline);
            read_all(kernel);
            assert_eq!(kernel.model().take_violations(), [], "{method}");
        });
    }
}

#[test]
fn a_root_that_the_stub_refuses_stays_and_is_loaded_again() {
    for method in ["hypercall", "alias", "gate", "root-view"] {
        with_kernel(&Setup::roomy(method, 3), |kernel| {
            write_all(kernel);
            kernel.touch(1, 1, PRIVATE_PAGE, None).unwrap();
            let root = kernel.machine.world.spaces[1].unwrap();
            kernel.machine.release(root).unwrap();
            kernel.model().memory.set_table(root, true);
            let at = root.start_address().as_u64() >> 12;
            let found = kernel.evacuate(0, frames(at, at + 1)).unwrap();
            let Some((stays, Why::Refused(_))) = found.first_left else { panic!("{found:?}") };
            assert_eq!((stays, found.left, found.moved()), (root, 1, 0));
            assert_eq!(kernel.model().root(1), root, "the CPU that left it has it again");
            kernel.machine.adopt(root, PageTableLevel::Four).unwrap();
            kernel.evacuate_another(0, frames(at, at + 1)).unwrap();
            assert_eq!(kernel.memory.frames.kind(root), Kind::Offline);
            assert_eq!(kernel.machine.world.spaces[1], Some(kernel.model().root(1)));
            read_all(kernel);
            assert_eq!(kernel.model().take_violations(), [], "{method}");
        });
    }
}

#[test]
fn a_page_that_is_being_evicted_is_left_to_go_by_itself() {
    with_every_method(
        |_| {},
        |kernel| {
            write_all(kernel);
            let victim = kernel.frame_of(0, PRIVATE_PAGE).unwrap();
            let range = PhysFrame::range(victim, victim + 1);
            let mut found = None;
            kernel.evict_while(&[victim], |_, meddler| {
                let mut room = [Operation::new(walk::top(victim, page(0)), Action::Load); 4];
                let evacuated = evacuate(meddler.memory, meddler.machine, range, &mut room);
                found = found.or(Some(evacuated.unwrap()));
            });
            let found = found.unwrap();
            assert_eq!((found.left, found.first_left), (1, Some((victim, Why::Busy))));
            assert_eq!(kernel.memory.frames.kind(victim), Kind::Offline);
            assert_eq!(kernel.unreferenced(range).unwrap().frames, 1);
        },
    );
}
