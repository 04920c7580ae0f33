//! Boots of the guest that does everything wrong on purpose, by several seeds; each ends in another way.

use libtest_mimic::{Failed, Trial};

use crate::programs;

/// What is done at random on each CPU.
const ACTS: u64 = 3000;

/// Seeds, of which each ends the guest otherwise.
const SEEDS: [u64; 3] = [1, 2, 3];

/// For the harness.
pub fn trials() -> Vec<Trial> {
    let boot = |seed| programs::hostile()?.boot(seed, ACTS).map(|_| ());
    let failed = |error| Failed::from(format!("{error:#}"));
    let trial =
        |seed| Trial::test(format!("vmx/hostile-{seed}"), move || boot(seed).map_err(failed));
    SEEDS.into_iter().map(trial).collect()
}
