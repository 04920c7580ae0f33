//! Long random work on the model, as `cargo xtask fuzz` runs it:
//! `random_work SEED STEPS METHOD...`.
//!
//! Says `lives N of M` after each life; then a line for each method, or one about what went wrong. Exit code: 0 if
//! nothing did, 1 if something did, 2 for arguments that make no sense.

use std::process::ExitCode;
use std::thread::available_parallelism;

use loadphys_tests::random_work::{Asked, Finding, Life, many, shortened};
use loadphys_tests::scenario::methods;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(asked) = asked(&words) else {
        eprintln!("random_work SEED STEPS METHOD...; methods are {}", methods().join(", "));
        return ExitCode::from(2);
    };
    // An assertion that fails is a finding, which is told once it is shortened.
    std::panic::set_hook(Box::new(|_| {}));
    match many(&asked, |lives| println!("lives {lives} of {}", asked.lives())) {
        Ok(all) => {
            for (method, done) in asked.methods.iter().zip(all) {
                let seed = asked.seed;
                println!(
                    "{method}: {} steps, seed {seed}, {} evictions, {} faults, 0 violations",
                    done.steps, done.evicted, done.faults
                );
            }
            ExitCode::SUCCESS
        }
        Err(finding) => {
            println!("{}", told(&finding));
            ExitCode::FAILURE
        }
    }
}

fn asked(words: &[String]) -> Option<Asked> {
    let [seed, steps, names @ ..] = words else { return None };
    let named = |name: &String| methods().iter().find(|method| *method == name).copied();
    let named = names.iter().map(named).collect::<Option<Vec<_>>>()?;
    let threads = available_parallelism().map_or(1, usize::from);
    let (seed, steps) = (seed.parse().ok()?, steps.parse().ok()?);
    (!named.is_empty()).then_some(Asked { methods: named, seed, steps, threads })
}

/// What was found, how to find it again, and how little it takes, in one line.
fn told(finding: &Finding) -> String {
    let life = Life::of(finding.seed);
    let (few, still) = shortened(&life, finding.clone());
    let Finding { method, seed, what } = finding;
    format!(
        "WRONG under {method}, seed {seed}: {what}; {} of {} steps are enough for {}: {:?}",
        few.steps.len(),
        life.steps.len(),
        still.what,
        few.steps
    )
}
