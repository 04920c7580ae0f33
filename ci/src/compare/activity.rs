//! How often the stub is entered while the guest calls nobody: in boots of their own, one for each path with a stub.

use anyhow::Result;
use loadphys_plan::command_line::{Methods, Plan, PlanName};
use loadphys_plan::records::{Activity, Record};
use serde::Serialize;

use super::Measured;
use super::attacks::with_plan;
use super::boots::side_by_side;
use super::document::Document;
use super::targets::targets;
use super::unmeasured::unmeasured;
use crate::boot::{self, Job};
use crate::machines::Path;
use crate::progress::Progress;

/// Pages that programs share while the guest is busy.
const PAGES: u32 = 256;

/// What went by, and where.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredActivity {
    /// The machine.
    pub machine: &'static str,
    /// What the stub checked.
    pub rules: &'static str,
    /// What the guest recorded.
    #[serde(flatten)]
    pub activity: Activity,
    /// Exits in a second of the machine's own clock.
    pub exits_per_second: f64,
}

/// Runs them all, on as many CPUs as rows are measured on.
pub fn watch(jobs: &[(Path, Job)]) -> Result<Vec<Measured>> {
    let with_stub = jobs.iter().filter(|(path, _)| path.has_stub());
    let jobs: Vec<_> = with_stub.map(|(path, job)| (*path, watched(job))).collect();
    side_by_side(&jobs, one)
}

fn watched(job: &Job) -> Job {
    let plan =
        |asked: Plan| Plan { plan: PlanName::Idle, methods: Methods::Auto, pages: PAGES, ..asked };
    let job = with_plan(job, plan);
    Job { name: format!("idle and busy, {}", job.name), ..job }
}

fn one(path: Path, job: &Job) -> Result<Measured> {
    let progress = Progress::start(&job.name, 0);
    let report = boot::boot(job, |_, record| {
        if let Some(Record::Activity(it)) = record {
            progress.step(format!("{} guest", it.activity));
        }
    })?;
    match report.verdict() {
        Ok(()) => progress.finish("counted exits"),
        Err(reason) => progress.finish(&format!("FAILED: {reason}")),
    }
    Ok(Measured::of(path, job, report))
}

impl Document {
    /// Adds what boots said in which exits were counted, and what is wrong with them.
    pub fn add_activities(&mut self, boots: &[Measured]) {
        for boot in boots {
            let found = boot.report.records.iter().filter_map(|record| match record {
                Record::Activity(activity) => measured(boot, activity),
                _ => None,
            });
            let found: Vec<_> = found.collect();
            let verdict = boot.report.verdict();
            let wrong = match verdict {
                Err(why) => Some(why),
                Ok(()) if found.len() != 2 => Some("exits of a guest were not counted".into()),
                Ok(()) => None,
            };
            self.wrong.extend(wrong.map(|why| format!("idle and busy, {}: {why}", boot.name())));
            self.activities.extend(found);
        }
        self.targets = targets(self);
        self.unmeasured = unmeasured(self);
    }
}

fn measured(boot: &Measured, activity: &Activity) -> Option<MeasuredActivity> {
    let seconds = activity.microseconds as f64 / 1e6;
    let exits_per_second = activity.exits? as f64 / seconds;
    exits_per_second.is_finite().then(|| MeasuredActivity {
        machine: boot.machine.name(),
        rules: boot.rules_named(),
        activity: activity.clone(),
        exits_per_second,
    })
}

/// A line each, for people.
pub fn activities_told(activities: &[MeasuredActivity]) -> Vec<String> {
    activities.iter().map(told).collect()
}

fn told(it: &MeasuredActivity) -> String {
    let Activity { path, activity, method, cpus, ticks, microseconds, interrupts, evicted, .. } =
        &it.activity;
    let did = match &**activity {
        "idle" => format!("its timer woke CPUs {interrupts} times"),
        _ => format!("{evicted} pages were evicted by {method}, {interrupts} slices ended"),
    };
    let reasons: Vec<String> = it
        .activity
        .by_reason
        .iter()
        .map(|(reason, count)| format!("{count} of reason {reason}"))
        .collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!(
        "{activity} guest on {path} ({}, {cpus} CPU(s)): {} exits{reasons} in {:.1} ms of the machine's own clock and {ticks} ticks, \
         {:.0} a second; {did}",
        it.machine,
        it.activity.exits.unwrap_or(0),
        *microseconds as f64 / 1000.0,
        it.exits_per_second,
    )
}
