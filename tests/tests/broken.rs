//! Deliberately broken builds must be caught. Ask for one: `cargo test -p loadphys-tests --features
//! broken-skip-flush`, or `broken-free-before-flush`.
#![cfg(any(feature = "broken-skip-flush", feature = "broken-free-before-flush"))]

use loadphys_tests::model::Violation;
use loadphys_tests::scenario::{Outcome, Setup, Step, methods, run};

/// What comes of random work by seed, with programs that intrude.
fn outcomes(method: &'static str) -> impl Iterator<Item = Outcome> {
    (0..20).map(move |seed| {
        let roomy = Setup::roomy(method, seed);
        let setup = Setup { intruder: true, goes_on: true, audited_every: 0, ..roomy };
        run(&setup, &Step::sequence(seed, 60))
    })
}

#[test]
fn programs_reach_frames_that_were_freed() {
    for method in methods() {
        let reached = |violation: &Violation| matches!(violation, Violation::FreedFrame(..));
        let caught = outcomes(method).filter(|outcome| outcome.violations.iter().any(reached));
        assert!(caught.count() > 0, "{method}");
    }
}

#[test]
fn programs_read_what_nobody_wrote() {
    for method in methods() {
        let caught = outcomes(method).filter(|outcome| !outcome.happened.is_empty());
        assert!(caught.count() > 0, "{method}");
    }
}
