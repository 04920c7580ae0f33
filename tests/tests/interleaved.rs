//! Kernels on several CPUs whose steps interleave, and interrupts that switch spaces in the middle of a batch.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::interleave::{Outcome, Scene, Twin, run};
use loadphys_tests::model::Violation;
use loadphys_tests::scenario::methods;

const SEEDS: u64 = 1000;
/// Enough for a twin to go wrong.
const TWIN_SEEDS: u64 = 48;

/// Methods that keep interrupts off while they work.
const MASKING: [&str; 5] = ["space-switch", "space-switch-pcid", "paging-off", "gate", "root-view"];

/// Methods that have a slot or a window for each CPU.
const NUMBERED: [&str; 3] = ["temp-map", "recursive", "root-array"];

/// Methods that leave edits to somebody else than the CPU's own instructions.
const ELSEWHERE: [&str; 2] = ["paging-off", "hypercall"];

/// Everything else is decided by the seed.
fn scene(seed: u64) -> Scene {
    let (cpus, pcids) = (2 + seed as usize % 3, seed / 2 % 2 == 1);
    Scene { cpus, steps: 30, pcids, interrupts: seed / 4 % 2 == 1, twin: Twin::Right, seed }
}

fn wrong(outcome: &Outcome) -> impl std::fmt::Debug {
    (outcome.violations.first(), outcome.mistakes.first(), &outcome.windows)
}

#[test]
fn whatever_the_order_of_steps_the_tables_are_those_of_one_cpu_after_the_other() {
    for seed in 0..SEEDS {
        let expected = run("plain", &scene(seed));
        assert!(expected.is_right(), "plain {seed}: {:?}", wrong(&expected));
        for method in methods() {
            let found = run(method, &scene(seed));
            assert!(found.is_right(), "{method} {seed}: {:?}", wrong(&found));
            assert_eq!(found.spaces, expected.spaces, "{method} {seed}");
        }
    }
}

/// With how many seeds a broken twin does what it must not, under this method; `is_meant` chooses from what the model
/// saw. Other tables than those of the reference count too.
fn caught(method: &'static str, twin: Twin, is_meant: impl Fn(&Violation) -> bool) -> usize {
    let is_caught = |seed: &u64| {
        let scene = Scene { interrupts: twin == Twin::NeverMasks, ..scene(*seed) };
        let mut found = run(method, &Scene { twin, ..scene });
        found.violations.retain(&is_meant);
        !found.is_right() || found.spaces != run("plain", &scene).spaces
    };
    (0..TWIN_SEEDS).filter(is_caught).count()
}

/// A broken twin is caught under these methods, and does no harm under the others.
fn is_caught_under(meant: &[&str], twin: Twin) {
    for method in methods() {
        let found = caught(method, twin, |_| true);
        println!("{method}, {twin:?}: caught with {found} of {TWIN_SEEDS} seeds");
        assert_eq!(found > 0, meant.contains(method), "{method}: {found}");
    }
}

#[test]
fn cpus_that_share_a_slot_or_window_are_caught() {
    is_caught_under(&NUMBERED, Twin::SameNumber);
}

#[test]
fn cpus_that_do_not_mask_interrupts_are_caught_under_the_methods_that_do() {
    is_caught_under(&MASKING, Twin::NeverMasks);
}

#[test]
fn edits_that_are_not_atomic_lose_what_other_cpus_count() {
    let meant = methods().iter().copied().filter(|method| !ELSEWHERE.contains(method));
    is_caught_under(&meant.collect::<Vec<_>>(), Twin::NotAtomic);
}

/// Not only are interrupts on where they must not be: the space that the scheduler loads again is not the one
/// that the method visits.
#[test]
fn an_interrupted_space_switch_edits_another_space() {
    let is_damage = |violation: &Violation| !matches!(violation, Violation::Interruptible(_));
    for method in ["space-switch", "space-switch-pcid"] {
        assert!(caught(method, Twin::NeverMasks, is_damage) > 0, "{method}");
    }
}
