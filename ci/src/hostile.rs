//! Boots of the guest that does everything wrong on purpose, under the stub, with memory looked at from outside.
//!
//! Before the guest begins and when it is about to be ended, Bochs's debugger shows the stub's code and constants, which must be
//! those of its file, and pages of the guest that nobody may change.

mod image;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use loadphys_plan::command_line::Rules;
use loadphys_plan::records::Record;

use crate::boot::{self, Job, Looks, Module, Report};
use crate::build;
use crate::machines::{self, MachineName};
use image::{Image, Part};

/// A boot that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// What of the guest must stay as it is.
const CANARIES: &str = "HOSTILE_CANARIES";

/// How often it asks to be looked at.
const LOOKS: usize = 2;

/// How the stub says that the guest has ended as it meant to.
const ENDED: &str = "stub: triple fault of the guest: ";

/// What the guest counted, by name.
pub type Counts = BTreeMap<String, u64>;

/// What is booted.
#[derive(Clone, Debug)]
pub struct Hostile {
    stub: PathBuf,
    guest: PathBuf,
    constant: Vec<Part>,
    canaries: Range<u64>,
}

impl Hostile {
    /// Builds stub and guest.
    pub fn build() -> Result<Self> {
        let (stub, guest) = (build::stub(&[])?, build::hostile_guest()?);
        let constant = Image::read(&stub)?.constant()?;
        let image = Image::read(&guest)?;
        let canaries = image.symbol(CANARIES)?;
        Ok(Self { stub, guest, constant, canaries })
    }

    /// Boots it, with as much as is asked for at random; gives back what it counted.
    pub fn boot(&self, seed: u64, acts: u64, rules: Rules) -> Result<Counts> {
        let place = tempfile::tempdir().context("no temporary directory")?;
        let job = self.job(seed, acts, rules, &place.path().join("seen"));
        let report = boot::boot(&job, |_, _| ())?;
        self.judge(&job, &report).map_err(|error| {
            let tail = report.tail().join("\n  ");
            anyhow!("{error:#}\nlast lines of the console:\n  {tail}")
        })
    }

    fn job(&self, seed: u64, acts: u64, rules: Rules, file: &Path) -> Job {
        let line = format!("seed={seed} acts={acts} rules={rules} exit=bochs");
        let module = Module { file: self.guest.clone(), line: line.clone() };
        let name = format!("hostile guest, seed {seed}");
        let memory = self.constant.iter().map(|part| part.at.clone());
        let memory = memory.chain([self.canaries.clone()]).collect();
        let looks = Looks { times: LOOKS, memory, file: file.to_owned() };
        let (stub, machine) = (self.stub.clone(), MachineName::Bochs);
        let job = Job::new(name, machine, stub, line, Some(module), LIMIT);
        Job { cpus: 2, looks: Some(looks), ..job }
    }

    fn judge(&self, job: &Job, report: &Report) -> Result<Counts> {
        report.verdict().map_err(|reason| anyhow!(reason))?;
        let last = report.last_words().unwrap_or_default();
        ensure!(last.starts_with(ENDED), "it ended with '{last}', not with '{ENDED}...'");
        let seen = machines::seen(job.looks.as_ref().context("it was looked at")?)?;
        self.same_as_in_file(&seen[0])?;
        self.same_as_before(&seen)?;
        Ok(counts(report))
    }

    /// What is looked at is the stub, and nothing has happened to it before the guest begins.
    fn same_as_in_file(&self, look: &[Vec<u8>]) -> Result<()> {
        let mut parts = self.constant.iter().zip(look);
        match parts.find_map(|(part, found)| part.differs(found)) {
            Some(at) => bail!("the stub's memory at {at:#x} is not as in its file"),
            None => Ok(()),
        }
    }

    /// Nothing has happened to it since; nor to the canaries, which come last.
    fn same_as_before(&self, seen: &[Vec<Vec<u8>>]) -> Result<()> {
        let starts = self.constant.iter().map(|part| part.at.start).chain([self.canaries.start]);
        let mut pairs = starts.zip(seen[0].iter().zip(&seen[1]));
        match pairs.find_map(|(start, (before, after))| differs(start, before, after)) {
            Some(at) => bail!("memory at {at:#x}, of the stub or a canary, was changed"),
            None => Ok(()),
        }
    }
}

/// Where memory from an address on was changed first.
fn differs(start: u64, before: &[u8], after: &[u8]) -> Option<u64> {
    let at = before.iter().zip(after).position(|(before, after)| before != after);
    at.map(|at| start + at as u64)
}

fn counts(report: &Report) -> Counts {
    let count = |record: &Record| match record {
        Record::Count(count) => Some((count.name.to_string(), count.count)),
        _ => None,
    };
    report.records.iter().filter_map(count).collect()
}
