//! Boots in which the guest calls nobody: nothing that it does by itself leads to the stub.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{Plan, PlanName};
use loadphys_plan::records::{Activity, Record};
use xtask::boot::Report;
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::counted::nothing_lost;

/// On two CPUs, which halt, compute, interrupt each other and are interrupted.
pub fn idle(path: Path) -> Case {
    let job = move || {
        let plan = Plan { plan: PlanName::Idle, cpus: 2, ..Plan::default() };
        of_plan(path, emulator(path), plan)
    };
    Case::new(format!("{path}/idle"), job, Expected::good(left_alone))
}

fn left_alone(report: &Report) -> Result<()> {
    let idle = activity(report, "idle")?;
    // Each CPU takes a slice of a 4,000th of a second after the other.
    let slices = idle.microseconds / 250 * u64::from(idle.cpus);
    ensure!(idle.interrupts > slices / 2, "{} of {slices} slices", idle.interrupts);
    let busy = activity(report, "busy")?;
    ensure!(busy.evicted > 0 && busy.interrupts > 0, "it was not busy: {busy:?}");
    for it in [idle, busy] {
        ensure!(it.microseconds >= 62_500, "{} µs only", it.microseconds);
        ensure!(it.exits == Some(0), "{}: exits {:?} {:?}", it.activity, it.exits, it.by_reason);
    }
    nothing_lost(report)
}

fn activity<'r>(report: &'r Report, name: &str) -> Result<&'r Activity> {
    let mut all = report.records.iter().filter_map(|record| match record {
        Record::Activity(activity) => Some(activity),
        _ => None,
    });
    all.find(|it| it.activity == name).with_context(|| format!("nothing is said of {name}"))
}
