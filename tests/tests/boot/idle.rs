//! Boots in which the guest calls nobody: nothing that it does by itself leads to the stub.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{Plan, PlanName};
use loadphys_plan::records::{Activity, Record};
use xtask::boot::Report;
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::counted::nothing_lost;

/// On two CPUs, which halt, compute, interrupt each other and are interrupted; on one where the stub sees each store to the local APIC of
/// several.
pub fn idle(path: Path) -> Case {
    let cpus = if path.traps_apic(2) { 1 } else { 2 };
    let job = move || {
        let plan = Plan { plan: PlanName::Idle, cpus, ..Plan::default() };
        of_plan(path, emulator(path), plan)
    };
    Case::new(format!("{path}/idle"), job, Expected::good(left_alone))
}

fn left_alone(report: &Report) -> Result<()> {
    let idle = activity(report, "idle")?;
    // Slices are a 4,000th of a second; while all CPUs halt, QEMU's time goes on with the host's, and a busy host is late to end one.
    let few = idle.microseconds / 250 / 10 * u64::from(idle.cpus);
    ensure!(idle.interrupts > few, "{} slices, not more than {few}", idle.interrupts);
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
