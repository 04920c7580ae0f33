//! That a range is empty, and stays so.

use alloc::vec::Vec;

use loadphys_apps::calls::Command;
use loadphys_plan::command_line::MemoryRange;
use page_reclaim::unreferenced;
use x86_64::structures::paging::PhysFrame;

use super::choice::frames;
use crate::kernel_half;
use crate::scene::{Failure, Scene};

/// Shows that no entry of any space and no record leads into a range; gives how many were looked at.
pub fn proof(scene: &mut Scene, range: MemoryRange) -> Result<u64, Failure> {
    scene.audit()?;
    let roots = roots(scene);
    let (core, machine, room) = scene.kernel.parts();
    let empty = unreferenced(&core.memory, machine, &roots, frames(range), room);
    let empty = empty.map_err(|found| {
        Failure::new(format_args!("range {range} was evacuated, and leads there: {found:?}"))
    })?;
    Ok(u64::from(empty.entries) + u64::from(empty.records))
}

/// Frames of a range to which the kernel's half leads.
pub fn kernel_maps(scene: &mut Scene, range: MemoryRange) -> u64 {
    let roots = roots(scene);
    let machine = &mut scene.kernel.machine;
    machine.load_kernel();
    let kernel = machine.tlb.loaded();
    kernel_half::leads_into(machine, kernel, &roots, range)
}

/// The shared pages go to swap and come back, into other frames; and programs check them.
pub fn must_stay(scene: &mut Scene, range: MemoryRange, generation: u64) -> Result<(), Failure> {
    let victims = scene.shared_frames();
    scene.kernel.evict(&victims);
    scene.tell(Command::Verify, generation);
    proof(scene, range).map(drop)
}

fn roots(scene: &Scene) -> Vec<PhysFrame> {
    scene.kernel.core().processes.iter().map(|process| process.space.root).collect()
}
