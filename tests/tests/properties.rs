//! Every method against the plain reference, under random work.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

mod work;

use loadphys_tests::scenario::{Outcome, Setup, methods, run};
use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use work::{cases, steps};

proptest! {
    #![proptest_config(cases(32))]

    /// Whatever is done, every method leaves the tables that the reference leaves.
    #[test]
    fn every_method_leaves_the_tables_of_the_reference(steps in steps(40), seed in any::<u32>(), pcids in any::<bool>()) {
        let expected = run(&Setup::roomy("plain", seed.into()), &steps);
        prop_assert!(expected.is_right(), "plain: {:?}", summary(&expected));
        for method in methods() {
            let found = run(&Setup { pcids, ..Setup::roomy(method, seed.into()) }, &steps);
            prop_assert!(found.is_right(), "{method}: {:?}", summary(&found));
            prop_assert_eq!(&found.spaces, &expected.spaces, "{}", method);
            prop_assert_eq!(found.evicted, expected.evicted, "{}", method);
        }
    }

    /// Programs that run in the middle of an eviction lose nothing and see nothing freed.
    #[test]
    fn intruders_lose_nothing(steps in steps(40), seed in any::<u32>(), pcids in any::<bool>(), room in 4_usize..12) {
        for method in methods() {
            let setup = Setup { intruder: true, pcids, room, ..Setup::roomy(method, seed.into()) };
            let found = run(&setup, &steps);
            prop_assert!(found.is_right(), "{method}: {:?}", summary(&found));
        }
    }

    /// With few frames and fewer slots some faults cannot be answered, but nothing is lost.
    #[test]
    fn little_memory_and_little_swap_lose_nothing(steps in steps(60), seed in any::<u32>(), pcids in any::<bool>()) {
        for method in methods() {
            let scarce = Setup { pcids, ..Setup::scarce(method, seed.into()) };
            let mut found = run(&scarce, &steps);
            found.forgive_missing_frames();
            prop_assert!(found.is_right(), "{method}: {:?}", summary(&found));
        }
    }
}

fn summary(outcome: &Outcome) -> impl std::fmt::Debug {
    let Outcome { violations, happened, mistakes, free, .. } = outcome;
    (violations.first(), happened.first(), mistakes.first(), *free)
}
