//! Runs the tests that the list names, each suite once, and says of each attack what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Answer, Attack, Suite, Test};
use crate::boot::children::{self, Line};
use crate::checks;
use crate::workspace;

/// What came of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every test that is named passed.
    Withstood,
    /// These did not pass, or are not there.
    Failed(Vec<&'static str>),
    /// It cannot apply, and why.
    CannotApply(&'static str),
}

/// Whether each test of a suite passed, by name.
type Results = BTreeMap<Suite, BTreeMap<String, bool>>;

/// Runs every suite that the attacks name; says what runs as it begins.
///
/// # Errors
/// If a command cannot be run at all. A test that fails is a verdict.
pub fn run(attacks: &[Attack]) -> Result<Vec<Verdict>> {
    let suites: BTreeSet<Suite> =
        attacks.iter().flat_map(|attack| attack.answer.tests()).map(|test| test.0).collect();
    let mut results = Results::new();
    for suite in suites {
        let names = names(attacks, suite);
        println!("== {suite:?}: {} tests ...", names.len());
        results.insert(suite, outcomes(suite, &names)?);
    }
    Ok(attacks.iter().map(|attack| judge(&attack.answer, &results)).collect())
}

fn names(attacks: &[Attack], suite: Suite) -> BTreeSet<&'static str> {
    let tests = attacks.iter().flat_map(|attack| attack.answer.tests());
    tests.filter(|test| test.0 == suite).map(|test| test.1).collect()
}

fn judge(answer: &Answer, results: &Results) -> Verdict {
    if let Answer::CannotApply(why) = answer {
        return Verdict::CannotApply(why);
    }
    let passed = |Test(suite, name): &Test| {
        results.get(suite).and_then(|tests| tests.get(*name)).copied().unwrap_or(false)
    };
    let failed: Vec<&str> =
        answer.tests().filter(|test| !passed(test)).map(|test| test.1).collect();
    if failed.is_empty() { Verdict::Withstood } else { Verdict::Failed(failed) }
}

fn outcomes(suite: Suite, names: &BTreeSet<&str>) -> Result<BTreeMap<String, bool>> {
    if suite != Suite::Boot {
        return of_one_command(suite, names);
    }
    // Their harness takes one name at a time.
    let each = names.iter().map(|name| of_one_command(suite, &BTreeSet::from([*name])));
    Ok(each.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn of_one_command(suite: Suite, names: &BTreeSet<&str>) -> Result<BTreeMap<String, bool>> {
    let mut command = command(suite);
    command.arg("--").arg("--exact").args(names).stdin(Stdio::null());
    let (mut results, mut kept) = (BTreeMap::new(), String::new());
    let status = children::stream(&mut command, |line| {
        let (Line::Out(bytes) | Line::Error(bytes)) = line;
        let line = String::from_utf8_lossy(&bytes);
        results.extend(outcome(&line));
        kept.push_str(&line);
    })?;
    if !status.success() {
        print!("{kept}");
    }
    Ok(results)
}

/// Reads a line such as `test races::a_name ... ok`, or `test races::a_name - should panic ... ok`.
fn outcome(line: &str) -> Option<(String, bool)> {
    let (name, result) = line.trim().strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    Some((name.to_owned(), result.starts_with("ok")))
}

fn command(suite: Suite) -> Command {
    let words = match suite {
        Suite::Lib(package) => vec!["-p", package, "--lib"],
        Suite::File(package, file) => vec!["-p", package, "--test", file],
        Suite::BrokenModel(feature, file) => {
            vec!["-p", "loadphys-tests", "--features", feature, "--test", file]
        }
        Suite::Rules(file) => {
            vec!["-p", "loadphys-rules", "--features", "twins", "--test", file]
        }
        Suite::Loom => return checks::loom().command,
        Suite::Boot => vec!["-p", "loadphys-tests", "--features", "boots", "--test", "boot"],
    };
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root()).arg("test").args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::super::{Broken, Suite, Test};
    use super::{Answer, Results, Verdict, judge, outcome};

    const RIGHT: Test = Test(Suite::Boot, "vmx/one");
    const BROKEN: Test = Test(Suite::Boot, "vmx/two");

    fn verdict(lines: &[&str]) -> Verdict {
        let results =
            Results::from([(Suite::Boot, lines.iter().filter_map(|l| outcome(l)).collect())]);
        judge(&Answer::Tested { right: &[RIGHT], broken: Broken::By(&[BROKEN]) }, &results)
    }

    #[test]
    fn every_test_that_is_named_has_to_pass() {
        let one = "test vmx/one ... ok\n";
        assert_eq!(verdict(&[one, "test vmx/two ... ok"]), Verdict::Withstood);
        assert_eq!(verdict(&[one, "test vmx/two - should panic ... ok"]), Verdict::Withstood);
        assert_eq!(verdict(&[one, "test vmx/two ... FAILED"]), Verdict::Failed(vec!["vmx/two"]));
        assert_eq!(verdict(&[one]), Verdict::Failed(vec!["vmx/two"]));
        assert_eq!(verdict(&["running 2 tests"]), Verdict::Failed(vec!["vmx/one", "vmx/two"]));
    }
}
