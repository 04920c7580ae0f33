//! Large pages of programs, under every method.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::kernel::SPACES;
use loadphys_tests::large::{LARGE, Outcome, Step, WORDS, run};
use loadphys_tests::model::Violation;
use loadphys_tests::scenario::{Setup, methods};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{prop_assert, prop_assert_eq};

const SEEDS: u64 = 10;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to large pages, every method leaves the tables that the reference leaves, and programs
    /// find what they wrote.
    #[test]
    fn every_method_leaves_the_large_pages_of_the_reference(seed in any::<u32>(), pcids in any::<bool>()) {
        let steps = Step::sequence(seed.into(), 150);
        let expected = run(&Setup { pcids, ..Setup::roomy("plain", seed.into()) }, true, &steps);
        prop_assert!(expected.is_right(), "plain: {:?}", wrong(&expected));
        for method in methods() {
            let found = run(&Setup { pcids, ..Setup::roomy(method, seed.into()) }, true, &steps);
            prop_assert!(found.is_right(), "{}: {:?}", method, wrong(&found));
            prop_assert_eq!(&found.spaces, &expected.spaces, "{}", method);
            prop_assert!(found.evicted == expected.evicted && found.evicted > 0, "{}", method);
        }
    }
}

fn wrong(outcome: &Outcome) -> impl std::fmt::Debug {
    (outcome.violations.first(), outcome.surprises.first())
}

/// Every space has a page and used it on both CPUs; then it is evicted, perhaps comes back, and is used again.
fn used_after_its_eviction(page: usize, comes_back: bool) -> Vec<Step> {
    let touch = |cpu, space, word| Step::Touch { cpu, space, at: (page, word), value: None };
    let all = || (0..SPACES * WORDS).map(|n| touch(n % 2, n / WORDS, n % WORDS));
    let mut steps = vec![Step::BringBack(page)];
    steps.extend((0..SPACES).map(|space| Step::Share(space, page)));
    steps.extend(all().chain(all()));
    steps.push(Step::Evict(page));
    steps.extend(comes_back.then_some(Step::BringBack(page)));
    steps.extend(all().rev().chain(all()));
    steps
}

#[test]
fn a_kernel_that_does_not_flush_lets_programs_reach_freed_frames_of_large_pages() {
    let reached = |violation: &Violation| matches!(violation, Violation::FreedFrame(..));
    for method in methods() {
        // What comes back in the same place is reached all the same by what is older than the eviction.
        for (page, comes_back) in (0..LARGE.len()).map(|page| (page, page == 2)) {
            let steps = used_after_its_eviction(page, comes_back);
            let outcome = |seed: u64, flushes| run(&Setup::roomy(method, seed), flushes, &steps);
            let caught = |seed: &u64| outcome(*seed, false).violations.iter().any(reached);
            assert!((0..SEEDS).any(|seed| caught(&seed)), "{method}, page {page}");
            for seed in 0..2 {
                let found = outcome(seed, true);
                assert!(found.is_right(), "{method}, page {page}: {:?}", wrong(&found));
            }
        }
    }
}

#[test]
fn a_kernel_that_does_not_flush_lets_programs_write_what_they_may_not() {
    let touch = Step::Touch { cpu: 0, space: 0, at: (0, 0), value: Some(1) };
    let steps = [Step::BringBack(0), Step::Share(0, 0), touch, Step::Rights(0, 0, false), touch];
    let is_right =
        |seed, flushes| run(&Setup::roomy("direct-map", seed), flushes, &steps).is_right();
    assert!((0..SEEDS).any(|seed| !is_right(seed, false)));
    assert!((0..SEEDS).all(|seed| is_right(seed, true)));
}
