//! Deliberately broken twins of the model's CPUs must be caught: the tests that pass could fail.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::model::Violation;
use loadphys_tests::scenario::{Broken, Outcome, Setup, Step, methods, run};

const SEEDS: u64 = 10;

fn outcome(method: &'static str, broken: Broken, seed: u64) -> Outcome {
    let setup = Setup { broken, audits: false, ..Setup::roomy(method, seed) };
    run(&setup, &Step::sequence(seed, 40))
}

#[test]
fn the_same_work_is_right_when_nothing_is_forgotten() {
    for seed in 0..SEEDS {
        for method in methods() {
            let found = outcome(method, Broken::Nothing, seed);
            assert!(found.is_right() && found.evicted > 0, "{method} {seed}: {found:?}");
        }
    }
}

#[test]
fn a_recursive_method_without_invlpg_reaches_other_tables() {
    for seed in 0..SEEDS {
        assert!(!outcome("recursive", Broken::Invlpg, seed).violations.is_empty(), "{seed}");
    }
}

#[test]
fn the_other_methods_need_no_invlpg() {
    for seed in 0..SEEDS {
        for method in methods().iter().filter(|method| **method != "recursive") {
            assert!(outcome(method, Broken::Invlpg, seed).is_right(), "{method} {seed}");
        }
    }
}

/// CPU 0 edits a foreign space that then ends while CPU 1 is at work; then CPU 0 goes on.
fn foreign_space_ends(broken: Broken) -> Outcome {
    let touch = |cpu, space| Step::Touch { cpu, space, page: 0, value: None };
    let mut steps = vec![touch(1, 1), touch(0, 0), Step::EvictPage(1, 0)];
    steps.extend([touch(1, 2), Step::Exit(1)]);
    steps.extend([touch(0, 0); 200]);
    run(&Setup { broken, audits: false, ..Setup::roomy("recursive", 1) }, &steps)
}

#[test]
fn a_root_that_keeps_a_foreign_root_leads_the_walker_astray() {
    let astray = |violation: &Violation| matches!(violation, Violation::NotATable(..));
    assert!(foreign_space_ends(Broken::Detach).violations.iter().any(astray));
    assert!(foreign_space_ends(Broken::Nothing).is_right());
}
