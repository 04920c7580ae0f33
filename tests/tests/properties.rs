//! Every method against the plain reference, under random work.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

mod work;

use loadphys_tests::scenario::{Setup, methods, run};
use proptest::prelude::{any, proptest};
use proptest::prop_assert_eq;

use work::{cases, steps};

proptest! {
    #![proptest_config(cases(32))]

    /// Whatever is done, every method leaves the tables that the reference leaves.
    #[test]
    fn every_method_leaves_the_tables_of_the_reference(steps in steps(40), seed in any::<u32>(), pcids in any::<bool>()) {
        let expected = run(&audited(Setup::roomy("plain", seed.into())), &steps);
        prop_assert_eq!(expected.first_wrong(), None, "plain");
        for method in methods() {
            let found = run(&audited(Setup { pcids, ..Setup::roomy(method, seed.into()) }), &steps);
            prop_assert_eq!(found.first_wrong(), None, "{}", method);
            prop_assert_eq!(&found.spaces, &expected.spaces, "{}", method);
            prop_assert_eq!(found.evicted, expected.evicted, "{}", method);
        }
    }

    /// Programs that run in the middle of an eviction lose nothing and see nothing freed.
    #[test]
    fn intruders_lose_nothing(steps in steps(40), seed in any::<u32>(), pcids in any::<bool>(), room in 4_usize..12) {
        for method in methods() {
            let roomy = audited(Setup::roomy(method, seed.into()));
            let setup = Setup { intruder: true, pcids, room, ..roomy };
            let found = run(&setup, &steps);
            prop_assert_eq!(found.first_wrong(), None, "{}", method);
        }
    }

    /// With few frames and fewer slots some faults cannot be answered, but nothing is lost.
    #[test]
    fn little_memory_and_little_swap_lose_nothing(steps in steps(60), seed in any::<u32>(), pcids in any::<bool>()) {
        for method in methods() {
            let scarce = Setup { pcids, ..Setup::scarce(method, seed.into()) };
            let mut found = run(&audited(scarce), &steps);
            found.forgive_missing_frames();
            prop_assert_eq!(found.first_wrong(), None, "{}", method);
        }
    }
}

/// With audits on the way, but not after each step: an audit takes as long as a hundred steps.
fn audited(setup: Setup) -> Setup {
    Setup { audited_every: 8, ..setup }
}
