//! Boots that must go well.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{Exit, Plan, PlanName};
use loadphys_plan::records::{Machine, Record, counts};
use xtask::boot::{Ending, Job, Report, USUAL_MEMORY_MIB};
use xtask::commands::image;
use xtask::iso::{self, Menu};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, LIMIT, of_plan};
use crate::comparison::{
    all, comparison, comparison_on, many_spaces, nested_pages, several, several_typed,
    several_usual, small_nested_pages, typed, typed_preset, usual,
};
use crate::conformance::{
    FAR_UP_ON_VMX, conforms, conforms_blindly, conforms_blindly_far_up, conforms_far_up, everything,
};
use crate::counted::{count, exactly, nothing_lost};
use crate::courses::{as_predicted, courses};
use crate::evacuation::evacuate;
use crate::idle::idle;
use crate::programs::programs;
use crate::torture::torture;

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        probe("bare/probe-pvh", Path::Bare, MachineName::QemuTcg, |report| {
            is(report, "bare", "pvh")
        }),
        probe("bare/probe-multiboot2", Path::Bare, MachineName::Bochs, |report| {
            is(report, "bare", "multiboot2")
        }),
        probe("vmx/probe", Path::Vmx, MachineName::Bochs, |report| is(report, "vmx", "pvh")),
        probe("svm/probe", Path::Svm, MachineName::QemuTcg, |report| is(report, "svm", "pvh")),
        Case::of_plan(Path::Vmx, PlanName::BadCalls, Expected::good(bad_calls)),
        Case::of_plan(Path::Svm, PlanName::BadCalls, Expected::good(bad_calls)),
        everything(Path::Bare, &[], USUAL_MEMORY_MIB, conforms),
        everything(Path::Vmx, &[], USUAL_MEMORY_MIB, conforms),
        everything(Path::Svm, &[], USUAL_MEMORY_MIB, conforms_blindly),
        everything(Path::Bare, &[], 5120, conforms_far_up),
        everything(Path::Svm, &[], 5120, conforms_blindly_far_up),
        everything(Path::Vmx, &FAR_UP_ON_VMX, 4224, conforms_far_up),
        comparison(Path::Bare, "2-cpus", several::<2>),
        comparison(Path::Vmx, "2-cpus", several_usual),
        comparison(Path::Svm, "2-cpus", several::<2>),
        comparison(Path::Bare, "4-cpus", several::<4>),
        comparison_on(MachineName::Bochs, Path::Bare, "4-cpus-bochs", several::<4>),
        Case::new("bare/pressure-4-cpus-bochs", pressure_on_several, Expected::good(pressure)),
        idle(Path::Vmx),
        idle(Path::Svm),
        comparison(Path::Vmx, "typed", typed),
        comparison(Path::Vmx, "typed-preset", typed_preset),
        comparison(Path::Vmx, "typed-2-cpus", several_typed),
        comparison(Path::Bare, "600-spaces", many_spaces),
        nested_pages("nested-4k", small_nested_pages, "4 KiB"),
        nested_pages("nested-auto", usual, "2 MiB"),
        Case::new("bare/courses", courses, Expected::good(as_predicted)),
        Case::new("bare/power-off", power_off, Expected::good(powered_off)),
        Case::new("vmx/image", image, Expected::good(|report| is(report, "vmx", "pvh"))),
    ];
    for path in Path::ALL {
        cases.push(comparison(path, "compare", usual));
        cases.push(comparison(path, "compare-all", all));
        cases.push(Case::of_plan(path, PlanName::Pressure, Expected::good(pressure)));
        cases.push(Case::of_plan(
            path,
            PlanName::BadProgram,
            Expected::good(move |it| bad_program(path, it)),
        ));
        cases.push(full(path));
        cases.push(evacuate(path, 1));
        cases.push(torture(path));
    }
    cases.push(evacuate(Path::Bare, 2));
    cases
}

fn probe(
    name: &'static str,
    path: Path,
    machine: MachineName,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let plan = Plan { plan: PlanName::Probe, ..Plan::default() };
    Case::new(name, move || of_plan(path, machine, plan.clone()), Expected::good(check))
}

/// QEMU, which is told of the end by ACPI only.
fn power_off() -> Result<Job> {
    let mut job = Job::probe(Path::Bare, MachineName::QemuTcg, programs(Path::Bare)?, LIMIT);
    job.line = Plan { plan: PlanName::Probe, exit: Exit::Acpi, ..Plan::default() }.to_string();
    Ok(job)
}

/// The disc that `cargo xtask image` writes, of which the entry with the stub is chosen.
fn image() -> Result<Job> {
    let job = Job::probe(Path::Vmx, MachineName::Bochs, programs(Path::Vmx)?, LIMIT);
    let image = xtask::workspace::target().join("boot-test.iso");
    let entries = image::entries(programs(Path::Vmx)?, &job.line);
    iso::write(&image, &Menu { entries: &entries, chosen: 1, seconds: 1 })?;
    Ok(Job { image: Some(image), ..job })
}

/// QEMU ends with 0 after a power-off, and only then as well as the guest's good end.
fn powered_off(report: &Report) -> Result<()> {
    ensure!(report.ending == Ending::ByItself(Some(0)), "it ended with {:?}", report.ending);
    Ok(())
}

/// The guest found itself on this path, loaded this way.
fn is(report: &Report, path: &str, loader: &str) -> Result<()> {
    let found = machine(report)?;
    ensure!(found.path == path, "the guest found path {}", found.path);
    ensure!(found.loader == loader, "the guest found loader {}", found.loader);
    Ok(())
}

fn machine(report: &Report) -> Result<&Machine> {
    let machine = report.records.iter().find_map(|record| match record {
        Record::Machine(machine) => Some(machine),
        _ => None,
    });
    machine.context("no machine record")
}

/// CPUs that are short of frames at the same time; on QEMU they hardly meet.
fn pressure_on_several() -> Result<Job> {
    let plan = Plan { plan: PlanName::Pressure, cpus: 4, ..Plan::default() };
    of_plan(Path::Bare, MachineName::Bochs, plan)
}

fn pressure(report: &Report) -> Result<()> {
    ensure!(count(report, counts::EVICTED)? > 0, "nothing was evicted");
    ensure!(count(report, counts::FAULTED_IN)? > 0, "nothing came back");
    ensure!(count(report, counts::PREEMPTIONS)? > 0, "the timer interrupted no program");
    nothing_lost(report)
}

/// On bare metal all bad programs are ended and the two sharers finish; under the stub the one that
/// calls it is refused and finishes too.
fn bad_program(path: Path, report: &Report) -> Result<()> {
    let names = [counts::ENDED_PROGRAMS, counts::FINISHED_PROGRAMS, counts::REFUSED_CALLS];
    let wanted = match path {
        Path::Bare => [8, 2, 0],
        Path::Vmx | Path::Svm => [7, 3, 1],
    };
    for (name, wanted) in names.into_iter().zip(wanted) {
        exactly(report, name, wanted)?;
    }
    nothing_lost(report)
}

/// Swap holds less than half of what is to be evicted.
fn full(path: Path) -> Case {
    let plan = Plan { plan: PlanName::SwapFull, swap_pages: 100, ..Plan::default() };
    let job = move || of_plan(path, emulator(path), plan.clone());
    Case::new(format!("{path}/swap-full"), job, Expected::good(swap_full))
}

fn swap_full(report: &Report) -> Result<()> {
    ensure!(count(report, counts::SWAP_FULL_REFUSALS)? > 0, "no eviction was refused");
    nothing_lost(report)
}

/// Every call of the plan but the one that registers the table and the one that finds another value;
/// and the batch that stops.
const REFUSED: u64 = 22;

fn bad_calls(report: &Report) -> Result<()> {
    exactly(report, counts::REFUSED_CALLS, REFUSED)?;
    exactly(report, counts::WRONG_ANSWERS, 0)
}
