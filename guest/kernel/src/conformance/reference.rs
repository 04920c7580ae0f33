//! What a batch must come to, worked out on plain values.

use alloc::vec::Vec;

use foreign_access::{Action, Entry, EntryName, Operation, Refusal, Stopped};
use loadphys_plan::command_line::MethodName;

use super::trial::Trial;
use crate::scene::Failure;

/// The first physical address that 32-bit code without paging does not reach.
pub const PHYSICAL_MODE_END: u64 = 1 << 32;

/// The entries of a batch.
pub struct Reference {
    entries: Vec<(EntryName, Entry)>,
    /// Where the method's reach ends.
    end: u64,
}

impl Reference {
    /// With what the entries hold now.
    pub fn new(trial: &mut Trial<'_>, operations: &[Operation]) -> Self {
        let off = trial.method == MethodName::PagingOff;
        let end = if off { PHYSICAL_MODE_END } else { u64::MAX };
        let mut reference = Self { entries: Vec::new(), end };
        for Operation { name, .. } in operations {
            if reference.place(name).is_none() {
                let entry = trial.look(name);
                reference.entries.push((*name, entry));
            }
        }
        reference
    }

    fn place(&mut self, name: &EntryName) -> Option<&mut Entry> {
        let at = name.physical();
        let mut entries = self.entries.iter_mut();
        entries.find(|(other, _)| other.physical() == at).map(|(_, entry)| entry)
    }

    /// Does the operations.
    pub fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        for (done, operation) in operations.iter_mut().enumerate() {
            self.act(operation).map_err(|refusal| Stopped { done, refusal })?;
        }
        Ok(())
    }

    fn act(&mut self, operation: &mut Operation) -> Result<(), Refusal> {
        if operation.name.physical() >= self.end {
            return Err(Refusal::Above4GiB);
        }
        let entry = self.place(&operation.name).expect("every name of the batch has a place");
        operation.found = *entry;
        match operation.action {
            Action::Load => {}
            Action::Exchange(new) => *entry = new,
            Action::CompareExchange { expected, .. } if expected != *entry => {
                return Err(Refusal::Differs);
            }
            Action::CompareExchange { new, .. } => *entry = new,
        }
        Ok(())
    }

    /// The method must have found what this has.
    ///
    /// # Errors
    /// The first operation whose answer differs.
    pub fn must_be_found(&self, wanted: &[Operation], got: &[Operation]) -> Result<(), Failure> {
        let mut pairs = wanted.iter().zip(got);
        match pairs.find(|(wanted, got)| !alike(wanted.found, got.found)) {
            None => Ok(()),
            Some((Operation { name, found, .. }, got)) => {
                Err(differs("found", name, *found, got.found))
            }
        }
    }

    /// The entries must hold what this has.
    ///
    /// # Errors
    /// The first that does not.
    pub fn must_be_there(&self, trial: &mut Trial<'_>) -> Result<(), Failure> {
        for (name, wanted) in &self.entries {
            let there = trial.look(name);
            if !alike(*wanted, there) {
                return Err(differs("left", name, *wanted, there));
            }
        }
        Ok(())
    }
}

/// The walker sets Accessed and Dirty by itself, also in upper entries that a method reads as leaves.
fn alike(one: Entry, other: Entry) -> bool {
    (one.0 ^ other.0) & !Entry::TOUCHED == 0
}

fn differs(what: &str, name: &EntryName, wanted: Entry, got: Entry) -> Failure {
    let (level, page) = (name.level() as u8, name.page().as_u64());
    Failure::new(format_args!(
        "level {level} of page {page:#x}: {what} {:#x}, not {:#x}",
        got.0, wanted.0
    ))
}
