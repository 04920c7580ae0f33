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
    let plan = |asked: Plan| Plan { plan: PlanName::Attack, pages: PAGES, cpus: 1, ..asked };
    let job = with_plan(job, plan);
    Job { name: format!("attacks, {}", job.name), ..job }
}

/// The same boot for something else, with a RAM disk: a plan that is made of one with the same seed, rules and end, and as many CPUs, as
/// those that were asked for.
pub(in crate::compare) fn with_plan(job: &Job, plan: impl FnOnce(Plan) -> Plan) -> Job {
    let asked: Plan = job.line.parse().expect("a job has a plan's line");
    let Plan { methods, seed, exit, rules, nested_page, cpus, .. } = asked;
    let plan = plan(Plan { methods, seed, exit, rules, nested_page, cpus, ..Plan::default() });
    let (line, cpus) = (plan.to_string(), plan.cpus);
    let with_line = |module: &Module| Module { line: line.clone(), ..module.clone() };
    let module = job.module.as_ref().map(with_line);
    Job { line, module, cpus, disks: Vec::new(), ..job.clone() }
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
