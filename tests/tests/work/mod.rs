//! Random work.

use loadphys_tests::kernel::{CPUS, PAGES, SPACES};
use loadphys_tests::scenario::Step;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{ProptestConfig, Strategy, prop_oneof};

/// So many cases; the failing one is printed, not kept in a file.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Up to so many steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
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
        2 => (0..CPUS, 0_u64..120, 1_u64..64).prop_map(|(c, start, n)| Step::Evacuate(c, start, n)),
        1 => (0..CPUS, 0..SPACES).prop_map(|(cpu, space)| Step::ExchangeTables(cpu, space)),
    ]
}
