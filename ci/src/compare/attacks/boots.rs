//! The boots in which methods are attacked: one for each that measured rows, with the same methods and rules.

use anyhow::Result;
use loadphys_plan::command_line::{AttackName, Plan, PlanName};
use loadphys_plan::records::Record;

use crate::boot::{self, Job, Module};
use crate::compare::Measured;
use crate::compare::boots::side_by_side;
use crate::machines::Path;
use crate::progress::Progress;

/// Pages that the two programs share; they are there to be checked in the end.
const PAGES: u32 = 16;

/// Runs them all.
pub fn attack(jobs: &[(Path, Job)]) -> Result<Vec<Measured>> {
    let jobs: Vec<_> = jobs.iter().map(|(path, job)| (*path, attacking(job))).collect();
    side_by_side(&jobs, one)
}

/// The same methods on the same machine, with one CPU and no disk.
fn attacking(job: &Job) -> Job {
    let plan: Plan = job.line.parse().expect("a job has a plan's line");
    let Plan { methods, seed, exit, rules, .. } = plan;
    let plan = PlanName::Attack;
    let line =
        Plan { plan, methods, seed, exit, rules, pages: PAGES, ..Plan::default() }.to_string();
    let with_line = |module: &Module| Module { line: line.clone(), ..module.clone() };
    let module = job.module.as_ref().map(with_line);
    let name = format!("attacks, {}", job.name);
    Job { name, line, module, disks: Vec::new(), cpus: 1, ..job.clone() }
}

fn one(path: Path, job: &Job) -> Result<Measured> {
    let progress = Progress::start(&job.name, 0);
    let last = AttackName::ALL.last().expect("there are attacks");
    let report = boot::boot(job, |_, record| match record {
        Some(Record::Attack(it)) if it.attack == last.name() => {
            progress.step(format!("{} was attacked", it.method));
        }
        _ => {}
    })?;
    let made = report.records.iter().filter(|it| matches!(it, Record::Attack(_))).count();
    match report.verdict() {
        Ok(()) => progress.finish(&format!("made {made} attacks")),
        Err(reason) => progress.finish(&format!("FAILED after {made} attacks: {reason}")),
    }
    Ok(Measured::of(path, job, report))
}
