//! Boots of plan `torture`.

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, MethodName, Methods, Plan, PlanName};
use loadphys_plan::records::counts;
use xtask::boot::{Job, Report};
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::counted::{count, exactly, nothing_lost};

/// Random work on two CPUs with a swap that fails at random.
pub fn torture(path: Path) -> Case {
    Case::new(format!("{path}/torture"), move || short_torture(path), Expected::good(tortured))
}

/// A boot of plan `torture` that takes seconds.
pub fn short_torture(path: Path) -> Result<Job> {
    let named = [MethodName::Recursive, MethodName::Mirror, MethodName::Alias];
    let methods = Methods::Named(List::new(named).expect("different methods"));
    let (plan, pages, rounds, faults) = (PlanName::Torture, 48, 6, 150);
    let plan =
        Plan { plan, methods, pages, rounds, faults, cpus: 2, swap_pages: 1024, ..Plan::default() };
    of_plan(path, emulator(path), plan)
}

/// Everything happened, what failed was told apart from what was done wrong, and nothing was lost.
fn tortured(report: &Report) -> Result<()> {
    for name in [
        counts::EVICTED,
        counts::FAULTED_IN,
        counts::EVACUATED,
        counts::FORKS,
        counts::DEVICE_FAULTS,
        counts::CORRUPTED,
        counts::WRITE_FAILURES,
        counts::ENDED_BY_DEVICE,
    ] {
        ensure!(count(report, name)? > 0, "nothing is counted as {name}");
    }
    exactly(report, counts::ENDED_PROGRAMS, count(report, counts::ENDED_BY_DEVICE)?)?;
    exactly(report, counts::STALE, 0)?;
    nothing_lost(report)
}
