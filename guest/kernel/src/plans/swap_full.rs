//! Swap is too small for what is to be evicted: evictions are refused and counted, no page is lost.

use loadphys_apps::calls::Command;

use crate::scene::{Failure, Scene};

/// Programs of the scene.
const SHARERS: u32 = 2;

/// Evicts all pages of the segment into a swap that cannot hold them.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let slots = scene.kernel.core().memory.swap.free_count();
    if slots >= scene.plan.pages {
        return Err(Failure::new(format_args!(
            "swap-pages must be less than pages, or swap is not full"
        )));
    }
    scene.choose_first()?;
    scene.start_sharers(SHARERS)?;
    scene.tell(Command::Write, 1);
    let frames = scene.shared_frames();
    let evicted = scene.kernel.evict(&frames);
    scene.audit()?;
    scene.tell(Command::Verify, 1);
    scene.audit()?;
    scene.clear()?;
    scene.conclude()?;
    if (evicted.evicted, evicted.swap_full) == (slots, frames.len() as u32 - slots) {
        return Ok(());
    }
    Err(Failure::new(format_args!("with {slots} slots, {evicted:?}")))
}
