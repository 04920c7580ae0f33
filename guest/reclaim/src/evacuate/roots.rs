//! Roots: no entry leads to one, but CPUs have it loaded, and the kernel knows it by its frame.
//!
//! The invariant: from [`Machine::leave`] to [`Machine::root_moved`] no CPU has the root loaded, or loads it. It ends
//! also for a root that stays.

use foreign_access::walk;
use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::tables::change_frame;
use super::{EvacuateError, Evacuated, Move};
use crate::Memory;
use crate::flushed::Flushed;
use crate::machine::Machine;

/// Moves roots, one after the other.
pub fn move_roots<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    batch: &[Move],
    so_far: &mut Evacuated,
) -> Result<(), EvacuateError> {
    batch.iter().try_for_each(|root| move_root(memory, machine, root, so_far))
}

fn move_root<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    &Move { from, to }: &Move,
    so_far: &mut Evacuated,
) -> Result<(), EvacuateError> {
    machine.leave(from.frame());
    let flushed = Flushed::by_letting_go(machine);
    let first = walk::top(from.frame(), VirtAddr::zero());
    if let Some(why) = change_frame(machine, first, (from, to), PageTableLevel::Four)? {
        memory.frames.free(to, &Flushed::never_mapped());
        machine.root_moved(from.frame(), from.frame());
        so_far.leave(from.frame(), why);
        return Ok(());
    }
    memory.frames.move_table(from, to);
    machine.root_moved(from.frame(), to.frame());
    memory.frames.free(from, &flushed);
    machine.freed(from.frame());
    so_far.roots += 1;
    Ok(())
}
