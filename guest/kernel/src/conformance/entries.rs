//! Loads, exchanges and compare-exchanges of entries of all spaces at all levels, alone and in batches.

use alloc::vec::Vec;

use foreign_access::{Action, Entry, EntryName, Operation};
use loadphys_abi::batch::MOST_ITEMS;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::Outcome;
use super::trial::Trial;
use crate::scene::Failure;

/// A bit that the walker ignores in entries of every level, and this kernel too.
pub const SOFTWARE: u64 = 1 << 10;

/// An entry that is not present, and names no memory.
pub const ABSENT: Entry = Entry(Entry::FRAME_BITS | SOFTWARE);

/// Operations of the longest batch: more than room for items is anywhere.
pub const LONG: usize = 2 * MOST_ITEMS + 3;

/// Steps from one leaf to the next, so that batches go to and fro between spaces; a prime that does not divide how many
/// there are.
const STRIDE: usize = 29;

/// One at a time, then all in one batch.
pub fn loads(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let mut operations: Vec<_> =
        trial.names.iter().map(|name| Operation::new(*name, Action::Load)).collect();
    operations.chunks_mut(1).try_for_each(|alone| trial.batch(alone))?;
    trial.batch(&mut operations)?;
    Ok(Outcome::Passed)
}

/// Each entry is changed and put back.
pub fn exchanges(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    for name in trial.names.clone() {
        for _ in 0..2 {
            let new = Entry(trial.look(&name).0 ^ SOFTWARE);
            trial.batch(&mut [Operation::new(name, Action::Exchange(new))])?;
        }
    }
    Ok(Outcome::Passed)
}

/// Each entry is changed and put back, by its true value.
pub fn compare_exchanges(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    for name in trial.names.clone() {
        for _ in 0..2 {
            let expected = trial.look(&name);
            let new = Entry(expected.0 ^ SOFTWARE);
            let action = Action::CompareExchange { expected, new };
            trial.batch(&mut [Operation::new(name, action)])?;
        }
    }
    Ok(Outcome::Passed)
}

/// Entries of level one of all spaces in turn, again and again, by all actions.
pub fn long_batches(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let before = leaves(trial);
    let mut now = before.clone();
    let mut operations: Vec<_> = (0..LONG)
        .map(|number| {
            let (name, entry) = &mut now[number % before.len()];
            Operation::new(*name, action(number / before.len() + number, entry))
        })
        .collect();
    trial.batch(&mut operations)?;
    put_back(trial, &before)?;
    Ok(Outcome::Passed)
}

/// In turn a load, an exchange, a compare-exchange; `entry` is what the entry holds then.
fn action(number: usize, entry: &mut Entry) -> Action {
    let expected = *entry;
    let new = Entry(expected.0 ^ SOFTWARE);
    match number % 3 {
        0 => return Action::Load,
        1 => *entry = new,
        _ => {
            *entry = new;
            return Action::CompareExchange { expected, new };
        }
    }
    Action::Exchange(new)
}

/// The entries of level one and what they hold, in an order that goes to and fro between spaces.
pub fn leaves(trial: &mut Trial<'_>) -> Vec<(EntryName, Entry)> {
    let all = trial.names.clone();
    let leaves: Vec<_> = all.iter().filter(|name| name.level() == PageTableLevel::One).collect();
    let in_turn = (0..leaves.len()).map(|number| leaves[number * STRIDE % leaves.len()]);
    in_turn.map(|name| (*name, trial.look(name))).collect()
}

/// Makes entries what they were.
pub fn put_back(trial: &mut Trial<'_>, before: &[(EntryName, Entry)]) -> Result<(), Failure> {
    let back = before.iter().map(|(name, entry)| Operation::new(*name, Action::Exchange(*entry)));
    trial.batch(&mut back.collect::<Vec<_>>())
}

/// Exchanges that change a bit which nobody minds.
pub fn toggling(before: &[(EntryName, Entry)]) -> Vec<Operation> {
    let toggled = |entry: &Entry| Action::Exchange(Entry(entry.0 ^ SOFTWARE));
    before.iter().map(|(name, entry)| Operation::new(*name, toggled(entry))).collect()
}
