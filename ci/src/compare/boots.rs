//! The boots of a comparison, side by side.

use std::thread;

use anyhow::{Result, anyhow};
use loadphys_plan::command_line::{NestedPage, Plan, Rules};
use loadphys_plan::records::{NO_RULES, Record, Row};

use super::Request;
use crate::boot::{self, Job, Report};
use crate::machines::{MachineName, Path};
use crate::progress::Progress;

/// What one boot of a comparison said.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What ran below the guest.
    pub path: Path,
    /// What the stub checked, if there was one.
    pub rules: Rules,
    /// The largest pages of the stub's nested tables.
    pub nested_page: NestedPage,
    /// What ran below that.
    pub machine: MachineName,
    /// Memory of the machine.
    pub memory_mib: u32,
    /// What it said.
    pub report: Report,
}

/// Runs all boots that measure rows.
pub fn measure(request: &Request, jobs: &[(Path, Job)]) -> Result<Vec<Measured>> {
    side_by_side(jobs, |path, job| one(request, path, job))
}

/// Runs all boots at the same time. Emulated ticks do not depend on the host's load; where ticks
/// are cycles, boots are run one after the other.
pub(super) fn side_by_side(
    jobs: &[(Path, Job)],
    one: impl Fn(Path, &Job) -> Result<Measured> + Sync,
) -> Result<Vec<Measured>> {
    let noisy = jobs.iter().any(|(_, job)| job.machine.tick() == "cycle");
    if noisy {
        return jobs.iter().map(|(path, job)| one(*path, job)).collect();
    }
    let one = &one;
    thread::scope(|scope| {
        let threads: Vec<_> =
            jobs.iter().map(|(path, job)| scope.spawn(move || one(*path, job))).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|measured| measured.map_err(|_| anyhow!("a boot panicked"))?).collect()
    })
}

fn one(request: &Request, path: Path, job: &Job) -> Result<Measured> {
    let progress = Progress::start(&job.name, request.most_rows(path) as u64);
    let report = boot::boot(job, |_, record| {
        if let Some(Record::Row(row)) = record {
            progress.step(summary(row));
        }
    })?;
    let rows = report.records.iter().filter(|record| matches!(record, Record::Row(_))).count();
    match report.verdict() {
        Ok(()) => progress.finish(&format!("measured {rows} rows")),
        Err(reason) => progress.finish(&format!("FAILED after {rows} rows: {reason}")),
    }
    Ok(Measured::of(path, job, report))
}

impl Measured {
    /// What the boot of this job said.
    pub fn of(path: Path, job: &Job, report: Report) -> Self {
        let plan = job.line.parse::<Plan>();
        let Plan { rules, nested_page, .. } = plan.unwrap_or_default();
        Self { path, rules, nested_page, machine: job.machine, memory_mib: job.memory_mib, report }
    }

    /// The rules as records name them.
    pub fn rules_named(&self) -> &'static str {
        if self.path.has_stub() { self.rules.name() } else { NO_RULES }
    }

    /// What people know the boot by: path, machine, and rules other than the usual ones.
    pub fn name(&self) -> String {
        name(self.path, self.machine, self.rules)
    }
}

/// What people know a boot by.
pub fn name(path: Path, machine: MachineName, rules: Rules) -> String {
    match rules {
        Rules::Tables => format!("{path} on {machine}"),
        rules => format!("{path} on {machine}, rules={rules}"),
    }
}

fn summary(row: &Row) -> String {
    let Row { method, sharers, batch, .. } = row;
    format!("{method}, sharers {sharers}, batch {batch}: {:.0} ticks a page", row.ticks.total.mean)
}
