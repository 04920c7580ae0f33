//! Programs' registers: `in-context` redirects the saved instruction pointer of its target and puts it back; nobody else touches one.
#![expect(unsafe_code, reason = "looks at a program's registers while a method is at work")]

use alloc::vec::Vec;
use core::cell::Cell;

use foreign_access::cpu::{Observed, Step};
use foreign_access::{Action, Cpu, Operation};
use loadphys_plan::command_line::MethodName;

use super::Outcome;
use super::trial::{FOREIGN, Trial};
use crate::other_context;
use crate::scene::Failure;
use crate::user::Context;

/// Loads entries of a foreign space and looks at its program meanwhile.
pub fn contexts(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let before = registers(trial);
    let (steps, redirected) = loads(trial)?;
    if registers(trial) != before {
        return Err(Failure::new(format_args!("the registers of a program have changed")));
    }
    let in_context = trial.method == MethodName::InContext;
    let wanted = if in_context { steps } else { 0 };
    if redirected == wanted && (steps > 0 || !in_context) {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format_args!(
        "{steps} loads in the foreign space, {redirected} with its program redirected"
    )))
}

fn registers(trial: &Trial<'_>) -> Vec<Context> {
    trial.kernel.core().processes.iter().map(|process| (*process.context).clone()).collect()
}

/// How many loads of a batch were done while the foreign root was loaded, and how many while the saved instruction
/// pointer of its program led to the work.
fn loads(trial: &mut Trial<'_>) -> Result<(u64, u64), Failure> {
    let (hardware, root) = (trial.cpu(), trial.root(FOREIGN));
    let context = &raw const *trial.kernel.core().processes[FOREIGN].context;
    let (steps, redirected) = (Cell::new(0), Cell::new(0));
    let look = |step| {
        if step == Step::Load && hardware.root() == root {
            steps.set(steps.get() + 1);
            // SAFETY: the program stays where it is.
            let is = unsafe { other_context::is_redirected(context) };
            redirected.set(redirected.get() + u64::from(is));
        }
    };
    let names = trial.names.clone();
    let foreign = names.iter().filter(|name| name.root() == root);
    let mut operations: Vec<_> = foreign.map(|name| Operation::new(*name, Action::Load)).collect();
    trial.batch_on(&Observed::by(look, hardware), &mut operations)?;
    Ok((steps.get(), redirected.get()))
}
