//! A program follows courses through more pages than there are frames, with the kernel's own choice of victims; the faults
//! of each are recorded.

use loadphys_apps::Program;
use loadphys_apps::calls::Command;
use loadphys_apps::course::{Course, Route};
use loadphys_apps::places::PRIVATE;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::{Course as Told, Record};
use loadphys_plan::work::{COURSE_EIGHTHS, COURSE_TURNS, LEAST_COURSE_PAGES};
use page_reclaim::tables;
use x86_64::VirtAddr;

use crate::kernel::{Core, Tally, Wanted};
use crate::measure::report::{self, name};
use crate::methods;
use crate::scene::{Failure, Scene};
use crate::start::below;

/// Follows all courses, under every method that is asked for.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    if scene.plan.pages < LEAST_COURSE_PAGES {
        return Err(Failure::new(format_args!(
            "pages={}: courses need {LEAST_COURSE_PAGES} pages",
            scene.plan.pages
        )));
    }
    let mut all = Tally::default();
    for method in methods::asked(&scene.plan, &scene.features) {
        let chosen = scene.choose(method);
        chosen.map_err(|why| Failure::new(format_args!("{method}: {why}")))?;
        scene.kernel.machine.checks.set(scene.plan.check);
        for course in Course::ALL {
            for eighths in COURSE_EIGHTHS {
                follow(scene, method, course, scene.plan.pages / 8 * eighths)?;
            }
        }
        all = scene.kernel.tally().and(all);
    }
    scene.kernel.core().tally = all;
    scene.conclude()
}

/// Follows one course, with so many frames for its pages.
fn follow(
    scene: &mut Scene,
    method: MethodName,
    course: Course,
    frames: u32,
) -> Result<(), Failure> {
    let pages = scene.plan.pages;
    let touches = u64::from(pages) * COURSE_TURNS;
    let route = Route { course, seed: scene.plan.seed & 0xff_ffff, touches };
    // The free frames lie in order, whatever the courses before did.
    let free = scene.hold_all_but(0);
    scene.give_back(free);
    start(scene, route)?;
    let besides = scene.kernel.core().memory.frames.page_count();
    let held = scene.hold_all_but(frames);
    let before = scene.kernel.tally();
    scene.tell(Command::Write, 0);
    let after = scene.kernel.tally();
    scene.audit()?;
    scene.tell(Command::Verify, 0);
    must_be_right(scene, before, touches + u64::from(pages))?;
    scene.give_back(held);
    report::record(&Record::Course(Told {
        path: name(below(&scene.features)),
        method: name(method.name()),
        course: name(course.name()),
        seed: route.seed,
        pages,
        frames,
        besides,
        touches,
        first_touches: after.zeroed - before.zeroed,
        from_swap: after.faulted_in - before.faulted_in,
    }));
    scene.clear()
}

/// Starts a program that will follow a route, and builds the tables of its pages, so that all frames are left to pages.
fn start(scene: &mut Scene, route: Route) -> Result<(), Failure> {
    let private = u64::from(scene.plan.pages);
    let (program, route) = (Program::Follower, Some(route));
    let started = scene.kernel.start(Wanted { program, sharers: 1, shared: 0, private, route });
    started.map_err(|why| Failure::new(format_args!("{why}")))?;
    scene.kernel.run();
    let (mut core, machine, _) = scene.kernel.parts();
    let Core { memory, processes, .. } = &mut *core;
    for page in 0..private {
        let page = VirtAddr::new(PRIVATE + page * 4096);
        let built = tables::find_or_build(memory, machine, processes[0].space.root, page);
        built.map_err(|why| Failure::new(format_args!("{why:?}")))?;
    }
    Ok(())
}

/// All touches, and all pages in the end, held what they should.
fn must_be_right(scene: &Scene, before: Tally, wanted: u64) -> Result<(), Failure> {
    let tally = scene.kernel.tally();
    let (verified, ended) = (tally.verified - before.verified, tally.ended);
    if verified == wanted && ended == 0 && tally.evicted > before.evicted {
        return Ok(());
    }
    let evicted = tally.evicted - before.evicted;
    Err(Failure::new(format_args!(
        "{verified} of {wanted} pages right, {ended} programs ended, {evicted} pages evicted"
    )))
}
