//! A hundred thousand steps of random work under each method, each life audited on the way, and
//! compared with the plain reference if a clock chooses its victims.
//!
//! The seed is the same each time, so that a change of the code is what a failure is about; `LOADPHYS_SEED=N` takes
//! another, and `cargo xtask fuzz` takes a new one each time, and many more steps.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use loadphys_tests::random_work::{Asked, Life, many, shortened};
use loadphys_tests::scenario::methods;

/// Steps under each method.
const STEPS: u64 = 100_000;

/// The first life, unless another is asked for.
const SEED: u64 = 1;

fn main() -> ExitCode {
    if cfg!(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")) {
        println!("long work of a broken build proves nothing; tests/broken.rs is for those");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let seed = std::env::var("LOADPHYS_SEED").map_or(Ok(SEED), |seed| seed.parse());
    let Ok(seed) = seed else {
        eprintln!("LOADPHYS_SEED is a number");
        return ExitCode::from(2);
    };
    let trial = |method: &&'static str| {
        let method = *method;
        Trial::test(format!("{method}/{STEPS} steps"), move || work(method, seed))
    };
    let trials = methods().iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn work(method: &'static str, seed: u64) -> Result<(), Failed> {
    let asked = Asked { methods: vec![method], seed, steps: STEPS, threads: 1 };
    let all = many(&asked, |_| {}).map_err(|finding| {
        let (few, still) = shortened(&Life::of(finding.seed), finding.clone());
        format!("{finding:?}; these steps are enough for {}: {:?}", still.what, few.steps)
    })?;
    for done in all {
        assert!(done.steps >= STEPS && done.evicted > 0 && done.faults > 0, "{done:?}");
        println!(
            "{method}: {} steps, seed {seed}, {} evictions, {} faults, 0 violations",
            done.steps, done.evicted, done.faults
        );
    }
    Ok(())
}
