//! Walks go down only where there is a table.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::walk::{self, NoEntry};
use foreign_access::{Entry, Operation, Stopped};
use loadphys_tests::kernel::{PAGES, page};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::Machine;
use x86_64::structures::paging::page_table::PageTableLevel;

/// For every method: a space with all its pages, which is foreign.
fn with_space(work: impl Fn(&mut Tested<'_, '_, '_>, usize)) {
    for method in methods() {
        for room in [4, 5, 64] {
            with_kernel(&Setup { room, ..Setup::roomy(method, 5) }, |kernel| {
                (0..PAGES.len()).for_each(|page| kernel.touch(0, 0, page, None).unwrap());
                kernel.touch(0, 1, 0, None).unwrap();
                work(kernel, room);
                assert_eq!(kernel.model().take_violations(), [], "{method}");
            });
        }
    }
}

#[test]
fn a_visit_shows_what_is_there() {
    with_space(|kernel, room| {
        let root = kernel.machine.world.spaces[0].unwrap();
        let mut seen = Vec::new();
        let nothing = Operation::new(walk::top(root, page(0)), foreign_access::Action::Load);
        let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
        let visited: Result<(), Stopped> =
            walk::visit(apply, root, &mut vec![nothing; room], |name, entry| {
                let entry = Entry(entry.0 & !0x60);
                seen.push((name.level() as u32, name.page().as_u64(), entry));
                Ok(())
            });
        assert_eq!((visited, seen), (Ok(()), kernel.model().entries(root)));
    });
}

#[test]
fn a_walk_ends_at_what_is_not_present_and_at_large_pages() {
    with_space(|kernel, _| {
        let root = kernel.machine.world.spaces[0].unwrap();
        for level in [PageTableLevel::Two, PageTableLevel::Three] {
            let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
            let (name, entry) = walk::find(apply, root, page(0), level).unwrap();
            let word = kernel.model().memory.word(name.physical()).unwrap();
            let large = Entry(entry.0 | 1 << 7);
            let absent = Entry(entry.0 & !1);
            for (changed, expected) in
                [(large, NoEntry::Large(name, large)), (absent, NoEntry::Absent(name, absent))]
            {
                word.set(changed.0);
                let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
                let found = walk::find(apply, root, page(0), PageTableLevel::One);
                assert_eq!(found, Err(expected));
            }
            word.set(entry.0);
        }
    });
}
