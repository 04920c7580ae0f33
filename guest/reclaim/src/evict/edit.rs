//! Stage two: the entries are exchanged. The records are not held meanwhile.

use foreign_access::{Action, Entry, Operation};

use crate::machine::Machine;

/// Does all that can be done, and notes what must be flushed. An operation that is refused becomes a load that
/// found nothing: it changed nothing, and what was found there is not the page.
#[inline]
pub fn edit<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    let mut rest = operations;
    while let Err(stopped) = machine.apply(rest) {
        let (done, others) = rest.split_at_mut(stopped.done);
        machine.edited(done);
        let Some((refused, others)) = others.split_first_mut() else { return };
        (refused.action, refused.found) = (Action::Load, Entry::EMPTY);
        rest = others;
    }
    machine.edited(rest);
}
