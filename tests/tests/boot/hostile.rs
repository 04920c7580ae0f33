//! Boots that must fail, and say why.

use std::time::Duration;

use anyhow::Result;
use loadphys_plan::command_line::{Plan, PlanName};
use xtask::boot::{Job, Module};
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, LIMIT, of_plan};
use crate::programs::{broken, programs};

/// How long a guest is watched that is to hang.
const HANG_LIMIT: Duration = Duration::from_secs(8);

/// All of them.
pub fn cases() -> Vec<Case> {
    let failure = |says| Expected::Failure { says };
    vec![
        Case::of_plan(Path::Bare, PlanName::StackOverflow, failure("double fault")),
        Case::of_plan(Path::Vmx, PlanName::StackOverflow, failure("double fault")),
        Case::of_plan(Path::Vmx, PlanName::TripleFault, failure("triple fault")),
        Case::new("bare/hang", hang, Expected::OverTime),
        Case::new("bare/unknown-word", || unknown_word(Path::Bare), failure("frobnicate")),
        Case::new("vmx/unknown-word", || unknown_word(Path::Vmx), failure("frobnicate")),
        Case::new("bare/little-memory", || little_memory(Path::Bare), failure("memory")),
        Case::new("vmx/little-memory", || little_memory(Path::Vmx), failure("memory")),
        Case::new("vmx/guest-is-no-elf", no_elf, failure("elf")),
        Case::new("vmx/no-guest", no_guest, failure("module")),
        Case::new("vmx/no-vmx", no_vmx, failure("vmx")),
        Case::new("bare/skipped-flush", || broken_guest("broken-skip-flush"), failure("stale")),
        Case::new(
            "bare/freed-before-flush",
            || broken_guest("broken-free-before-flush"),
            failure("lost"),
        ),
    ]
}

fn hang() -> Result<Job> {
    let plan = Plan { plan: PlanName::Hang, ..Plan::default() };
    let job = of_plan(Path::Bare, MachineName::QemuTcg, plan)?;
    Ok(Job { time_limit: HANG_LIMIT, ..job })
}

/// The probe on the machine that every host has for a path.
fn probe(path: Path) -> Result<Job> {
    let machine = xtask::machines::choose::emulator(path);
    Ok(Job::probe(path, machine, programs(path)?, LIMIT))
}

fn unknown_word(path: Path) -> Result<Job> {
    let mut job = probe(path)?;
    let line = format!("{} frobnicate=1", job.line);
    if let Some(module) = &mut job.module {
        module.line = line.clone();
    }
    Ok(Job { line, ..job })
}

/// Enough for firmware and boot loader, not for what they load.
fn little_memory(path: Path) -> Result<Job> {
    let memory_mib = match path {
        Path::Bare => 4,
        Path::Vmx => 32,
    };
    Ok(Job { memory_mib, ..probe(path)? })
}

fn no_elf() -> Result<Job> {
    let job = probe(Path::Vmx)?;
    let file = xtask::workspace::root().join("Cargo.toml");
    let module = Module { file, line: String::new() };
    Ok(Job { module: Some(module), ..job })
}

fn no_guest() -> Result<Job> {
    Ok(Job { module: None, ..probe(Path::Vmx)? })
}

/// The stub on an emulator that has no VMX.
fn no_vmx() -> Result<Job> {
    Ok(Job::probe(Path::Vmx, MachineName::QemuTcg, programs(Path::Vmx)?, LIMIT))
}

fn broken_guest(feature: &str) -> Result<Job> {
    let job = of_plan(Path::Bare, MachineName::QemuTcg, Plan { pages: 64, ..Plan::default() })?;
    Ok(Job { kernel: broken(feature)?, ..job })
}
