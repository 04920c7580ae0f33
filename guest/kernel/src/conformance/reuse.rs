//! A table's frame becomes another table: the method must reach the new one, whatever it had cached of the old one.

use foreign_access::{Action, Entry, Operation};
use loadphys_apps::{Program, Start};
use page_reclaim::{tables, tear_down};
use x86_64::structures::paging::PhysFrame;

use super::Outcome;
use super::entries::ABSENT;
use super::trial::{SPARE_PAGE, Trial};
use crate::other_context;
use crate::scene::Failure;
use crate::user::Context;

/// The tables of a page, from the root down.
type Tables = [PhysFrame; 4];

/// Builds a space, edits it, ends it; and does so again with the same frames in other roles. The same space stays loaded all the
/// while, so the TLB is not emptied.
pub fn reuse(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let first = life(trial)?;
    let spare = trial.kernel.core().memory.frames.take_for_kernel();
    let second = life(trial);
    if let Some(spare) = spare {
        trial.kernel.core().memory.frames.give_back(spare).expect("it was taken for the kernel");
    }
    let second = second?;
    let moved = (0..4).any(|level| first.contains(&second[level]) && first[level] != second[level]);
    if moved {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format_args!("no frame was used again: {first:?}, then {second:?}")))
}

/// The life of a space with one page's tables.
fn life(trial: &mut Trial<'_>) -> Result<Tables, Failure> {
    let (mut core, machine, _) = trial.kernel.parts();
    let root = tables::new_root(&mut core.memory, machine).map_err(|why| failed(&why))?;
    drop(core);
    // A method that goes through the space's program needs one; it runs nothing of its own.
    let mut context = Context::start(0, &NOBODY);
    other_context::keep(root, &mut context);
    let tables = edit(trial, root);
    let (mut core, machine, room) = trial.kernel.parts();
    let ended = tear_down(&mut core.memory, machine, root, room);
    drop(core);
    other_context::forget(root);
    ended.map_err(|why| Failure::new(format_args!("a space cannot end: {why:?}")))?;
    tables
}

/// What the program of a space is told that runs nothing.
pub const NOBODY: Start = Start {
    program: Program::Sharer,
    index: 0,
    sharers: 1,
    shared_pages: 0,
    private_pages: 0,
    route: None,
};

fn edit(trial: &mut Trial<'_>, root: PhysFrame) -> Result<Tables, Failure> {
    let (mut core, machine, _) = trial.kernel.parts();
    let built = tables::find_or_build(&mut core.memory, machine, root, SPARE_PAGE);
    drop(core);
    built.map_err(|why| failed(&why))?;
    let names = trial.walk(root, SPARE_PAGE)?;
    trial.batch(&mut names.map(|name| Operation::new(name, Action::Load)))?;
    let leaf = |entry| Operation::new(names[3], Action::Exchange(entry));
    trial.batch(&mut [leaf(ABSENT), leaf(Entry::EMPTY)])?;
    Ok(names.map(|name| name.table()))
}

fn failed(why: &tables::TableError) -> Failure {
    Failure::new(format_args!("no tables: {why:?}"))
}
