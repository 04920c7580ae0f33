//! Entries that lead to what moves: taken out, and put in again.

use foreign_access::{Action, Entry, Operation};

use super::EvacuateError;
use crate::machine::Machine;

/// What an entry holds while what it leads to is on its way: not present, not empty, and above any memory. As a
/// swap entry it would name slot 0, which is not used.
pub const MOVING: Entry = Entry(Entry::FRAME_BITS);

const _: () = assert!(!MOVING.is_present() && !MOVING.is_empty());
const _: () = assert!(crate::swap_entry::slot_of(MOVING).is_none());

/// Does operations that take entries out, as far as they are done; those that are refused become loads, as which they
/// changed nothing. Then notes what must be flushed.
pub fn take_out<M: Machine>(
    machine: &mut M,
    operations: &mut [Operation],
    mut refused: impl FnMut(usize, foreign_access::Refusal),
) {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        let at = start + stopped.done;
        operations[at].action = Action::Load;
        refused(at, stopped.refusal);
        start = at + 1;
    }
    machine.edited(operations);
}

/// Does operations that put entries in. A compare-exchange may find something else than [`MOVING`]: that entry was
/// not taken out.
///
/// # Errors
/// [`EvacuateError::Stuck`] at an exchange that is refused.
pub fn put_in<M: Machine>(
    machine: &mut M,
    operations: &mut [Operation],
) -> Result<(), EvacuateError> {
    let mut start = 0;
    while let Err(stopped) = machine.apply(&mut operations[start..]) {
        let Operation { name, action, .. } = operations[start + stopped.done];
        if let Action::Exchange(_) = action {
            return Err(EvacuateError::Stuck(name, stopped.refusal));
        }
        start += stopped.done + 1;
    }
    Ok(())
}
