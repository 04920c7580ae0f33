//! Boots in which tables and pages move.

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, MethodName, Methods, Plan, PlanName};
use loadphys_plan::records::{Record, counts};
use xtask::boot::Report;
use xtask::evacuation;
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::comparison::has_pcids;
use crate::counted::{count, exactly, nothing_lost};

/// Methods that evacuate on Bochs, which takes its time: those of the stub, one that does all by itself, and one
/// that tags what it visits.
const EVACUATING_ON_VMX: [MethodName; 4] =
    [MethodName::Alias, MethodName::Hypercall, MethodName::Recursive, MethodName::SpaceSwitchPcid];

/// Tables and pages of running programs move, freed frames are poisoned and stale translations probed. Other CPUs have run the
/// programs before, and run them again where they are then.
pub fn evacuate(path: Path, cpus: u32) -> Case {
    let named = || List::new(EVACUATING_ON_VMX).expect("different methods");
    let job = move || {
        let methods = if path == Path::Vmx { Methods::Named(named()) } else { Methods::All };
        let sharers = List::new([3]).expect("one number");
        let plan =
            Plan { plan: PlanName::Evacuate, methods, sharers, pages: 96, cpus, ..Plan::default() };
        of_plan(path, emulator(path), plan)
    };
    let on = if cpus > 1 { format!("-cpus-{cpus}") } else { String::new() };
    let check = move |report: &Report| evacuated(path, cpus, report);
    Case::new(format!("{path}/evacuate{on}"), job, Expected::good(check))
}

fn evacuated(path: Path, cpus: u32, report: &Report) -> Result<()> {
    let named = |method: &&MethodName| {
        (path != Path::Vmx || EVACUATING_ON_VMX.contains(method))
            && (cpus == 1 || method.works_on_several_cpus())
    };
    let all = MethodName::ALL.iter().filter(named);
    let wanted = all.filter(|it| path.may_have(**it) && has_pcids(path, **it)).count();
    let is_evacuation = |record: &&Record| matches!(record, Record::Evacuation(_));
    let found = report.records.iter().filter(is_evacuation).count();
    ensure!(found == wanted, "{found} of {wanted} methods evacuated");
    let wrong = evacuation::wrong(report);
    ensure!(wrong.is_none(), "{wrong:?}");
    exactly(report, counts::STALE, 0)?;
    ensure!(count(report, counts::PREEMPTIONS)? > 0, "the timer interrupted no program");
    nothing_lost(report)
}
