//! `cargo xtask fuzz`.

use std::hash::{BuildHasher, Hasher, RandomState};

use anyhow::{Result, bail};
use clap::Args;
use loadphys_plan::command_line::MethodName;

use super::options::{list, methods, number};
use crate::boot::children::{self, Line};
use crate::fuzzing::{self, Outcome};
use crate::outcome::bad_input;
use crate::progress::Progress;
use crate::{build, workspace};

/// Calls of any guest against the stub's rules, and work at random on the model of the MMU, for long.
///
/// calls: libFuzzer, guided by coverage, thinks of courses of calls. They are decoded and judged by the code that the stub
/// runs, under each rule set; every answer under the rules tables is compared with a reference, and under the typed ones
/// every entry and every count is checked after each course. What is interesting is kept in target/fuzz/corpus.
///
/// work: under every method a kernel on the model touches pages, evicts, fails to write, ends spaces and exchanges tables. After every few
/// steps its tables are compared with those of a plain reference; the model reports every use of a stale
/// translation. All cores are used.
///
/// Ends with a line for each method. What goes wrong is told in one line, with the seed that finds it again and the
/// few steps that are enough. Exit code: 0 if nothing went wrong, 1 if something did, 2 for bad arguments.
#[derive(Args)]
pub struct Arguments {
    /// What is fuzzed: a list of calls, work
    #[arg(long, value_name = "LIST", default_value = "calls,work")]
    what: String,
    /// How many calls at least
    #[arg(long, value_name = "N", default_value = "10000000")]
    calls: String,
    /// How many steps under each method, in whole lives of 2000: a life begins with empty memory and ends
    /// with all spaces
    #[arg(long, value_name = "N", default_value = "10000000")]
    steps: String,
    /// Methods: a list, or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    methods: String,
    /// Where to begin; the same seed does the same, calls with the same target/fuzz/corpus [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<String>,
}

/// How often the progress is told.
const PARTS: u64 = 20;

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let what = list(&self.what, What::named)?;
        let calls = number("--calls", &self.calls, 1, MOST_STEPS)?;
        let steps = number("--steps", &self.steps, 1, MOST_STEPS)?;
        let seed = self.seed.as_deref().map_or_else(|| Ok(any_seed()), seed)?;
        let methods = methods(&self.methods)?.unwrap_or_else(|| MethodName::ALL.to_vec());
        eprintln!("seed {seed}");
        if what.contains(&What::Calls) {
            tell(&fuzzing::calls(calls, seed)?);
        }
        if what.contains(&What::Work) { work(steps, seed, &methods) } else { Ok(()) }
    }
}

/// Work at random on the model.
fn work(steps: u64, seed: u64, methods: &[MethodName]) -> Result<()> {
    let words = ["build", "--release", "-p", "loadphys-tests", "--bin", "random_work"];
    let program = build::host_executable("random work", "random_work", &words)?;
    let mut command = children::mortal(&program.to_string_lossy());
    command.current_dir(workspace::root()).args([seed.to_string(), steps.to_string()]);
    command.args(methods.iter().map(|method| method.name()));
    let progress = Progress::start("fuzz", PARTS);
    let mut said = Said::default();
    let status = children::stream(&mut command, |line| said.hear(&line, &progress))?;
    progress.finish(if status.success() { "found nothing" } else { "failed" });
    said.lines.iter().for_each(|line| println!("{line}"));
    match said.wrong {
        _ if status.success() => Ok(()),
        Some((wrong, method, seed)) => {
            let again = again(&method, &seed);
            bail!("{wrong}; again: {again}")
        }
        None => bail!("the random work ended with {status}"),
    }
}

/// A part of the fuzzing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Calls,
    Work,
}

impl What {
    fn named(name: &str) -> Result<Self> {
        match name {
            "calls" => Ok(Self::Calls),
            "work" => Ok(Self::Work),
            _ => Err(bad_input(format!("--what '{name}': there is calls, work"))),
        }
    }
}

/// What came of the calls.
fn tell(outcome: &Outcome) {
    let Outcome { calls, edges, all_edges, inputs, elapsed, .. } = outcome;
    let seconds = elapsed.as_secs();
    println!("calls: {calls} in {seconds} s, {edges} of {all_edges} edges, {inputs} inputs kept");
    for (name, count) in outcome.by_status.iter().filter(|(_, count)| *count > 0) {
        println!("{count:>12} {name}");
    }
}

/// What finds it again. What the plain reference already does wrong goes wrong under every method.
fn again(method: &str, seed: &str) -> String {
    let methods = method.parse::<MethodName>().map_or("all", |method| method.name());
    format!("cargo xtask fuzz --what work --steps 1 --methods {methods} --seed {seed}")
}

/// More than any computer does in a year.
const MOST_STEPS: u64 = 1 << 48;

fn seed(text: &str) -> Result<u64> {
    number("--seed", text, 0, u64::MAX)
}

/// A seed that nobody chose, short enough to be typed again.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

/// What the program has said.
#[derive(Default)]
struct Said {
    /// Parts of the work that have been told.
    parts: u64,
    lines: Vec<String>,
    /// What went wrong, under which method, in the life with which seed.
    wrong: Option<(String, String, String)>,
}

impl Said {
    fn hear(&mut self, line: &Line, progress: &Progress) {
        let (Line::Out(bytes) | Line::Error(bytes)) = line;
        let line = String::from_utf8_lossy(bytes).trim_end().to_owned();
        if let Some((done, of)) = lives(&line) {
            let parts = PARTS * done / of.max(1);
            if self.parts < parts {
                let more = parts - std::mem::replace(&mut self.parts, parts);
                progress.steps(more, format!("{done} of {of} lives under each method"));
            }
        } else if let Some((method, seed)) = finding(&line) {
            self.wrong = Some((line, method, seed));
        } else {
            self.lines.push(line);
        }
    }
}

/// Reads `lives 3 of 5000`.
fn lives(line: &str) -> Option<(u64, u64)> {
    let (done, of) = line.strip_prefix("lives ")?.split_once(" of ")?;
    Some((done.parse().ok()?, of.parse().ok()?))
}

/// Reads the method and the seed in `WRONG under recursive, seed 7: ...`.
fn finding(line: &str) -> Option<(String, String)> {
    let (method, rest) = line.strip_prefix("WRONG under ")?.split_once(", seed ")?;
    let (seed, _) = rest.split_once(':')?;
    Some((method.to_owned(), seed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{again, finding, lives};

    #[test]
    fn lines_of_the_program_are_read() {
        assert_eq!(lives("lives 3 of 5000"), Some((3, 5000)));
        assert_eq!(lives("recursive: 10 steps"), None);
        let found = finding("WRONG under temp-map, seed 17: FreedFrame: 0x5; 2 of 9 steps");
        assert_eq!(found, Some(("temp-map".into(), "17".into())));
    }

    #[test]
    fn what_finds_it_again_can_be_run() {
        assert!(again("temp-map", "17").ends_with("--methods temp-map --seed 17"));
        assert!(again("plain", "17").ends_with("--methods all --seed 17"));
    }
}
