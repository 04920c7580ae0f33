//! Stage two: the entries are exchanged. The records are not held meanwhile.

use core::slice;

use foreign_access::{Action, Entry, Operation};

use crate::machine::Machine;

/// Does all that can be done, and notes what must be flushed. An operation that is refused becomes a load that
/// found nothing: it changed nothing, and what was found there is not the page.
#[inline]
pub fn edit<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    if cfg!(feature = "broken-load-then-store") {
        return load_then_store(machine, operations);
    }
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

/// The mistake that tests must find: what the walker sets in an entry between the two goes unseen.
fn load_then_store<M: Machine>(machine: &mut M, operations: &mut [Operation]) {
    for operation in operations {
        let mut load = Operation::new(operation.name, Action::Load);
        let loaded = machine.apply(slice::from_mut(&mut load));
        if loaded.and_then(|()| machine.apply(slice::from_mut(operation))).is_err() {
            (operation.action, load.found) = (Action::Load, Entry::EMPTY);
        }
        operation.found = load.found;
        machine.edited(slice::from_ref(operation));
    }
}
