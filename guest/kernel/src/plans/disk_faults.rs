//! A swap disk that fails as the machine has been told: pages that cannot be written stay, programs that
//! need a page which cannot be read are ended, and nobody else is.
//!
//! Twice the pages of one program's own go to the disk, then those that all share; then all are wanted. So the first
//! slots of the disk hold what one program alone needs.

use loadphys_apps::calls::Command;

use crate::console::log;
use crate::scene::{Failure, Scene};

/// Programs of the scene.
const SHARERS: u32 = 3;

/// How often all pages go.
const ROUNDS: u64 = 2;

/// Evicts everything and wants it back.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    scene.choose_first()?;
    scene.kernel.machine.checks.set(scene.plan.check);
    scene.start_sharers(SHARERS)?;
    let mut generation = 0;
    for round in 1..=ROUNDS {
        // Sharers write together, so without one of them what was written stays.
        if scene.kernel.tally().ended == 0 {
            generation = round;
            scene.tell(Command::Write, generation);
        }
        for victims in [scene.private_frames(0), scene.shared_frames()] {
            let evicted = scene.kernel.evict(&victims);
            log!("round {round}: of {} pages {evicted:?}", victims.len());
        }
        scene.audit()?;
        scene.tell(Command::Verify, generation);
        scene.audit()?;
    }
    scene.clear()?;
    scene.conclude()
}
