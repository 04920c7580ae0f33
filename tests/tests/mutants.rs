//! Deliberately broken twins of the model's CPUs must be caught: the tests that pass could fail.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::kernel::APART;
use loadphys_tests::model::Violation;
use loadphys_tests::scenario::{Broken, Outcome, Setup, Step, methods, run};

const SEEDS: u64 = 10;

/// Some methods go wrong only where a frame is a table twice, which not every sequence brings about.
const MUTANT_SEEDS: u64 = 200;

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

/// Methods that reach entries at addresses that never mean anything else, or by none at all.
const WITHOUT_INVLPG: [&str; 4] = ["direct-map", "paging-off", "hypercall", "alias"];

/// Tables of the loaded space change places, which random work never brings about.
fn tables_change_places(method: &'static str, broken: Broken, seed: u64) -> Outcome {
    let touch = |page| Step::Touch { cpu: 0, space: 0, page, value: Some(1) };
    let mut steps: Vec<_> = APART.into_iter().map(touch).collect();
    steps.extend([Step::ExchangeTables(0, 0); 4]);
    run(&Setup { broken, audits: false, ..Setup::roomy(method, seed) }, &steps)
}

#[test]
fn tables_that_changed_places_are_found_where_they_are() {
    for seed in 0..SEEDS {
        for method in methods() {
            let found = tables_change_places(method, Broken::Nothing, seed);
            assert!(found.is_right(), "{method} {seed}: {found:?}");
        }
    }
}

#[test]
fn methods_that_forget_their_invlpg_reach_other_tables() {
    let mut weak = Vec::new();
    for method in methods().iter().filter(|method| !WITHOUT_INVLPG.contains(method)) {
        // A kernel whose tables were overwritten may also stop by an assertion of its own.
        let caught = |seed: &u64| {
            [outcome, tables_change_places].iter().any(|work| {
                let twin = std::panic::catch_unwind(|| work(method, Broken::Invlpg, *seed));
                twin.map_or(true, |found| !found.violations.is_empty())
            })
        };
        let seeds = (0..MUTANT_SEEDS).filter(caught).count();
        println!("{method} without INVLPG: caught with {seeds} of {MUTANT_SEEDS} seeds");
        weak.extend((seeds == 0).then_some(*method));
    }
    assert!(weak.is_empty(), "not caught with any seed: {weak:?}");
}

#[test]
fn the_other_methods_need_no_invlpg() {
    for seed in 0..SEEDS {
        for method in WITHOUT_INVLPG {
            for work in [outcome, tables_change_places] {
                assert!(work(method, Broken::Invlpg, seed).is_right(), "{method} {seed}");
            }
        }
    }
}

/// A space is evicted from while it is not loaded, and loaded again under its PCID.
fn with_pcids(method: &'static str, broken: Broken, seed: u64) -> Outcome {
    let setup = Setup { broken, pcids: true, audits: false, ..Setup::roomy(method, seed) };
    run(&setup, &Step::sequence(seed, 60))
}

#[test]
fn spaces_that_are_loaded_without_their_flush_reach_frames_that_were_freed() {
    let reached = |violation: &Violation| matches!(violation, Violation::FreedFrame(..));
    for method in methods() {
        let stale = |seed| with_pcids(method, Broken::Flush, seed).violations;
        let caught = (0..SEEDS).filter(|seed| stale(*seed).iter().any(reached)).count();
        println!("{method} without flushes: caught with {caught} of {SEEDS} seeds");
        assert!(caught > 0, "{method}");
        for seed in 0..SEEDS {
            let found = with_pcids(method, Broken::Nothing, seed);
            assert!(found.is_right(), "{method} {seed}: {found:?}");
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
