//! What programs may try: to call the stub, and to switch views.

use loadphys_apps::Program;
use loadphys_plan::work::PRIVATE_PAGES;

use super::verdict::Verdict;
use crate::interrupts::vector;
use crate::kernel::Wanted;
use crate::scene::{Failure, Scene};
use crate::stub;

/// Runs a program that attacks, and buries it.
pub fn attack(scene: &mut Scene, program: Program) -> Result<Verdict, Failure> {
    let (before, strays) = (scene.kernel.tally(), strays(scene));
    let wanted = Wanted { program, sharers: 1, shared: 0, private: PRIVATE_PAGES, route: None };
    let number = scene.kernel.start(wanted);
    let number = number.map_err(|why| Failure::new(format_args!("{why}")))?;
    scene.kernel.run();
    let came_by = scene.kernel.core().processes[number].context.vector;
    let after = scene.kernel.tally();
    scene.kernel.bury(number);
    if after.refused_in_ring_3 > before.refused_in_ring_3 {
        return Ok(Verdict::stopped(format_args!("the stub refuses the call: NotPrivileged")));
    }
    if after.ended == before.ended {
        return Ok(Verdict::came_through(format_args!("the program went on")));
    }
    let out = if self::strays(scene) > strays { "out of the view, the stub: " } else { "" };
    Ok(Verdict::stopped(format_args!("{out}{}", vector::name(came_by))))
}

/// Strays in views that the stub has counted.
fn strays(scene: &Scene) -> u64 {
    if scene.features.stub.is_none() {
        return 0;
    }
    stub::counters(scene.kernel.machine.cpu()).view_strays
}
