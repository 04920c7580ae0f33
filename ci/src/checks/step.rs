//! One step: a command, whose tests are counted.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::boot::children::{self, Line};

/// What has been found so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tests, and steps that are not made of tests, that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Steps with a failure.
    pub names_of_failed: Vec<&'static str>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

impl Tally {
    /// Something is left out.
    pub fn skip(&mut self, what: &str) {
        println!("== skipped: {what}");
        self.skipped.push(what.to_owned());
    }
}

/// One step.
pub struct Step {
    /// What people know it by.
    pub name: &'static str,
    /// What it runs.
    pub command: Command,
    /// Whether its lines are shown as they come; otherwise they are shown only if it fails.
    pub live: bool,
}

impl Step {
    /// Runs it and counts what it finds.
    pub fn run(mut self, tally: &mut Tally) -> Result<()> {
        println!("== {} ...", self.name);
        let started = Instant::now();
        let (mut kept, mut counts) = (String::new(), Counts::default());
        let status = children::stream(&mut self.command, |line| {
            let (Line::Out(bytes) | Line::Error(bytes)) = line;
            let line = String::from_utf8_lossy(&bytes);
            counts.read(&line);
            if self.live {
                print!("{line}");
            } else {
                kept.push_str(&line);
            }
        })?;
        let good = status.success();
        if !good {
            print!("{kept}");
        }
        counts.add_to(tally, good);
        if !good {
            tally.names_of_failed.push(self.name);
        }
        let verdict = if good { "ok" } else { "FAILED" };
        println!("== {}: {verdict} ({:.1} s)", self.name, started.elapsed().as_secs_f64());
        Ok(())
    }
}

/// What the test harnesses of a step say.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Reads a line such as `test result: ok. 3 passed; 0 failed; ...`.
    fn read(&mut self, line: &str) {
        let Some(result) = line.trim().strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = result.split_whitespace().collect();
        for pair in words.windows(2) {
            let number = pair[0].parse().unwrap_or(0);
            match pair[1] {
                "passed;" => self.passed += number,
                "failed;" => self.failed += number,
                _ => {}
            }
        }
    }

    /// A step without tests counts as one; so does a failure that no test accounts for.
    fn add_to(&self, tally: &mut Tally, good: bool) {
        tally.passed += self.passed;
        tally.failed += self.failed;
        if good && self.passed == 0 {
            tally.passed += 1;
        }
        if !good && self.failed == 0 {
            tally.failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Tally};

    #[test]
    fn results_of_several_harnesses_are_added() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 3 passed; 0 failed; 0 ignored; finished in 0.1s\n");
        counts.read("test a ... ok");
        counts.read("test result: FAILED. 2 passed; 1 failed; 0 ignored;\n");
        let mut tally = Tally::default();
        counts.add_to(&mut tally, false);
        assert_eq!((tally.passed, tally.failed), (5, 1));
    }

    #[test]
    fn a_step_without_tests_counts_as_one() {
        let mut tally = Tally::default();
        Counts::default().add_to(&mut tally, true);
        Counts::default().add_to(&mut tally, false);
        assert_eq!((tally.passed, tally.failed), (1, 1));
    }
}
