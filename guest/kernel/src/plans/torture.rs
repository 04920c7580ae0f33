//! Random work under all methods in turn, in memory that is too small for it.

mod acts;
mod herd;
mod move_out;

use loadphys_plan::records::counts;

use crate::kernel::Tally;
use crate::measure::report;
use crate::methods;
use crate::scene::{Failure, Scene};
use herd::{Herd, MOST_PROGRAMS};

/// Of the shared pages, one in so many finds a frame.
const SCARCITY: u32 = 2;

/// Works at random under every method; what this machine lacks for one is recorded.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    scene.leave_frames(scene.plan.pages / SCARCITY + MOST_PROGRAMS as u32 * 16);
    let (mut all, mut done) = (Tally::default(), [0; 2]);
    let asked = methods::asked(&scene.plan, &scene.features);
    scene.with_each(|scene, method| {
        let turn = asked.iter().position(|one| *one == method).unwrap_or(0) as u64;
        let lived = live(scene, scene.plan.seed.wrapping_add(turn))?;
        done.iter_mut().zip(lived).for_each(|(done, more)| *done += more);
        all = scene.kernel.tally().and(all);
        Ok(())
    })?;
    scene.kernel.core().tally = all;
    let names = [counts::FORKS, counts::EVACUATED];
    names.iter().zip(done).for_each(|(name, count)| report::count(name, count));
    scene.conclude()?;
    match all.ended - all.ended_by_device {
        0 => Ok(()),
        ended => Err(Failure::new(format_args!(
            "{ended} programs were ended that the device did not fail"
        ))),
    }
}

/// From the first program to the last; gives how many were forked, and how many frames moved.
fn live(scene: &mut Scene, seed: u64) -> Result<[u64; 2], Failure> {
    scene.kernel.machine.checks.set(scene.plan.check);
    let rounds = scene.plan.rounds.into();
    let mut herd = Herd::new(scene, seed);
    (1..=rounds).try_for_each(|generation| herd.round(generation))?;
    let done = herd.done();
    scene.clear()?;
    Ok(done)
}
