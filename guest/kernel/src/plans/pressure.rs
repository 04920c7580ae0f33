//! Programs touch more pages than there are frames: faults evict, under every method.

use loadphys_apps::calls::Command;

use crate::methods;
use crate::scene::{Failure, Scene};

/// Of the shared pages, one in so many finds a frame.
const SCARCITY: u32 = 2;

/// Programs of the scene.
const SHARERS: u32 = 3;

/// Writes and checks with half the frames that would be needed.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    scene.leave_frames(scene.plan.pages / SCARCITY + SHARERS * 16);
    for method in methods::asked(&scene.plan, &scene.features) {
        let chosen = scene.choose(method);
        chosen.map_err(|why| Failure::new(format_args!("{method}: {why}")))?;
        scene.kernel.machine.checks.set(scene.plan.check);
        scene.start_sharers(SHARERS)?;
        for generation in 1..=u64::from(scene.plan.rounds) + 1 {
            scene.tell(Command::Write, generation);
            scene.tell(Command::Verify, generation);
            scene.audit()?;
        }
        must_have_evicted(scene)?;
        scene.clear()?;
    }
    scene.conclude()
}

fn must_have_evicted(scene: &Scene) -> Result<(), Failure> {
    let tally = scene.kernel.tally();
    if tally.evicted > 0 && tally.ended == 0 {
        return Ok(());
    }
    Err(Failure::new(format_args!(
        "{} pages evicted, {} programs ended",
        tally.evicted, tally.ended
    )))
}
