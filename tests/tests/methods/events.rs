//! What each method does to the machine for a batch: nothing more than the table says.

use foreign_access::cpu::Events;
use foreign_access::{Action, Operation, Refusal, Stopped};
use loadphys_tests::kernel::{BOOT_ROOT, SPACES};
use loadphys_tests::scenario::{Tested, methods};
use page_reclaim::Machine;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::batch::{OWN, PAGES, entry, expecting_another, in_memory, marked, with_pages};

/// Views of roots that the stub has.
const VIEWS: u64 = 3;

/// Which entries a batch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// One of the loaded space.
    Own,
    /// One each of so many foreign spaces.
    Foreign(u64),
    /// Two of the same table of a foreign space.
    OneTable,
    /// One each of two tables of a foreign space.
    TwoTables,
    /// One of a foreign root itself.
    ForeignRoot,
    /// One of a foreign space, which the batch before was about too.
    Again,
}

/// What is done with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Load,
    Exchange,
    CompareExchange,
    /// A compare-exchange that expects something else than what is there.
    Differ,
}

/// All that is tried; a batch that differs at its first operation does no more.
fn all() -> impl Iterator<Item = (Of, Verb)> {
    let foreign = (1..SPACES as u64).map(Of::Foreign);
    let others = [Of::Own, Of::OneTable, Of::TwoTables, Of::ForeignRoot, Of::Again];
    let verbs = [Verb::Load, Verb::Exchange, Verb::CompareExchange, Verb::Differ];
    let pairs = foreign.chain(others).flat_map(move |of| verbs.map(|verb| (of, verb)));
    pairs.filter(|(of, verb)| *verb != Verb::Differ || of.count() == 1)
}

impl Of {
    const fn count(self) -> u64 {
        match self {
            Self::Foreign(count) => count,
            Self::OneTable | Self::TwoTables => 2,
            Self::Own | Self::ForeignRoot | Self::Again => 1,
        }
    }

    /// Foreign roots, and tables of theirs, that the batch is about.
    const fn foreign(self) -> (u64, u64) {
        match self {
            Self::Own => (0, 0),
            Self::Foreign(count) => (count, count),
            Self::TwoTables => (1, 2),
            Self::OneTable | Self::ForeignRoot | Self::Again => (1, 1),
        }
    }

    /// Space, page and level of each entry.
    fn entries(self) -> Vec<(usize, usize, PageTableLevel)> {
        let [page, beside, apart] = PAGES;
        let one = PageTableLevel::One;
        match self {
            Self::Own => vec![(OWN, page, one)],
            Self::Foreign(count) => (0..count as usize).map(|space| (space, page, one)).collect(),
            Self::OneTable => vec![(0, page, one), (0, beside, one)],
            Self::TwoTables => vec![(0, page, one), (0, apart, one)],
            Self::ForeignRoot => vec![(0, page, PageTableLevel::Four)],
            Self::Again => vec![(0, page, one)],
        }
    }
}

/// What a method does besides the operations themselves.
fn besides(method: &str, of: Of) -> Events {
    let (roots, tables) = of.foreign();
    let own = u64::from(of == Of::Own);
    let none = Events::default();
    match method {
        "direct-map" | "mirror" | "alias" => none,
        // It looks what its slot holds, once a batch, and makes it hold each foreign root.
        "recursive" => {
            let slots = if of == Of::Again { 0 } else { roots };
            let looks = u64::from(roots > 0);
            Events { entry_loads: looks, entry_writes: slots, invlpgs: tables + own, ..none }
        }
        // Roots are in the array; for what is below, it looks up the foreign root's entry and gives it to its slot.
        "root-array" if of == Of::ForeignRoot => none,
        "root-array" => {
            Events { entry_loads: roots, entry_writes: roots, invlpgs: tables + own, ..none }
        }
        // The window is pointed at each table, and emptied once; each time it is invalidated.
        "temp-map" => Events { entry_writes: tables + own + 1, invlpgs: tables + own + 1, ..none },
        "paging-off" => Events { paging_off: 1, masks: 1, ..none },
        "space-switch" | "space-switch-pcid" => {
            let back = u64::from(roots > 0);
            Events { root_writes: roots + back, invlpgs: tables + own, masks: 1, ..none }
        }
        "in-context" => Events { contexts: roots, invlpgs: tables + own, ..none },
        "hypercall" => Events { vm_calls: 1, ..none },
        // There and back, once.
        "gate" => Events { vmfuncs: 2, masks: 1, ..none },
        // There and back for each foreign root, and one more INVLPG; if there are more of them than views, each is asked for
        // anew.
        "root-view" => {
            let vm_calls = if roots > VIEWS { roots } else { 0 };
            let vmfuncs = 2 * roots;
            let invlpgs = tables + roots + own;
            Events { vm_calls, vmfuncs, masks: roots, invlpgs, ..none }
        }
        other => panic!("no line for {other}"),
    }
}

/// With the operations themselves: where the stub does them, they are not ours; in physical mode every one
/// counts as a write.
fn expected(method: &str, of: Of, verb: Verb) -> Events {
    let events = besides(method, of);
    match method {
        "hypercall" => events,
        _ if verb == Verb::Load && method != "paging-off" => {
            Events { entry_loads: events.entry_loads + of.count(), ..events }
        }
        _ => Events { entry_writes: events.entry_writes + of.count(), ..events },
    }
}

fn batch(kernel: &mut Tested<'_, '_, '_>, of: Of, verb: Verb) -> Vec<Operation> {
    let operation = |(space, page, level)| {
        let (name, found) = entry(kernel, space, page, level);
        let compare = Action::CompareExchange { expected: found, new: marked(found) };
        match verb {
            Verb::Load => Operation::new(name, Action::Load),
            Verb::Exchange => Operation::new(name, Action::Exchange(marked(found))),
            Verb::CompareExchange => Operation::new(name, compare),
            Verb::Differ => expecting_another(&Operation::new(name, compare)),
        }
    };
    of.entries().into_iter().map(operation).collect()
}

/// The method forgets what it was about before.
fn let_go(kernel: &mut Tested<'_, '_, '_>) {
    let root = kernel.machine.world.spaces[OWN].unwrap();
    kernel.machine.load_root(0, BOOT_ROOT);
    kernel.machine.load_root(0, root);
}

/// Applies the batch; gives back what the method did.
fn counted(kernel: &mut Tested<'_, '_, '_>, of: Of, verb: Verb) -> Events {
    let mut batch = batch(kernel, of, verb);
    let_go(kernel);
    if of == Of::Again {
        kernel.machine.apply(&mut [Operation::new(batch[0].name, Action::Load)]).unwrap();
    }
    let before: Vec<_> = batch.iter().map(|done| in_memory(kernel, &done.name)).collect();
    kernel.machine.cpus[0].take();
    let applied = kernel.machine.apply(&mut batch);
    let events = kernel.machine.cpus[0].take();
    let stopped = Err(Stopped { done: 0, refusal: Refusal::Differs });
    assert_eq!(applied, if verb == Verb::Differ { stopped } else { Ok(()) });
    for (operation, before) in batch.iter().zip(before) {
        let changes = matches!(verb, Verb::Exchange | Verb::CompareExchange);
        let after = if changes { marked(before) } else { before };
        assert_eq!((operation.found, in_memory(kernel, &operation.name)), (before, after));
    }
    events
}

#[test]
fn every_method_does_what_the_table_says_and_nothing_more() {
    for method in methods() {
        for (of, verb) in all() {
            with_pages(method, 8, |kernel| {
                let found = counted(kernel, of, verb);
                assert_eq!(found, expected(method, of, verb), "{method}: {verb:?} of {of:?}");
            });
        }
    }
}

#[test]
fn a_batch_is_cut_into_what_there_is_room_for() {
    for (room, times) in [(8, 1), (2, 3), (1, 5)] {
        let found = |method| {
            let mut events = Events::default();
            let (of, verb) = (Of::Foreign(5), Verb::Exchange);
            with_pages(method, room, |kernel| events = counted(kernel, of, verb));
            events
        };
        let calls = Events { vm_calls: times, ..Events::default() };
        assert_eq!(found("hypercall"), calls, "room for {room}");
        let stretches =
            Events { entry_writes: 5, paging_off: times, masks: times, ..Events::default() };
        assert_eq!(found("paging-off"), stretches, "room for {room}");
    }
}

#[test]
fn an_eviction_edits_one_entry_for_each_sharer() {
    for method in methods() {
        with_pages(method, 8, |kernel| {
            let victim = kernel.frame_of(0, PAGES[0]).unwrap();
            kernel.machine.cpus[0].take();
            let found = kernel.evict(&[victim]);
            let events = kernel.machine.cpus[0].take();
            assert_eq!((found.evicted, u64::from(found.edited)), (1, SPACES as u64));
            // All foreign spaces and our own; the flush is the kernel's own affair.
            let foreign = expected(method, Of::Foreign(SPACES as u64 - 1), Verb::Exchange);
            let own = expected(method, Of::Own, Verb::Exchange);
            assert_eq!(events, together(method, foreign, own), "{method}");
        });
    }
}

/// What a batch on foreign entries and one of our own counts as one batch.
fn together(method: &str, foreign: Events, own: Events) -> Events {
    let once = matches!(method, "paging-off" | "space-switch" | "space-switch-pcid" | "gate");
    // The window is emptied once, and so on.
    let emptied = u64::from(method == "temp-map");
    Events {
        entry_loads: foreign.entry_loads + own.entry_loads,
        entry_writes: foreign.entry_writes + own.entry_writes - emptied,
        invlpgs: foreign.invlpgs + own.invlpgs - emptied,
        vm_calls: foreign.vm_calls.max(own.vm_calls),
        root_writes: foreign.root_writes + own.root_writes,
        paging_off: foreign.paging_off.max(own.paging_off),
        contexts: foreign.contexts + own.contexts,
        masks: if once { 1 } else { foreign.masks + own.masks },
        vmfuncs: if once { foreign.vmfuncs } else { foreign.vmfuncs + own.vmfuncs },
    }
}
