//! What a program of the guest must meet that follows a course.

use loadphys_plan::records::Course as Told;

use super::{Cache, Reclaimed};
use crate::kernel::Choice;
use crate::kernel::Records;
use loadphys_apps::course::{Course, Route};

/// Faults of the program that the guest tells of, if its choice of victims saw every touch. Nothing, if there is no such
/// course.
pub fn faults_in_guest(told: &Told) -> Option<u64> {
    let course = Course::ALL.into_iter().find(|course| course.name() == told.course)?;
    let route = Route { course, seed: told.seed, touches: told.touches };
    let (pages, besides) = (u64::from(told.pages), u64::from(told.besides));
    let all = (pages + besides) as usize;
    let frames = told.frames + told.besides;
    let mut records = Records::new(Reclaimed::records_for(pages, frames) + 8, all, all);
    let mut program =
        Reclaimed::beside(besides, records.memory(), pages, told.frames, Choice::TwoHands);
    route.touches_of(pages).for_each(|touch| _ = program.touch(touch));
    Some(program.faults())
}
