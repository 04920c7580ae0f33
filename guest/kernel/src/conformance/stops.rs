//! A batch stops at the first compare-exchange that finds something else: what comes before is done, what comes after is not.

use alloc::vec;

use foreign_access::{Action, Entry, Operation};

use super::Outcome;
use super::entries::{LONG, leaves, put_back, toggling};
use super::trial::Trial;
use crate::scene::Failure;

/// At the first operation, in the midst, and at the last.
pub fn stops(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let before = leaves(trial);
    for at in [0, 1, before.len() / 2, before.len() - 1] {
        let mut operations = toggling(&before);
        let Action::Exchange(new) = operations[at].action else { unreachable!("all exchange") };
        // What is to be stored is not there yet.
        operations[at].action = Action::CompareExchange { expected: new, new };
        trial.batch(&mut operations)?;
        put_back(trial, &before)?;
    }
    // Beyond what there is room for at once, too.
    let mut operations = vec![Operation::new(before[0].0, Action::Load); LONG];
    let new = before[0].1;
    operations[LONG - 2].action = Action::CompareExchange { expected: Entry(!new.0), new };
    trial.batch(&mut operations)?;
    Ok(Outcome::Passed)
}
