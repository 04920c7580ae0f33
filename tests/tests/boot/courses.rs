//! A boot whose program follows courses, and how many faults the host predicts.

use anyhow::{Context, Result, ensure};
use loadphys_apps::course::Course;
use loadphys_plan::command_line::{Plan, PlanName};
use loadphys_plan::records::Record;
use loadphys_plan::work::COURSE_EIGHTHS;
use loadphys_tests::hit_rates::faults_in_guest;
use xtask::boot::{Job, Report};
use xtask::machines::{MachineName, Path};

use crate::case::of_plan;
use crate::counted::nothing_lost;

/// A program follows all courses through few pages.
pub fn courses() -> Result<Job> {
    let plan = Plan { plan: PlanName::Courses, pages: 512, ..Plan::default() };
    of_plan(Path::Bare, MachineName::QemuTcg, plan)
}

/// Faults by which a course may differ from what the same choice of victims comes to on the host, of a hundred touches. The
/// first course has as many; later ones begin where the hands have been left.
const DIFFERENCE: u64 = 1;

/// The same of a loop, which depends on where the hands begin more than others.
const DIFFERENCE_OF_LOOP: u64 = 4;

/// Every course has met as many faults as predicted, or nearly.
pub fn as_predicted(report: &Report) -> Result<()> {
    let courses = report.records.iter().filter_map(|record| match record {
        Record::Course(course) => Some(course),
        _ => None,
    });
    for (number, told) in courses.clone().enumerate() {
        let predicted = faults_in_guest(told).context("an unknown course")?;
        let faults = told.first_touches + told.from_swap;
        let most = match (number, told.course.as_str()) {
            (0, _) => 0,
            (_, "loop") => told.touches * DIFFERENCE_OF_LOOP / 100,
            _ => told.touches * DIFFERENCE / 100,
        };
        ensure!(
            faults.abs_diff(predicted) <= most,
            "{} in {} frames: {faults} faults, not {predicted}",
            told.course,
            told.frames
        );
    }
    let (found, wanted) = (courses.count(), Course::ALL.len() * COURSE_EIGHTHS.len());
    ensure!(found == wanted, "{found} of {wanted} courses");
    nothing_lost(report)
}
