//! The work in which mutants must be caught.

use std::panic::catch_unwind;

use loadphys_tests::flushes::Flushing;
use loadphys_tests::kernel::{APART, PAGES, SHARED};
use loadphys_tests::scenario::{Outcome, Setup, Step, run};

/// How many times all work is tried.
pub const SEEDS: u64 = 24;

/// How long a life of random work is.
const STEPS: usize = 150;

/// Pages that a space has for itself.
const PRIVATE: [usize; 2] = [SHARED, SHARED + 1];

/// What is done, for a seed; each piece of work is done with PCIDs and without.
type Work = fn(u64) -> Vec<Step>;

const ALL: [(&str, Work); 8] = [
    ("random work", random),
    ("tables of the loaded space change places", tables_change_places),
    ("a foreign space is edited", foreign_space_is_edited),
    ("the loaded space ends", loaded_space_ends),
    ("a foreign space ends", foreign_space_ends),
    ("tables of a running space move", tables_of_a_running_space_move),
    ("tables of a foreign space move", tables_of_a_foreign_space_move),
    ("a foreign space ends while another is loaded", foreign_space_ends_elsewhere),
];

/// What comes of all work with a seed, and what the work is called; nothing where the code stopped by an
/// assertion.
pub fn outcomes(
    method: &'static str,
    flushing: Flushing,
    seed: u64,
) -> impl Iterator<Item = (&'static str, Option<Outcome>)> {
    let all = ALL.iter().flat_map(|work| [(work, false), (work, true)]);
    all.map(move |((name, work), pcids)| {
        let roomy = Setup::roomy(method, seed);
        let intruder = seed % 2 == 1;
        let setup = Setup { flushing, pcids, intruder, audited_every: 0, ..roomy };
        (*name, catch_unwind(|| run(&setup, &work(seed))).ok())
    })
}

/// What is caught first, in any of the work. That the code stopped by an assertion is not enough: it may be one of
/// the tests' own.
pub fn caught(method: &'static str, flushing: Flushing, seed: u64) -> Option<String> {
    outcomes(method, flushing, seed).find_map(|(name, outcome)| {
        outcome?.first_wrong().map(|wrong| format!("{wrong} ({name}, seed {seed})"))
    })
}

/// What went wrong.
pub fn wrong_in(outcome: Option<&Outcome>) -> Option<String> {
    outcome.map_or_else(|| Some("an assertion of the code".into()), Outcome::first_wrong)
}

fn random(seed: u64) -> Vec<Step> {
    Step::sequence(seed, STEPS)
}

/// The same page again and again, so that the CPU has time to go astray on its own account.
fn stay(cpu: usize, space: usize) -> [Step; 200] {
    [touch(cpu, space, PRIVATE[0]); 200]
}

fn touch(cpu: usize, space: usize, page: usize) -> Step {
    Step::Touch { cpu, space, page, value: None }
}

/// A program of a space writes something of its own.
fn write(cpu: usize, space: usize, page: usize) -> Step {
    Step::Touch { cpu, space, page, value: Some(space as u64 + 1) }
}

/// What random work seldom brings about: the loaded space's tables change places again and again.
fn tables_change_places(_: u64) -> Vec<Step> {
    let mut steps: Vec<_> = APART.map(|page| write(0, 0, page)).into();
    steps.extend([Step::ExchangeTables(0, 0); 4]);
    steps
}

/// CPU 0 stays in its space and edits another, which CPU 1 runs.
fn foreign_space_is_edited(_: u64) -> Vec<Step> {
    let mut steps = vec![write(0, 0, PRIVATE[0]), write(1, 1, PRIVATE[0])];
    for _ in 0..20 {
        steps.extend([write(1, 1, PRIVATE[1]), touch(0, 0, PRIVATE[0])]);
        steps.extend([Step::EvictPage(1, PRIVATE[1]), touch(0, 0, PRIVATE[0])]);
    }
    steps
}

/// CPU 1 ends the space that CPU 0 has loaded, which idles from then on.
fn loaded_space_ends(_: u64) -> Vec<Step> {
    let mut steps: Vec<_> = (0..PAGES.len()).map(|page| touch(0, 0, page)).collect();
    steps.extend([touch(1, 1, PRIVATE[0]), Step::Exit(0), Step::Idle(0)]);
    steps
}

/// CPU 0 edits a foreign space that then ends while CPU 1 is at work; CPU 0 stays where it was.
fn foreign_space_ends(_: u64) -> Vec<Step> {
    let [page, other] = PRIVATE;
    let mut steps = vec![touch(1, 1, other), touch(0, 0, page), Step::EvictPage(1, other)];
    steps.extend([touch(1, 2, page), Step::Exit(1)]);
    steps.extend(stay(0, 0));
    steps
}

/// The table of each level in turn.
fn move_tables(cpu: usize, space: usize, page: usize) -> impl Iterator<Item = Step> {
    (1..5).map(move |level| Step::MoveTable { cpu, space, page, level })
}

/// CPU 1 runs a space while CPU 0 moves its tables; CPU 1 goes on.
fn tables_of_a_running_space_move(_: u64) -> Vec<Step> {
    let page = PRIVATE[0];
    let mut steps = vec![write(0, 0, page)];
    for _ in 0..5 {
        for table in move_tables(0, 1, page) {
            steps.extend([write(1, 1, page); 8]);
            steps.push(table);
            steps.extend(PRIVATE.map(|page| touch(1, 1, page)));
        }
    }
    steps
}

/// CPU 0 edits a foreign space of which CPU 1 then moves a table; CPU 0 stays where it was.
fn tables_of_a_foreign_space_move(_: u64) -> Vec<Step> {
    let [page, other] = PRIVATE;
    let mut steps = Vec::new();
    for table in move_tables(1, 1, other) {
        steps.extend([touch(1, 1, other), touch(0, 0, page)]);
        for _ in 0..4 {
            steps.extend([touch(1, 1, other), touch(0, 0, page), Step::EvictPage(1, other)]);
        }
        steps.extend([touch(1, 2, page), table]);
        steps.extend(&stay(0, 0)[..80]);
    }
    steps
}

/// CPU 0 edits a foreign space that then ends while CPU 0 has a third one loaded; then CPU 0 comes back.
fn foreign_space_ends_elsewhere(_: u64) -> Vec<Step> {
    let [page, other] = PRIVATE;
    let mut steps = vec![touch(1, 1, other), touch(0, 0, page), Step::EvictPage(1, other)];
    steps.extend([touch(0, 2, page), Step::Exit(1)]);
    steps.extend(stay(0, 0));
    steps
}
