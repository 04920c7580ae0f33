//! A batch says how many of its items were done.

use loadphys_abi::Status;
use loadphys_abi::batch::{Action, Item};
use loadphys_rules::{Found, Wish, in_order};

use crate::memory::FRAME;
use crate::world::{PRESENT, WRITABLE, World, to};

/// Does these to the first entry of table 1; gives how it ended, and what was told of which item.
fn batch(entries: &[(Action, u64, u64)]) -> ((Status, u64), Vec<(usize, u64)>) {
    let item = |&(action, found, value): &(Action, u64, u64)| Item {
        entry: FRAME,
        action: action.number(),
        found,
        value,
    };
    let items: Vec<_> = entries.iter().map(item).collect();
    let (mut world, mut told) = (World::with_a_page(), Vec::new());
    let perform = |item: &Item| -> Result<Found, Status> {
        world.perform(item.entry / FRAME, 0, Wish::of_item(item)?)
    };
    let ended = in_order(&items, perform, |place, found| told.push((place, found)));
    (ended, told)
}

const THERE: u64 = to(5, PRESENT | WRITABLE);

#[test]
fn all_are_done_and_told_of() {
    let items =
        [(Action::Load, 0, 0), (Action::Exchange, 0, 0), (Action::CompareExchange, 0, THERE)];
    let told = vec![(0, THERE), (1, THERE), (2, 0)];
    assert_eq!(batch(&items), ((Status::Done, 3), told));
    assert_eq!(batch(&[]), ((Status::Done, 0), vec![]));
}

#[test]
fn the_first_that_is_refused_or_differs_ends_it() {
    let load = (Action::Load, 0, 0);
    let refused = [load, load, (Action::Exchange, 0, to(1, PRESENT | WRITABLE)), load];
    let told = vec![(0, THERE), (1, THERE)];
    assert_eq!(batch(&refused), ((Status::MapsTable, 2), told));
    let differs = [load, (Action::CompareExchange, 0, 0), load];
    assert_eq!(batch(&differs), ((Status::Differs, 1), vec![(0, THERE), (1, THERE)]));
}
