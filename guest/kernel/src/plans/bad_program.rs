//! Programs that do what programs must not are ended; others run on.

use loadphys_apps::Program;
use loadphys_apps::calls::Command;
use loadphys_plan::records::counts;

use crate::kernel::Wanted;
use crate::measure::report;
use crate::scene::{Failure, Scene};

/// Programs that behave.
const SHARERS: u32 = 2;

/// Runs every bad program beside good ones.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    scene.choose_first()?;
    scene.start_sharers(SHARERS)?;
    scene.kernel.machine.checks.set(true);
    // What switches views does so only for plan `attack`.
    let others =
        |it: &Program| !matches!(it, Program::Sharer | Program::Follower | Program::SwitchView);
    let bad = Program::ALL.into_iter().filter(others);
    let count = bad.clone().count() as u64;
    for program in bad {
        let shared = scene.plan.pages;
        let wanted = Wanted { program, sharers: SHARERS.into(), shared, private: 0, route: None };
        let started = scene.kernel.start(wanted);
        started.map_err(|why| Failure::new(format_args!("{why}")))?;
    }
    scene.tell(Command::Write, 1);
    scene.tell(Command::Verify, 1);
    scene.audit()?;
    judge(scene, count)?;
    scene.clear()?;
    scene.conclude()
}

/// Under the stub, the program that calls it is refused and comes to its end.
fn judge(scene: &Scene, bad: u64) -> Result<(), Failure> {
    let tally = scene.kernel.tally();
    let refused = u64::from(scene.features.stub.is_some());
    report::count(counts::REFUSED_CALLS, tally.refused_in_ring_3);
    if (tally.ended, tally.refused_in_ring_3) == (bad - refused, refused) {
        return Ok(());
    }
    let (ended, refusals) = (tally.ended, tally.refused_in_ring_3);
    Err(Failure::new(format_args!(
        "of {bad} bad programs {ended} were ended and {refusals} refused"
    )))
}
