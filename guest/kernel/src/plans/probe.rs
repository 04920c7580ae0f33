//! A short look at whether this machine can run what the others need: every method that it has
//! conforms, then evicts pages and brings them back, checked.

use loadphys_apps::calls::Command;
use loadphys_plan::records::counts;

use crate::console::log;
use crate::measure::report;
use crate::scene::{Failure, Scene};
use crate::{conformance, methods};

/// Programs of the scene.
const SHARERS: u32 = 2;

/// Runs every method once.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let mut checks = 0;
    for name in methods::asked(&scene.plan, &scene.features) {
        match scene.choose(name) {
            Err(why) => log!("{name}: {why}"),
            Ok(()) => {
                conformance::try_asked(scene, name)?;
                once(scene)?;
                checks += 1;
            }
        }
    }
    report::count(counts::CHECKS, checks);
    scene.conclude()
}

fn once(scene: &mut Scene) -> Result<(), Failure> {
    scene.start_sharers(SHARERS)?;
    scene.tell(Command::Write, 1);
    scene.check();
    let frames = scene.shared_frames();
    let evicted = scene.kernel.evict(&frames);
    scene.tell(Command::Verify, 1);
    scene.audit()?;
    scene.clear()?;
    if evicted.evicted as usize == frames.len() {
        return Ok(());
    }
    Err(Failure::new(format_args!("{evicted:?} of {} pages", frames.len())))
}
