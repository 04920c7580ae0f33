//! Slots that lead to foreign roots: how deep they lead, who can go there, and for how long. Attacks 4 and 28 of the list that
//! `cargo xtask test --attacks` runs; each test has a twin that is caught.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]
#![expect(unsafe_code, reason = "loads roots as a careless kernel would; no address is a real one")]

use foreign_access::{Cpu, Entry};
use loadphys_tests::kernel::{FOREIGN_SLOTS, MOST_CPUS, PAGES};
use loadphys_tests::scenario::{Setup, Tested, with_kernel};
use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

/// Methods that lend slots.
const LENDING: [&str; 2] = ["recursive", "root-array"];

/// Does something with a kernel that has just evicted a page which all spaces share; space 0 is loaded on CPU 0.
fn after_an_eviction<T>(method: &'static str, work: impl Fn(&mut Tested<'_, '_, '_>) -> T) -> T {
    with_kernel(&Setup::roomy(method, 5), |kernel| {
        for space in [3, 2, 1, 0] {
            kernel.touch(0, space, 0, Some(space as u64)).expect("there is memory");
        }
        let frame = kernel.frame_of(0, 0).expect("it is there");
        assert_eq!(kernel.evict(&[frame]).evicted, 1);
        work(kernel)
    })
}

/// The foreign slots of a root that are not empty.
fn lent(kernel: &Tested<'_, '_, '_>, root: PhysFrame) -> Vec<Entry> {
    let words = kernel.model().memory.frame(root);
    let first = usize::from(FOREIGN_SLOTS);
    let slots = first..first + MOST_CPUS;
    slots.map(|slot| Entry(words[slot].get())).filter(|entry| *entry != Entry::EMPTY).collect()
}

fn root(kernel: &Tested<'_, '_, '_>, space: usize) -> PhysFrame {
    kernel.machine.world.spaces[space].expect("it exists")
}

/// How many roots below the loaded one a walk through slots can reach, one below the other.
fn depth(kernel: &Tested<'_, '_, '_>, root: PhysFrame) -> usize {
    let below = lent(kernel, root).into_iter().filter_map(Entry::frame);
    below.map(|root| 1 + depth(kernel, root)).max().unwrap_or(0)
}

#[test]
fn slots_lead_one_root_deep() {
    for method in LENDING {
        let found = after_an_eviction(method, |kernel| {
            let loaded = root(kernel, 0);
            (depth(kernel, loaded), (1..4).map(|space| depth(kernel, root(kernel, space))).max())
        });
        assert_eq!(found, (1, Some(0)), "{method}");
    }
}

/// The twin loads the next root without letting go, and edits again from there.
#[test]
fn a_kernel_that_does_not_let_go_makes_a_chain() {
    for method in LENDING {
        let deep = after_an_eviction(method, |kernel| {
            let (first, second) = (root(kernel, 0), root(kernel, 1));
            let held = lent(kernel, first);
            // SAFETY: no address is a real one.
            unsafe { kernel.machine.cpus[0].set_root_register(second.start_address().as_u64()) };
            kernel.touch(0, 1, 4, Some(7)).expect("there is memory");
            let victim = kernel.frame_of(0, 0).or_else(|| kernel.frame_of(1, 4));
            kernel.evict(&victim.into_iter().collect::<Vec<_>>());
            (held.len(), lent(kernel, first).len())
        });
        assert_eq!(deep, (1, 1), "{method}: what was lent stays in a root that is not loaded");
    }
}

/// The address at which the level-one table of the page shows below the foreign slot of CPU 0.
fn shown_in_slot() -> VirtAddr {
    let path = u64::from(u16::from(FOREIGN_SLOTS)) << 39 | PAGES[0] >> 9 & !0xfff & ((1 << 39) - 1);
    VirtAddr::new_truncate(path)
}

/// Under `root-array` pages show there and no tables, so it is `recursive` that has something to lose.
#[test]
fn programs_do_not_reach_what_slots_lend() {
    let (right, twin) = after_an_eviction("recursive", |kernel| {
        let loaded = root(kernel, 0);
        let right = kernel.model().user_load(0, shown_in_slot());
        let slot = &kernel.model().memory.frame(loaded)[usize::from(FOREIGN_SLOTS)];
        slot.set(slot.get() | PageTableFlags::USER_ACCESSIBLE.bits());
        (right, kernel.model().user_load(0, shown_in_slot()))
    });
    assert_eq!(right, None);
    assert!(twin.is_some(), "a slot that is a user's is reached");
}
