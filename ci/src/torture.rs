//! Boots one after the other, each with other circumstances, until the time is up or one finds something.

mod tally;
mod turns;

pub use tally::Tally;

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::boot::{self, Report};
use crate::build::Programs;
use crate::machines::choose::choose;
use crate::machines::kvm::Trial;
use crate::machines::{MachineName, Path};
use crate::progress::Progress;
use crate::tools;
use turns::{MOST_CPUS, Turn};

pub use turns::TURNS;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Paths, side by side.
    pub paths: Vec<Path>,
    /// The machine, if one was named.
    pub machine: Option<MachineName>,
    /// For how long boots begin.
    pub seconds: Duration,
    /// Of the first boot.
    pub seed: u64,
    /// Boot only this kind, counted from 0, once, with its console in the terminal.
    pub turn: Option<usize>,
}

/// What all boots came to, and what the first one found that was not content.
pub fn run(asked: &Asked, programs: &Programs) -> Result<(Tally, Option<String>)> {
    let end = Instant::now() + asked.seconds;
    let stop = AtomicBool::new(false);
    let all = thread::scope(|scope| {
        let stop = &stop;
        let one = |path| scope.spawn(move || torture(asked, path, programs, end, stop));
        let threads: Vec<_> = asked.paths.iter().map(|path| one(*path)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|done| done.map_err(|_| anyhow!("a boot panicked"))?).collect::<Result<Vec<_>>>()
    })?;
    let mut tally = Tally::default();
    let mut found = None;
    for (boots, what) in all {
        tally.add(&boots);
        found = found.or(what);
    }
    Ok((tally, found))
}

/// Boots one path until the end, or until any path has found something.
fn torture(
    asked: &Asked,
    path: Path,
    programs: &Programs,
    end: Instant,
    stop: &AtomicBool,
) -> Result<(Tally, Option<String>)> {
    let choice = choose(path, asked.machine, Trial { programs, cpus: MOST_CPUS })?;
    tools::ensure(tools::Need::of(choice.machine))?;
    let progress = Progress::start(format!("torture {path} on {}", choice.machine), 0);
    let mut tally = Tally::default();
    let mut found = None;
    for (turn, seed) in boots(asked, path, choice.machine) {
        if Instant::now() >= end || stop.load(Ordering::Relaxed) {
            break;
        }
        let report = boot::boot(&turn.job(programs, seed)?, |line, _| asked.show(line))?;
        tally.take(&report);
        progress.step(format!("{turn}, seed {seed}: {}", tally.short()));
        if let Some(what) = wrong(&turn, seed, &report) {
            stop.store(true, Ordering::Relaxed);
            report.tail().iter().for_each(|line| progress.say(&format!("  {line}")));
            found = Some(what);
            break;
        }
    }
    progress.finish(&tally.short());
    Ok((tally, found))
}

/// All kinds of boots in turn, without end; or the one that is asked for, once.
fn boots(asked: &Asked, path: Path, machine: MachineName) -> Box<dyn Iterator<Item = (Turn, u64)>> {
    let turns = Turn::all(path, machine);
    match asked.turn {
        Some(turn) => Box::new(iter::once((turns[turn], asked.seed))),
        None => Box::new(turns.into_iter().cycle().zip(asked.seed..)),
    }
}

impl Asked {
    /// Shows a line of the console, if one boot is asked for.
    fn show(&self, line: &str) {
        if self.turn.is_some() {
            println!("{line}");
        }
    }
}

/// What a boot found, and how to see it again.
fn wrong(turn: &Turn, seed: u64, report: &Report) -> Option<String> {
    let mut boot = Tally::default();
    boot.take(report);
    let what = report.verdict().err().or_else(|| boot.wrong())?;
    Some(format!("{what} ({turn}; again by: {})", turn.again(seed)))
}
