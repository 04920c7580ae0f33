//! What programs may try: to call the stub, and to switch views.

use core::hint::black_box;

use loadphys_apps::Program;
use page_reclaim::tables;
use x86_64::VirtAddr;

use super::lookout::Lookout;
use super::verdict::Verdict;
use crate::interrupts::vector;
use crate::kernel::Wanted;
use crate::scene::{Failure, Scene};
use crate::stub;

/// The bytes 0f 01 d4, each inverted: the kernel's code must not spell VMFUNC, and so the compiler must not know.
const VMFUNC_INVERTED: u64 = 0x2b_fef0;
const BYTES: u64 = 0xff_ffff;

/// A program calls the stub.
pub fn call(scene: &mut Scene) -> Result<Verdict, Failure> {
    run(scene, Program::CallStub, |_, _| Ok(())).map(|(verdict, ())| verdict)
}

/// A program executes VMFUNC. Whoever writes programs can have it in them, so it is put there: a first one, which ends at the
/// place, shows where.
pub fn switch_view(scene: &mut Scene, lookout: &Lookout) -> Result<Verdict, Failure> {
    let (_, place) = run(scene, Program::SwitchView, place)?;
    let word = lookout.word(place);
    lookout.put(place, word & !BYTES | !black_box(VMFUNC_INVERTED) & BYTES);
    let verdict = run(scene, Program::SwitchView, |_, _| Ok(()));
    lookout.put(place, word);
    verdict.map(|(verdict, ())| verdict)
}

/// Where in memory the instruction is at which a program was ended.
fn place(scene: &mut Scene, number: usize) -> Result<u64, Failure> {
    let (root, rip) = {
        let core = scene.kernel.core();
        let process = &core.processes[number];
        (process.space.root, process.context.rip)
    };
    let found = tables::find(&mut scene.kernel.machine, root, VirtAddr::new(rip));
    let frame = found.ok().and_then(|(_, entry)| entry.frame());
    let frame = frame.ok_or_else(|| Failure::new(format_args!("no code is at {rip:#x}")))?;
    match rip % 8 {
        0 => Ok(frame.start_address().as_u64() + rip % 4096),
        _ => Err(Failure::new(format_args!("the program ended at {rip:#x}, and not in its place"))),
    }
}

/// Runs a program that attacks, has a look at how it ended, and buries it.
fn run<R>(
    scene: &mut Scene,
    program: Program,
    look: impl FnOnce(&mut Scene, usize) -> Result<R, Failure>,
) -> Result<(Verdict, R), Failure> {
    let (before, strays) = (scene.kernel.tally(), strays(scene));
    let wanted = Wanted { program, sharers: 1, shared: 0, private: 1, route: None };
    let number = scene.kernel.start(wanted);
    let number = number.map_err(|why| Failure::new(format_args!("{why}")))?;
    scene.kernel.run();
    let came_by = scene.kernel.core().processes[number].context.vector;
    let seen = look(scene, number);
    let after = scene.kernel.tally();
    scene.kernel.bury(number);
    let verdict = if after.refused_in_ring_3 > before.refused_in_ring_3 {
        Verdict::stopped(format_args!("the stub refuses the call: NotPrivileged"))
    } else if after.ended == before.ended {
        Verdict::came_through(format_args!("the program went on"))
    } else {
        let stub = if self::strays(scene) > strays { "the stub, which counts it: " } else { "" };
        Verdict::stopped(format_args!("{stub}{}", vector::name(came_by)))
    };
    Ok((verdict, seen?))
}

/// Strays in views that the stub has counted.
fn strays(scene: &Scene) -> u64 {
    if scene.features.stub.is_none() {
        return 0;
    }
    stub::counters(scene.kernel.machine.cpu()).view_strays
}
