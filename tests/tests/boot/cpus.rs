//! Four CPUs under the stub, and a guest that tries what they can do to each other and to it: it ends well only if all goes well.
//! Under a stub that is broken in one way it must not.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{List, MethodName, Methods, Plan};
use xtask::boot::{Job, Report};
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, LIMIT, of_plan};
use crate::programs::{self, broken_stub, programs};

/// All of them.
pub fn cases() -> Vec<Case> {
    let by = |path, machine| move || boot(path, machine);
    let mut cases = vec![
        Case::new("vmx/cpus", by(Path::Vmx, MachineName::Bochs), Expected::good(tried_views)),
        Case::new("svm/cpus", by(Path::Svm, MachineName::QemuTcg), Expected::good(started_again)),
    ];
    for (feature, check) in BROKEN {
        let good = by(Path::Vmx, MachineName::Bochs);
        let job = move || Ok(Job { kernel: broken_stub(feature)?, ..good()? });
        cases.push(Case::new(format!("vmx/cpus-{feature}"), job, Expected::Caught(check)));
    }
    // A flush that the CPU refuses. One CPU says so, and no other says anything meanwhile.
    let feature = "broken-invept-type";
    let says = "INVEPT failed: VM-instruction error 28: invalid operand to INVEPT/INVVPID";
    let job = move || {
        let methods = Methods::Named(List::new([MethodName::Alias]).expect("one name"));
        let plan = Plan { pages: 64, methods, ..Plan::default() };
        Ok(Job { kernel: broken_stub(feature)?, ..of_plan(Path::Vmx, MachineName::Bochs, plan)? })
    };
    cases.push(Case::new(format!("vmx/{feature}"), job, Expected::Failure { says }));
    cases
}

fn boot(path: Path, machine: MachineName) -> Result<Job> {
    let mut job = Job::probe(path, machine, programs(path)?, LIMIT);
    job.module.as_mut().context("the stub has a guest")?.file = programs::cpus()?;
    Ok(Job { cpus: 4, ..job })
}

/// VT-x has views.
fn tried_views(report: &Report) -> Result<()> {
    ensure!(!report.lines.iter().any(|line| line.contains("not tried")), "all can be tried");
    Ok(())
}

/// Under SVM the stub takes INITs from their sender.
fn started_again(report: &Report) -> Result<()> {
    let passed = "passed: a CPU that was stopped starts again";
    ensure!(report.lines.iter().any(|line| line.contains(passed)), "no CPU was started again");
    Ok(())
}

type Check = fn(&Report) -> Result<()>;

/// Stubs that let a guest do with VMFUNC what it must not, and what the guest says of them.
const BROKEN: [(&str, Check); 3] = [
    // What is refused counts as done.
    ("broken-vmfunc", |report| ends_in(report, "views.rs", "without a gate")),
    // All can be executed in all views.
    ("broken-executable-views", |report| ends_in(report, "views.rs", "VMFUNC outside")),
    // An NMI does not wait until the gate is left.
    ("broken-nmi-in-view", |report| ends_in(report, "views.rs", "an NMI waits")),
];

/// Whether the guest gave up in this file, and before it had passed this trial.
fn ends_in(report: &Report, file: &str, trial: &str) -> Result<()> {
    let said = |words: &str| report.lines.iter().any(|line| line.contains(words));
    ensure!(said(&format!("{file}:")), "it did not end in {file}");
    ensure!(!said(&format!("passed: {trial}")), "it passed the trial '{trial}'");
    Ok(())
}
