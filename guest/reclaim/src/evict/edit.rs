//! Stage two: the entries are exchanged. The records are not held meanwhile.

use foreign_access::{Action, Entry, Operation};

use crate::machine::Machine;

/// Does all that can be done, and notes what must be flushed. An operation that is refused becomes a load that
/// found nothing: it changed nothing, and what was found there is not the page.
#[inline]
pub fn edit<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        let refused = &mut operations[start + stopped.done];
        (refused.action, refused.found) = (Action::Load, Entry::EMPTY);
        start += stopped.done + 1;
    }
    machine.edited(operations);
}
