//! What a boot can be for: one file a plan. Each ends with a verdict.

mod attack;
mod bad_calls;
mod bad_program;
mod compare;
mod courses;
mod disk_faults;
mod evacuate;
mod idle;
mod last_resorts;
mod pressure;
mod probe;
mod property;
mod row;
mod swap_full;
mod torture;

use loadphys_boot::handoff::Handoff;
use loadphys_plan::command_line::{Plan, PlanName, Swap};
use loadphys_plan::records::{Machine, Record};

use crate::areas::Estate;
use crate::cpu::Features;
use crate::cpus::Others;
use crate::firmware::Firmware;
use crate::kernel::Kernel;
use crate::measure::report::{self, name};
use crate::power;
use crate::scene::{Failure, Scene};
use crate::start::{below, loader};
use crate::timer::Timer;

/// Carries the plan out and ends the boot.
pub fn run(
    estate: Estate,
    plan: Plan,
    features: Features,
    firmware: Firmware,
    others: Option<Others>,
    timer: Timer,
    handoff: &Handoff,
) -> ! {
    report::record(&Record::Machine(machine(&features, &firmware, handoff)));
    let mut kernel = Kernel::new(estate, &features, timer, plan.pages, plan.cpus as usize);
    let started = start_others(&mut kernel, &plan, others, &firmware, &features);
    let mut scene = Scene::new(kernel, plan, features);
    match started.and_then(|()| carry_out(&mut scene, handoff)) {
        Ok(()) => power::end(true, format_args!("")),
        Err(why) => {
            crate::console::log!("the plan failed: {why}");
            power::end(false, format_args!("{why}"))
        }
    }
}

fn carry_out(scene: &mut Scene, handoff: &Handoff) -> Result<(), Failure> {
    let Plan { plan, swap, faults, .. } = scene.plan;
    if faults > 0 && (plan, swap) != (PlanName::Torture, Swap::Ram) {
        return Err(Failure::new(format_args!(
            "faults={faults}: only swap=ram fails at random, and only in plan=torture"
        )));
    }
    match scene.plan.plan {
        PlanName::Compare => compare::run(scene),
        PlanName::Probe => probe::run(scene),
        PlanName::Pressure => pressure::run(scene),
        PlanName::Courses => courses::run(scene),
        PlanName::BadProgram => bad_program::run(scene),
        PlanName::DiskFaults => disk_faults::run(scene),
        PlanName::SwapFull => swap_full::run(scene),
        PlanName::Torture => torture::run(scene),
        PlanName::Evacuate => evacuate::run(scene),
        PlanName::Idle => idle::run(scene),
        PlanName::BadCalls => bad_calls::run(scene),
        PlanName::Attack => attack::run(scene, handoff),
        PlanName::StackOverflow => last_resorts::overflow_stack(),
        PlanName::TripleFault => last_resorts::triple_fault(),
        PlanName::Hang => last_resorts::hang(),
    }
}

/// Starts the other CPUs that the plan asks for.
fn start_others(
    kernel: &mut Kernel,
    plan: &Plan,
    others: Option<Others>,
    firmware: &Firmware,
    features: &Features,
) -> Result<(), Failure> {
    let Some(others) = others else { return Ok(()) };
    let colleague = kernel.colleague().clone();
    let started = others.start(plan.cpus, firmware, features, colleague.root(), colleague);
    kernel.work_with(started.map_err(|why| Failure::new(format_args!("{why}")))?);
    Ok(())
}

fn machine(features: &Features, firmware: &Firmware, handoff: &Handoff) -> Machine {
    let bytes: u64 = handoff.usable().map(|r| r.end - r.start).sum();
    Machine {
        path: name(below(features)),
        cpu: features.brand.clone(),
        cpus: firmware.cpus,
        memory_mib: bytes >> 20,
        pcid: features.pcid,
        loader: name(loader(handoff)),
    }
}
