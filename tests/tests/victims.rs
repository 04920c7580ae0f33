//! The choice of victims by what was touched.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]
#![cfg_attr(
    feature = "broken-forget-dirty",
    allow(unused_imports, reason = "some tests need what is not broken")
)]

use foreign_access::{Action, EntryName, Operation};
use loadphys_apps::course::Course;
use loadphys_tests::hit_rates::{Reclaimed, Walker, hits, hits_of_belady, trace};
use loadphys_tests::kernel::{Choice, Happened, Kernel, PAGES, Records, SHARED, SPACES};
use loadphys_tests::model::Random;
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::tables::{find, find_or_build, new_root};
use page_reclaim::victims::{Clock, choose};
use page_reclaim::{Backing, Rights, Room, Share, Write, bring_in, evict};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::{PhysAddr, VirtAddr};

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

fn room(operations: usize) -> Vec<Operation> {
    let (root, page) = (frame(0), VirtAddr::zero());
    let name = EntryName::new(root, root, page, PageTableLevel::One);
    vec![Operation::new(name, Action::Load); operations]
}

fn chosen<C: foreign_access::Cpu, M: foreign_access::Method<C>>(
    kernel: &mut Kernel<'_, '_, C, M>,
    most: usize,
) -> Vec<PhysFrame> {
    let mut victims = vec![frame(0); most];
    let Kernel { memory, machine, .. } = kernel;
    let found = choose(memory, machine, &mut victims, &mut room(16));
    victims.truncate(found);
    victims
}

/// Pages of one space that are touched again and again, while every other space touches each of its own once.
#[test]
#[cfg(not(feature = "broken-forget-dirty"))]
fn a_hot_set_survives_a_scan_under_every_method() {
    for method in methods() {
        with_kernel(&Setup::roomy(method, 3), |kernel| {
            let hot = |kernel: &mut Tested<'_, '_, '_>| {
                (SHARED..PAGES.len()).for_each(|page| kernel.touch(0, 0, page, None).unwrap());
            };
            hot(kernel);
            chosen(kernel, 0);
            for space in 1..SPACES {
                for page in SHARED..PAGES.len() {
                    kernel.touch(0, space, page, Some(7)).unwrap();
                    hot(kernel);
                }
                let victims = chosen(kernel, 2);
                assert!(!victims.is_empty(), "{method}");
                kernel.evict(&victims);
            }
            let missing = |page: &usize| kernel.frame_of(0, *page).is_none();
            let gone = (SHARED..PAGES.len()).filter(missing).count();
            assert_eq!(gone, 0, "{method}");
            kernel.audit().unwrap();
            assert_eq!(kernel.model().take_violations(), [], "{method}");
        });
    }
}

/// What programs read and nobody wrote, while victims are chosen and programs on the other CPU write in the middle.
fn lost(method: &'static str, seed: u64) -> Vec<Happened> {
    let setup = Setup { intruder: true, goes_on: true, ..Setup::roomy(method, seed) };
    with_kernel(&setup, |kernel| {
        let random = Random::new(seed);
        for step in 0..150 {
            let (cpu, space) = (random.below(2), random.below(SPACES));
            kernel.touch(cpu, space, random.below(PAGES.len()), None).unwrap();
            if step % 5 == 0 {
                let victims = chosen(kernel, 3);
                kernel.evict(&victims);
            }
        }
        kernel.audit().unwrap();
        std::mem::take(&mut kernel.machine.world.happened)
    })
}

#[test]
#[cfg(not(feature = "broken-forget-dirty"))]
fn nothing_that_is_written_meanwhile_is_lost() {
    for method in methods() {
        (0..20).for_each(|seed| assert_eq!(lost(method, seed), [], "{method}, seed {seed}"));
    }
}

#[test]
#[cfg(feature = "broken-forget-dirty")]
fn a_choice_that_forgets_dirty_is_caught() {
    for method in methods() {
        assert!((0..20).any(|seed| !lost(method, seed).is_empty()), "{method}");
    }
}

/// Hits of the clock, the two hands and Belady on the same touches.
fn hits_of_all(course: Course, pages: u64, frames: u32) -> [usize; 3] {
    let trace = trace(course, pages, 5, 20 * pages as usize);
    let of = |choice| {
        let count = Reclaimed::records_for(pages, frames);
        let mut records = Records::new(count, pages as usize, pages as usize);
        hits(&mut Reclaimed::new(records.memory(), pages, frames, choice), &trace)
    };
    let clock = of(Choice::Clock(Clock::default()));
    [clock, of(Choice::TwoHands), hits_of_belady(frames as usize, &trace)]
}

#[test]
fn two_hands_resist_scans_better_than_a_clock() {
    for course in [Course::HotAndScan, Course::Skewed, Course::SkewedAndScan] {
        let [clock, hands, best] = hits_of_all(course, 2048, 512);
        assert!(hands > clock && hands <= best, "{course:?}: {clock} {hands} {best}");
        assert!(hands * 100 >= best * 85, "{course:?}: {hands} of {best}");
    }
}

const MANY: u64 = 4096;

#[test]
fn a_page_of_4096_spaces_goes_in_rounds_and_is_looked_at_in_few_operations() {
    let mut records = Records::new(5 * MANY as usize, MANY as usize, 8);
    let (mut memory, mut walker) = (records.memory(), Walker::default());
    (1..memory.frames.len() as u64).for_each(|number| memory.frames.grant(frame(number)).unwrap());
    let (page, backing) = (VirtAddr::new(0x40_0000), Backing::Shared(Share::new(0)));
    let roots: Vec<_> = (0..MANY).map(|_| new_root(&mut memory, &mut walker).unwrap()).collect();
    for root in &roots {
        let name = find_or_build(&mut memory, &mut walker, *root, page).unwrap();
        bring_in(&mut memory, &mut walker, name, backing, Rights::DATA).unwrap();
    }
    let (mut operations, mut pages) = (room(100), [Write::NOTHING; 4]);
    let victim = find(&mut walker, roots[0], page).unwrap().1.frame().unwrap();
    // One of the spaces touches it. Each time some are looked at, not all, so the page goes all the same.
    assert!(walker.touch(roots[MANY as usize / 2], page, true));
    let before = walker.operations;
    let mut victims = [frame(0); 4];
    assert_eq!(choose(&mut memory, &mut walker, &mut victims, &mut operations), 1);
    assert_eq!(victims[0], victim);
    let looked = walker.operations - before;
    assert!((64..=64 * 2 * 6).contains(&looked), "{looked} operations");
    let mut room = Room { operations: &mut operations, pages: &mut pages };
    let evicted = evict(&mut memory, &mut walker, &[victim], &mut room);
    assert_eq!((evicted.evicted, evicted.edited, evicted.written), (1, MANY as u32, 1));
    assert!(roots.iter().all(|root| !walker.touch(*root, page, false)));
}
