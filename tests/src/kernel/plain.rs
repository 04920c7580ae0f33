//! The plain reference: entries are reached where they lie in physical memory, with nothing
//! between.
#![expect(unsafe_code, reason = "implements the unsafe trait; no address here is a real one")]

use foreign_access::{Action, Cpu, Entry, Method, Operation, Refusal, Stopped};

use crate::model::Model;

/// Every other method must leave the same tables as this one.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'m>(pub &'m Model<'m>);

// SAFETY: does what is named, in order, and stops where it must.
unsafe impl<C: Cpu> Method<C> for Plain<'_> {
    unsafe fn apply(&mut self, _: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        for (done, operation) in operations.iter_mut().enumerate() {
            let address = operation.name.physical();
            let word = self.0.memory.word(address).unwrap_or_else(|| panic!("no {address:#x}"));
            operation.found = Entry(word.get());
            match operation.action {
                Action::Load => {}
                Action::Exchange(new) => word.set(new.0),
                Action::CompareExchange { expected, new } if expected == operation.found => {
                    word.set(new.0);
                }
                Action::CompareExchange { .. } => {
                    return Err(Stopped { done, refusal: Refusal::Differs });
                }
            }
        }
        Ok(())
    }
}
