//! Random work.

use loadphys_tests::kernel::{CPUS, PAGES, SPACES};
use loadphys_tests::scenario::Step;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{ProptestConfig, Strategy, prop_oneof};

/// So many cases, a few under Miri; the failing one is printed, not kept in a file.
pub fn cases(count: u32) -> ProptestConfig {
    let count = if cfg!(miri) { 1 } else { count };
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Up to so many steps; fewer under Miri.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let most = if cfg!(miri) { 4 } else { most };
    vec(step(), 1..most)
}

fn step() -> impl Strategy<Value = Step> {
    let touch = (0..CPUS, 0..SPACES, 0..PAGES.len(), option::of(1_u64..1 << 40))
        .prop_map(|(cpu, space, page, value)| Step::Touch { cpu, space, page, value });
    prop_oneof![
        12 => touch,
        4 => (1_usize..6).prop_map(Step::EvictSome),
        4 => (0..SPACES, 0..PAGES.len()).prop_map(|(space, page)| Step::EvictPage(space, page)),
        1 => (1_u32..3).prop_map(Step::FailWrites),
        1 => (0..SPACES).prop_map(Step::Exit),
    ]
}
