//! Random work under all methods in turn, in memory that is too small for it.

mod acts;
mod herd;
mod move_out;

use loadphys_plan::records::{Record, Skipped, counts};

use crate::kernel::Tally;
use crate::measure::report::{self, name};
use crate::methods;
use crate::power::sentence;
use crate::scene::{Failure, Scene};
use crate::start::below;
use herd::{Herd, MOST_PROGRAMS};

/// Of the shared pages, one in so many finds a frame.
const SCARCITY: u32 = 2;

/// Works at random under every method; what this machine lacks for one is recorded.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    scene.leave_frames(scene.plan.pages / SCARCITY + MOST_PROGRAMS as u32 * 16);
    let (mut all, mut done) = (Tally::default(), [0; 2]);
    for (turn, method) in methods::asked(&scene.plan, &scene.features).into_iter().enumerate() {
        match scene.choose(method) {
            Ok(()) => {
                let lived = live(scene, scene.plan.seed.wrapping_add(turn as u64))?;
                done.iter_mut().zip(lived).for_each(|(done, more)| *done += more);
                all = scene.kernel.tally().and(all);
            }
            Err(why) => report::record(&Record::Skipped(Skipped {
                path: name(below(&scene.features)),
                method: name(method.name()),
                reason: sentence(format_args!("{why}")),
            })),
        }
    }
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
