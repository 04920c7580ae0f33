//! One emulator, from its start to its end.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use loadphys_plan::records::Record;

use super::children::{self, Running};
use super::console::Console;
use super::{Ending, Job, Report};
use crate::disks::{self, Made};
use crate::interrupt;
use crate::machines;

/// How long an emulator may take to end after the guest's last record.
const GRACE: Duration = Duration::from_secs(5);

/// Boots, hands each line of the console to `observer` as it comes, and waits for the end. When
/// this returns, nothing of the boot is left running and its files are gone.
pub fn boot(job: &Job, observer: impl FnMut(&str, Option<&Record>)) -> Result<Report> {
    let place = tempfile::tempdir().context("no temporary directory")?;
    let console = place.path().join("console");
    let disks = disks::make(&job.disks)?;
    let started = Instant::now();
    let running = start(job, place.path(), &console, &disks)?;
    let mut console = Console::new(&console);
    let mut heard = Heard::new(observer);
    let ending = loop {
        console.read(|line| heard.line(line));
        match ending(&running, started, job.time_limit, heard.verdict)? {
            Some(ending) => break ending,
            None if !job.until.is_empty() && console.has(job.until) => break Ending::Reached,
            None => thread::sleep(children::POLL),
        }
    };
    drop(running);
    console.finish(|line| heard.line(line));
    Ok(Report { lines: heard.lines, records: heard.records, ending, elapsed: started.elapsed() })
}

fn start(job: &Job, place: &Path, console: &Path, disks: &[Made]) -> Result<Running> {
    let mut command = machines::command(job, place, console, disks)?;
    // A group of its own: Ctrl-C reaches it through us, in order.
    command.process_group(0).current_dir(place);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(looks) = &job.looks {
        command.stdout(File::create(&looks.file).context("no file for what is looked at")?);
    }
    children::spawn(&mut command)
}

/// How it ended, if it has.
fn ending(
    running: &Running,
    started: Instant,
    limit: Duration,
    verdict: Option<Instant>,
) -> Result<Option<Ending>> {
    interrupt::check()?;
    if let Some(status) = running.ended()? {
        return Ok(Some(Ending::ByItself(status.code())));
    }
    if verdict.is_some_and(|verdict| verdict.elapsed() > GRACE) {
        return Ok(Some(Ending::AfterVerdict));
    }
    Ok((started.elapsed() > limit).then_some(Ending::OverTime(limit)))
}

/// What has been heard so far.
struct Heard<F> {
    lines: Vec<String>,
    records: Vec<Record>,
    verdict: Option<Instant>,
    observer: F,
}

impl<F: FnMut(&str, Option<&Record>)> Heard<F> {
    fn new(observer: F) -> Self {
        Self { lines: Vec::new(), records: Vec::new(), verdict: None, observer }
    }

    fn line(&mut self, line: String) {
        let record = line.starts_with('{').then(|| serde_json::from_str(&line).ok()).flatten();
        (self.observer)(&line, record.as_ref());
        if matches!(record, Some(Record::End(_))) {
            self.verdict = Some(Instant::now());
        }
        self.records.extend(record);
        self.lines.push(line);
    }
}
