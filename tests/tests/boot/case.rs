//! One test: a boot, and what must come of it.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use libtest_mimic::{Failed, Trial};
use loadphys_plan::command_line::{Plan, PlanName};
use xtask::boot::{self, Ending, Job, Report};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::programs::programs;

/// How long a boot may take when several run beside it.
pub const LIMIT: Duration = Duration::from_secs(150);

/// A look at what a boot said.
pub type Check = dyn Fn(&Report) -> Result<()> + Send;

/// What must come of a boot.
pub enum Expected {
    /// A good verdict, and records that pass a check.
    Good(Box<Check>),
    /// No good verdict, an end of its own, and a phrase in the verdict or in the last line of the
    /// console that is no record.
    Failure {
        /// The phrase.
        says: &'static str,
    },
    /// No good verdict, an end of its own, and records that say what was found.
    Caught(fn(&Report) -> Result<()>),
    /// No end: the time limit comes first.
    OverTime,
}

impl Expected {
    /// A good verdict, and records that pass this check.
    pub fn good(check: impl Fn(&Report) -> Result<()> + Send + 'static) -> Self {
        Self::Good(Box::new(check))
    }
}

/// One test.
pub struct Case {
    name: String,
    job: Box<dyn Fn() -> Result<Job> + Send>,
    expected: Expected,
}

impl Case {
    /// A boot and what must come of it.
    pub fn new(
        name: impl Into<String>,
        job: impl Fn() -> Result<Job> + Send + 'static,
        expected: Expected,
    ) -> Self {
        Self { name: name.into(), job: Box::new(job), expected }
    }

    /// A boot of a plan on a path, on the emulator that every host has.
    pub fn of_plan(path: Path, plan: PlanName, expected: Expected) -> Self {
        let job = move || of_plan(path, emulator(path), Plan { plan, ..Plan::default() });
        Self::new(format!("{path}/{plan}"), job, expected)
    }

    /// For the harness.
    pub fn trial(self) -> Trial {
        let Self { name, job, expected } = self;
        Trial::test(name, move || {
            run(&*job, &expected).map_err(|error| Failed::from(format!("{error:#}")))
        })
    }
}

/// A boot of a plan.
pub fn of_plan(path: Path, machine: MachineName, plan: Plan) -> Result<Job> {
    let plan = Plan { exit: machine.exit(), ..plan };
    Ok(Job::of_guest(path, machine, programs(path)?, plan.to_string(), LIMIT))
}

fn run(job: &dyn Fn() -> Result<Job>, expected: &Expected) -> Result<()> {
    let report = boot::boot(&job()?, |_, _| ())?;
    judge(&report, expected).map_err(|error| {
        let tail = report.tail().join("\n  ");
        anyhow!("{error:#}\nlast lines of the console:\n  {tail}")
    })
}

fn judge(report: &Report, expected: &Expected) -> Result<()> {
    let verdict = report.verdict();
    match expected {
        Expected::Good(check) => {
            verdict.map_err(|reason| anyhow!(reason)).and_then(|()| check(report))
        }
        Expected::OverTime => {
            ensure!(matches!(report.ending, Ending::OverTime(_)), "it ended: {verdict:?}");
            Ok(())
        }
        Expected::Failure { says } => failure(report).and_then(|reason| {
            let last = report.last_words().unwrap_or_default();
            let said = reason.contains(says) || last.contains(says);
            ensure!(said, "neither '{reason}' nor '{last}' says '{says}'");
            Ok(())
        }),
        Expected::Caught(check) => failure(report).and_then(|_| check(report)),
    }
}

/// Why a boot failed that ended by itself.
fn failure(report: &Report) -> Result<String> {
    let Err(reason) = report.verdict() else { bail!("it should have failed") };
    if let Ending::OverTime(limit) = report.ending {
        bail!("it was to end by itself, not after {} s: {reason}", limit.as_secs());
    }
    Ok(reason)
}
