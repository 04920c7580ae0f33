//! Random bytes as courses: nothing is found, until something is broken on purpose.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loadphys_abi::Status;
use loadphys_fuzz::{Done, all, rules};
use loadphys_rules::{Twin, choose};

/// Bytes of a course.
const BYTES: usize = 4096;

/// Courses of random bytes, from a seed.
fn courses(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut state = seed;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(move || (0..BYTES).map(|_| random()).collect())
}

#[test]
fn random_courses_find_nothing_and_come_to_most_statuses() {
    let mut sum = Done::NOTHING;
    courses(1).take(if cfg!(miri) { 2 } else { 2000 }).for_each(|data| sum.add(&all(&data)));
    let came = |status: Status| sum.by_status[status.number() as usize] > 0;
    let never: Vec<_> = Status::ALL.iter().filter(|status| !came(**status)).collect();
    // What these answer is not in the registers or in memory: the mode, and the gate.
    let expected = [Status::NotPrivileged, Status::GateIsSet];
    assert!(cfg!(miri) || never.iter().all(|status| expected.contains(status)), "{never:?}");
}

#[test]
fn a_course_can_unmap_a_page_and_release_its_tables() {
    let unmap = [1, 7, 4, 0, 0, 0, 0, 0, 5];
    let release = |frame| [5, frame];
    let data: Vec<u8> = unmap.into_iter().chain((1..=4).rev().flat_map(release)).collect();
    for done in
        [rules::by_tables(&data), rules::by_typed(&data, false), rules::by_typed(&data, true)]
    {
        assert_eq!((done.by_status[0], done.calls()), (13, 13), "{done:?}");
    }
}

/// Twins that come to nothing while a frame becomes a table in one go, as here; the exhaustive check finds it.
const OUT_OF_REACH: [Twin; 1] = [Twin::BecomingIsLinked];

#[test]
#[cfg_attr(miri, ignore = "thousands of courses")]
fn broken_twins_are_found() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let found = |twin: &Twin| {
        choose(Some(*twin));
        let wrong = |data: Vec<u8>| {
            catch_unwind(AssertUnwindSafe(|| rules::by_typed(&data, false))).is_err()
        };
        courses(7).take(20_000).any(wrong)
    };
    let twins = Twin::OF_STATES.iter().filter(|twin| !OUT_OF_REACH.contains(twin));
    let missed: Vec<_> = twins.filter(|twin| !found(twin)).collect();
    choose(None);
    std::panic::set_hook(quiet);
    assert!(missed.is_empty(), "not found: {missed:?}");
}
