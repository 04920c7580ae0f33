//! An address that led to a table is kept, and used after the space of the table has ended.

use alloc::vec::Vec;

use foreign_access::EntryName;
use page_reclaim::{Memory, tables, tear_down};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::lookout::Lookout;
use super::targets::{DOOMED_PAGE, Targets, build};
use super::verdict::Verdict;
use crate::conformance::NOBODY;
use crate::other_context;
use crate::scene::Failure;
use crate::user::Context;

/// Frames that a space which ended has left at most: its root, and a table of each lower level.
const LEFT: usize = 8;

/// The table's frame is held by the kernel meanwhile, so that the store harms nobody.
pub fn stale(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    let root = begin(targets)?;
    // A method that goes through the space's program needs one; it runs nothing of its own.
    let mut context = Context::start(0, &NOBODY);
    other_context::keep(root, &mut context);
    let entry = build(&mut targets.trial, root, DOOMED_PAGE)?;
    let violations = targets.lookout.violations();
    let ways = targets.ways_while_edited(entry);
    // Once more, with nothing but the end of the space between that and the attack.
    let edited = targets.edit(entry, |_| ());
    end(targets, root)?;
    let ways = edited.and(ways)?;
    let held = hold(&mut targets.trial.kernel.core().memory, entry.table())?;
    let verdict = strike(targets.lookout, &ways, &entry, violations);
    let mut core = targets.trial.kernel.core();
    for frame in held.into_iter().rev() {
        core.memory.frames.give_back(frame).expect("the kernel held it");
    }
    Ok(verdict)
}

/// Stores at the addresses as the CPU knows them; where that comes through and tables do not lead there any more, it is the TLB
/// that does.
fn strike(lookout: &Lookout, ways: &[VirtAddr], entry: &EntryName, violations: u64) -> Verdict {
    if ways.is_empty() {
        return Verdict::stopped(format_args!("never mapped"));
    }
    let verdict = lookout.strike_by(ways, entry.physical(), violations);
    match verdict.stopped == Some(false) && lookout.ways(entry).is_empty() {
        true => verdict.though("which the TLB still has"),
        false => verdict,
    }
}

fn begin(targets: &mut Targets<'_>) -> Result<PhysFrame, Failure> {
    let (mut core, machine, _) = targets.trial.kernel.parts();
    let made = tables::new_root(&mut core.memory, machine);
    made.map_err(|why| Failure::new(format_args!("no space to end: {why:?}")))
}

fn end(targets: &mut Targets<'_>, root: PhysFrame) -> Result<(), Failure> {
    let (mut core, machine, room) = targets.trial.kernel.parts();
    let ended = tear_down(&mut core.memory, machine, root, room);
    drop(core);
    other_context::forget(root);
    ended.map(drop).map_err(|why| Failure::new(format_args!("a space cannot end: {why:?}")))
}

/// Takes the frames that were freed last for the kernel, down to this one.
fn hold(memory: &mut Memory<'_>, wanted: PhysFrame) -> Result<Vec<PhysFrame>, Failure> {
    let mut held: Vec<PhysFrame> = Vec::new();
    while held.last() != Some(&wanted) && held.len() < LEFT {
        held.extend(memory.frames.take_for_kernel());
    }
    match held.last() == Some(&wanted) {
        true => Ok(held),
        false => Err(Failure::new(format_args!("the frame of a table that is none is not free"))),
    }
}
