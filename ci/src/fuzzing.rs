//! Coverage-guided fuzzing of the calls that a guest can make: libFuzzer drives `loadphys-fuzz`, on the stable toolchain.
//!
//! The compiler's own coverage pass is switched on for everything but the standard library, and the C++ of libFuzzer is built by
//! the crate that brings it. What is interesting is kept in a corpus, with which the next run begins.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::boot::children::{self, Line};
use crate::progress::Progress;
use crate::tools::{self, Need};
use crate::{build, workspace};

/// What the compiler is told, as `cargo fuzz` does it.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Courses of one run of the program; it is run until there were calls enough.
const RUNS: u64 = 50_000;

/// Bytes of the longest course.
const LONGEST: u64 = 1024;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Calls, under all rule sets.
    pub calls: u64,
    /// How they ended: names and counts.
    pub by_status: Vec<(String, u64)>,
    /// Edges of the program that were come to, of those that there are; inputs in the corpus.
    pub edges: u64,
    /// All of its edges.
    pub all_edges: u64,
    /// Inputs in the corpus, each of which comes to something new.
    pub inputs: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Fuzzes until so many calls have been made.
///
/// # Errors
/// What was found, with the command that finds it again.
pub fn calls(wanted: u64, seed: u64) -> Result<Outcome> {
    tools::ensure(&[Need::CxxCompiler])?;
    let program = program()?;
    let corpus = workspace::target().join("fuzz/corpus");
    std::fs::create_dir_all(&corpus)?;
    let progress = Progress::start("fuzz calls", 0);
    let (mut sum, started) = (Outcome::default(), Instant::now());
    for seed in (0..).map(|number| seed.wrapping_add(number)) {
        let run = run(&program, &corpus, seed)?;
        sum.add(run);
        progress.step(format!("{} of {wanted} calls, {} edges", sum.calls, sum.edges));
        if sum.calls >= wanted {
            break;
        }
    }
    progress.finish("found nothing");
    Ok(Outcome { elapsed: started.elapsed(), ..sum })
}

/// Builds the program, apart from everything else: all of it has other flags. They are not for what runs while it is built, so the
/// target is named.
fn program() -> Result<PathBuf> {
    let (place, target) = (workspace::target().join("fuzz"), host()?);
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).stdin(Stdio::null());
    cargo.args(["build", "--release", "--package", "loadphys-fuzz", "--features", "libfuzzer"]);
    cargo.args(["--bin", "fuzz_calls", "--target", &target]).arg("--target-dir").arg(place);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    build::built("fuzz target", "fuzz_calls", &mut cargo)
}

/// The host's own target.
fn host() -> Result<String> {
    let output = Command::new("rustc").current_dir(workspace::root()).arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what host it is for")?.to_owned())
}

fn run(program: &Path, corpus: &Path, seed: u64) -> Result<Outcome> {
    let findings = corpus.with_file_name("found-");
    let mut command = children::mortal(&program.to_string_lossy());
    command.args([format!("-runs={RUNS}"), format!("-seed={}", 1 + seed % u64::from(u32::MAX))]);
    command.args([format!("-max_len={LONGEST}"), "-detect_leaks=0".into()]);
    command.arg(format!("-artifact_prefix={}", findings.display())).arg(corpus);
    let (mut outcome, mut said) = (Outcome::default(), Vec::new());
    let status = children::stream(&mut command, |line| {
        let (Line::Out(bytes) | Line::Error(bytes)) = line;
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        outcome.hear(&line);
        said.push(line);
    })?;
    if status.success() {
        return Ok(outcome);
    }
    let again = said.iter().find_map(|line| line.split_once("Test unit written to "));
    let again = again.map_or("nothing was written".into(), |(_, file)| {
        format!("again by: {} {file}", program.display())
    });
    bail!("{}; {again}", panicked(&said).unwrap_or_else(|| format!("it ended with {status}")))
}

/// What a panic has said, in one line.
fn panicked(said: &[String]) -> Option<String> {
    let at = said
        .iter()
        .position(|line| line.contains("' panicked at ") || line.contains(") panicked at "))?;
    let lines = said[at..].iter().take_while(|line| !line.starts_with("note: "));
    Some(lines.take(4).map(|line| line.trim()).collect::<Vec<_>>().join(" "))
}

impl Outcome {
    fn add(&mut self, run: Self) {
        self.calls += run.calls;
        if self.by_status.is_empty() {
            self.by_status = run.by_status;
        } else {
            let pairs = self.by_status.iter_mut().zip(run.by_status);
            pairs.for_each(|((_, sum), (_, more))| *sum += more);
        }
        self.edges = self.edges.max(run.edges);
        self.all_edges = run.all_edges;
        self.inputs = run.inputs;
    }

    /// Hears a line of the program's own, or one of libFuzzer's.
    fn hear(&mut self, line: &str) {
        if let Some(words) = line.strip_prefix("calls ") {
            let mut words = words.split(' ');
            self.calls = words.next().and_then(|word| word.parse().ok()).unwrap_or(self.calls);
            let pair = |word: &str| {
                let (name, count) = word.split_once('=')?;
                Some((name.to_owned(), count.parse().ok()?))
            };
            self.by_status = words.filter_map(pair).collect();
        } else if let Some((_, rest)) = line.split_once("PC tables (") {
            self.all_edges = rest.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
        } else if line.starts_with('#') {
            self.edges = after(line, "cov: ").unwrap_or(self.edges);
            self.inputs = after(line, "corp: ").unwrap_or(self.inputs);
        }
    }
}

/// The number behind a word.
fn after(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    rest.split([' ', '/']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, panicked};

    #[test]
    fn lines_of_the_program_are_heard() {
        let mut outcome = Outcome::default();
        outcome.hear("INFO: Loaded 1 PC tables (109 PCs): 109 [0x558e0a786478,0x558e0a786b48), ");
        outcome.hear("#9786\tREDUCE cov: 10 ft: 12 corp: 4/13b lim: 92 exec/s: 0 rss: 27Mb");
        outcome.hear("calls 65540 Done=3 Unaligned=4");
        assert_eq!((outcome.edges, outcome.all_edges, outcome.inputs), (10, 109, 4));
        assert_eq!(outcome.calls, 65540);
        let (first, second) = (("Done".to_owned(), 3), ("Unaligned".to_owned(), 4));
        assert_eq!(outcome.by_status, [first, second]);
        let mut sum = outcome.clone();
        sum.add(outcome);
        assert_eq!((sum.calls, sum.by_status[1].1, sum.edges), (131_080, 8, 10));
    }

    #[test]
    fn a_panic_is_told_in_one_line() {
        let said = [
            "#1 x",
            "thread '<unnamed>' (7) panicked at a.rs:1:2:",
            "memory is another",
            "note: x",
        ];
        let said = said.map(str::to_owned);
        let told = panicked(&said).unwrap();
        assert_eq!(told, "thread '<unnamed>' (7) panicked at a.rs:1:2: memory is another");
        assert_eq!(panicked(&said[..1]), None);
    }
}
