//! Batches on pages that all spaces have.

use foreign_access::{Action, Entry, EntryName, Operation, walk};
use loadphys_tests::kernel::{SPACES, page};
use loadphys_tests::scenario::{Setup, Tested, with_kernel};
use page_reclaim::{Machine, tables};
use x86_64::structures::paging::page_table::PageTableLevel;

/// The space that CPU 0 has loaded; the others are foreign.
pub const OWN: usize = SPACES - 1;

/// Two pages of the same table, and one of another below the same table of level two.
pub const PAGES: [usize; 3] = [0, 1, 3];

/// A bit of an entry that software may use.
const MARK: u64 = 1 << 9;

/// A kernel all of whose spaces have the pages; CPU 0 has its own loaded, under a PCID.
pub fn with_pages(method: &'static str, room: usize, work: impl FnOnce(&mut Tested<'_, '_, '_>)) {
    let setup = Setup { room, pcids: true, ..Setup::roomy(method, 1) };
    with_kernel(&setup, |kernel| {
        for (space, page) in (0..SPACES).flat_map(|space| PAGES.map(|page| (space, page))) {
            kernel.touch(0, space, page, Some(1)).unwrap();
        }
        work(kernel);
        assert_eq!(kernel.model().take_violations(), [], "{method}");
    });
}

/// The entry of a level on the way to a space's page, and what it holds.
pub fn entry(
    kernel: &mut Tested<'_, '_, '_>,
    space: usize,
    number: usize,
    level: PageTableLevel,
) -> (EntryName, Entry) {
    let root = kernel.machine.world.spaces[space].unwrap();
    let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
    walk::find(apply, root, page(number), level).unwrap()
}

/// Marks the entry of level one of a space's page.
pub fn marking(kernel: &mut Tested<'_, '_, '_>, space: usize, number: usize) -> Operation {
    let root = kernel.machine.world.spaces[space].unwrap();
    let (name, expected) = tables::find(&mut kernel.machine, root, page(number)).unwrap();
    Operation::new(name, Action::CompareExchange { expected, new: marked(expected) })
}

/// The entry with the mark.
pub fn marked(entry: Entry) -> Entry {
    Entry(entry.0 | MARK)
}

/// What stands in memory.
pub fn in_memory(kernel: &Tested<'_, '_, '_>, name: &EntryName) -> Entry {
    Entry(kernel.model().memory.word(name.physical()).unwrap().get())
}

/// Whether the entry in memory is marked.
pub fn is_marked(kernel: &Tested<'_, '_, '_>, operation: &Operation) -> bool {
    in_memory(kernel, &operation.name).0 & MARK != 0
}

/// A compare-exchange that expects something else than what is there.
pub fn expecting_another(operation: &Operation) -> Operation {
    let Action::CompareExchange { expected, new } = operation.action else { unreachable!() };
    let action = Action::CompareExchange { expected: Entry(expected.0 ^ MARK), new };
    Operation { action, ..*operation }
}
