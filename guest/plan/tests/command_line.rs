//! The command line is read as it is written, and nothing is passed over.

use loadphys_plan::command_line::{
    Exit, List, MOST, MemoryRange, MethodName, Methods, Mistake, NestedPage, Plan, PlanName,
    Problem, Rules, Swap,
};
use loadphys_plan::work::{MOST_BATCH, MOST_CPUS, MOST_SHARERS, MOST_SPACES};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn mistake(line: &str) -> Mistake {
    line.parse::<Plan>().expect_err(line)
}

#[test]
fn an_empty_line_is_the_default_plan() {
    assert_eq!("".parse(), Ok(Plan::default()));
    assert_eq!(" \t ".parse(), Ok(Plan::default()));
}

#[test]
fn words_may_stand_in_any_order() {
    let plan: Plan = "exit=bochs seed=0  methods=alias,recursive plan=pressure".parse().unwrap();
    assert_eq!((plan.plan, plan.exit, plan.seed), (PlanName::Pressure, Exit::Bochs, 0));
    let methods = List::new([MethodName::Alias, MethodName::Recursive]).unwrap();
    assert_eq!(plan.methods, Methods::Named(methods));
}

#[test]
fn unknown_words_are_named_with_what_exists() {
    let line = mistake("plan=compere").to_string();
    assert!(line.starts_with("unknown plan 'compere': there is compare probe"), "{line}");
    let line = mistake("colour=red").to_string();
    assert!(line.starts_with("unknown key 'colour=red': there is plan methods"), "{line}");
    assert_eq!(mistake("methods=recursive,telepathy").problem(), Problem::Unknown);
    assert_eq!(mistake("compare").problem(), Problem::Unknown);
    assert_eq!(mistake("methods=auto,alias").problem(), Problem::Unknown);
}

#[test]
fn bad_numbers_are_refused() {
    for line in [
        "pages=0",
        "sharers=1,0",
        "batch=",
        "rounds=-1",
        "seed=0x10",
        "pages=4294967296",
        "batch=513",
        "sharers=4097",
        "cpus=0",
        "cpus=65",
        "spaces=4097",
        "swap-timeout=0",
        "faults=-1",
        "range=0x1000",
        "range=1000-2000",
        "range=0x1000-0x1000",
        "range=0x2000-0x1000",
        "range=0x1000-0x2800",
        "range=0x1000-0x+2000",
        "range=0x1000-0x10000000001000",
        "range=all",
    ] {
        assert_eq!(mistake(line).problem(), Problem::BadNumber, "{line}");
    }
    let line = mistake("pages=0").to_string();
    assert_eq!(line, "pages '0': a number from 1 to 4294967295 is wanted");
}

#[test]
fn what_is_given_twice_is_refused() {
    for line in ["seed=1 seed=1", "sharers=1,2,1", "methods=alias,alias"] {
        assert_eq!(mistake(line).problem(), Problem::Twice, "{line}");
    }
}

#[test]
fn lists_end_somewhere() {
    let list = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(format!("batch={}", list(MOST)).parse::<Plan>().is_ok());
    assert_eq!(mistake(&format!("batch={}", list(MOST + 1))).problem(), Problem::TooLong);
}

#[test]
fn a_long_wrong_word_is_cut_at_a_character() {
    let line = mistake(&format!("plan=x{}", "é".repeat(100))).to_string();
    assert!(line.contains(&format!("'x{}'", "é".repeat(31))), "{line}");
}

fn numbers(most: u32) -> impl Strategy<Value = List<u32>> {
    prop::collection::hash_set(1..=most, 1..=MOST)
        .prop_map(|set| List::new(set).expect("different numbers, not too many"))
}

fn methods() -> impl Strategy<Value = Methods> {
    let named = subsequence(MethodName::ALL, 1..=MethodName::ALL.len())
        .prop_map(|names| Methods::Named(List::new(names).expect("different names")));
    prop_oneof![Just(Methods::Auto), Just(Methods::All), named]
}

prop_compose! {
    fn plans()(
        (plan, exit) in (select(PlanName::ALL), select(Exit::ALL)),
        methods in methods(),
        (sharers, batch) in (numbers(MOST_SHARERS), numbers(MOST_BATCH)),
        (pages, rounds) in (1..=u32::MAX, 1..=u32::MAX),
        (seed, check, conformance, swap_pages) in any::<(u64, bool, bool, u32)>(),
        (swap, cpus, spaces) in (select(Swap::ALL), 1..=MOST_CPUS, 0..=MOST_SPACES),
        (swap_timeout, faults) in (1..=u32::MAX, any::<u32>()),
        range in option::of((0_u64..1 << 39, 1_u64..1 << 39)),
        (rules, nested_page) in (select(Rules::ALL), select(NestedPage::ALL)),
    ) -> Plan {
        let range = range.map(|(start, more)| MemoryRange { start: start << 12, end: (start + more) << 12 });
        Plan {
            plan, methods, sharers, batch, pages, rounds, seed, check, conformance, exit,
            swap_pages, swap, swap_timeout, faults, cpus, spaces, range, rules, nested_page,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: if cfg!(miri) { 4 } else { 256 }, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_read_as_it_is_written(plan in plans()) {
        prop_assert_eq!(plan.to_string().parse::<Plan>(), Ok(plan));
    }

    #[test]
    fn no_line_makes_it_panic(line in "[a-z=, 0-9-]{0,80}") {
        if let Err(mistake) = line.parse::<Plan>() {
            prop_assert!(!mistake.to_string().contains('\n'));
        }
    }
}
