//! Boots that must go well.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{List, Plan, PlanName};
use loadphys_plan::records::{Machine, Record, counts};
use xtask::boot::Report;
use xtask::compare::{self, Asked, Measured, Request};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, of_plan};

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
        Case::of_plan(Path::Vmx, PlanName::BadCalls, Expected::Good(bad_calls)),
    ];
    for path in Path::ALL {
        cases.push(comparison(path));
        cases.push(Case::of_plan(path, PlanName::Pressure, Expected::Good(pressure)));
        cases.push(Case::of_plan(path, PlanName::BadProgram, Expected::Good(bad_program)));
        cases.push(full(path));
    }
    cases
}

fn probe(
    name: &'static str,
    path: Path,
    machine: MachineName,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let plan = Plan { plan: PlanName::Probe, ..Plan::default() };
    Case::new(name, move || of_plan(path, machine, plan.clone()), Expected::Good(check))
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

/// A small comparison of the usual methods.
fn request(path: Path) -> Request {
    let list = |values: &[u32]| List::new(values.iter().copied()).expect("different numbers");
    Request {
        paths: vec![path],
        methods: Asked::Usual,
        sharers: list(&[1, 3]),
        batch: list(&[1, 7]),
        pages: 40,
        seed: 42,
    }
}

fn comparison(path: Path) -> Case {
    let check: fn(&Report) -> Result<()> = match path {
        Path::Bare => |report| nothing_wrong(Path::Bare, report),
        Path::Vmx => |report| nothing_wrong(Path::Vmx, report),
    };
    let machine = emulator(path);
    let job = move || of_plan(path, machine, request(path).plan(path, machine));
    Case::new(format!("{path}/compare"), job, Expected::Good(check))
}

fn nothing_wrong(path: Path, report: &Report) -> Result<()> {
    let request = request(path);
    let boot = Measured { path, machine: emulator(path), memory_mib: 0, report: report.clone() };
    let document = compare::gather(&request, &[boot], String::new());
    ensure!(document.wrong.is_empty(), "{}", document.wrong.join("; "));
    ensure!(count(report, counts::AUDITS)? > 0, "nothing was audited");
    Ok(())
}

fn count(report: &Report, name: &str) -> Result<u64> {
    report.count(name).with_context(|| format!("no count '{name}'"))
}

fn pressure(report: &Report) -> Result<()> {
    ensure!(count(report, counts::EVICTED)? > 0, "nothing was evicted");
    ensure!(count(report, counts::FAULTED_IN)? > 0, "nothing came back");
    ensure!(count(report, counts::PREEMPTIONS)? > 0, "the timer interrupted no program");
    nothing_lost(report)
}

fn bad_program(report: &Report) -> Result<()> {
    ensure!(count(report, counts::ENDED_PROGRAMS)? >= 2, "too few programs were ended");
    ensure!(count(report, counts::FINISHED_PROGRAMS)? >= 1, "no other program ran on");
    nothing_lost(report)
}

/// Swap holds less than half of what is to be evicted.
fn full(path: Path) -> Case {
    let plan = Plan { plan: PlanName::SwapFull, swap_pages: 100, ..Plan::default() };
    let job = move || of_plan(path, emulator(path), plan.clone());
    Case::new(format!("{path}/swap-full"), job, Expected::Good(swap_full))
}

fn swap_full(report: &Report) -> Result<()> {
    ensure!(count(report, counts::SWAP_FULL_REFUSALS)? > 0, "no eviction was refused");
    nothing_lost(report)
}

fn nothing_lost(report: &Report) -> Result<()> {
    ensure!(count(report, counts::VERIFIED)? > 0, "no page was verified");
    ensure!(count(report, counts::LOST)? == 0, "pages were lost");
    Ok(())
}

fn bad_calls(report: &Report) -> Result<()> {
    ensure!(count(report, counts::REFUSED_CALLS)? > 0, "no call was refused");
    ensure!(count(report, counts::WRONG_ANSWERS)? == 0, "calls were answered wrongly");
    Ok(())
}
