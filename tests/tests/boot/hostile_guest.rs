//! Boots of the guest that does everything wrong on purpose, by several seeds; each ends in another way.

use libtest_mimic::{Failed, Trial};
use loadphys_plan::command_line::Rules;

use crate::programs;

/// What is done at random on each CPU.
const ACTS: u64 = 3000;

/// Seeds, of which each ends the guest otherwise, and what the stub checks.
const BOOTS: [(u64, Rules); 3] = [(1, Rules::Tables), (2, Rules::Typed), (3, Rules::TypedPreset)];

/// For the harness.
pub fn trials() -> Vec<Trial> {
    let boot = |seed, rules| programs::hostile()?.boot(seed, ACTS, rules).map(|_| ());
    let failed = |error| Failed::from(format!("{error:#}"));
    let trial = |(seed, rules)| {
        let name = format!("vmx/hostile-{seed}-{rules}");
        Trial::test(name, move || boot(seed, rules).map_err(failed))
    };
    BOOTS.into_iter().map(trial).collect()
}
