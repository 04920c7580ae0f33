//! Boots in which methods are checked.

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, MethodName, Methods, Plan, PlanName};
use loadphys_plan::records::counts;
use xtask::boot::{Job, Report};
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::counted::{count, exactly};

/// Methods of the boot with much memory on Bochs, which takes its time: each tells of others that are alike.
pub const FAR_UP_ON_VMX: [MethodName; 4] =
    [MethodName::PagingOff, MethodName::Recursive, MethodName::Hypercall, MethodName::Alias];

/// The conformance of these methods, or of all.
pub fn everything(
    path: Path,
    methods: &'static [MethodName],
    memory_mib: u32,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let job = move || {
        let named = List::new(methods.iter().copied()).map(Methods::Named);
        let methods = named.filter(|_| !methods.is_empty()).unwrap_or(Methods::All);
        let plan = Plan { plan: PlanName::Probe, methods, pages: 32, ..Plan::default() };
        Ok(Job { memory_mib, ..of_plan(path, emulator(path), plan)? })
    };
    Case::new(format!("{path}/conformance-{memory_mib}-mib"), job, Expected::good(check))
}

/// Methods passed checks, all of them equally many, and those that leave the TLB alone would have shown a missing flush.
pub fn conforms(report: &Report) -> Result<()> {
    ensure!(count(report, counts::ORACLE_SEES)? > 0, "the TLB oracle is blind");
    conforms_blindly(report)
}

/// The same where the TLB oracle is blind: QEMU gives an address the larger page of the guest's tables and the nested ones, keeps one range for
/// all large pages, and forgets everything at an INVLPG in it.
pub fn conforms_blindly(report: &Report) -> Result<()> {
    let [methods, passed, untested] =
        [counts::CHECKS, counts::CONFORMANCE, counts::UNTESTED].map(|name| count(report, name));
    let (methods, passed, untested) = (methods?, passed?, untested?);
    ensure!(methods > 0 && passed > 0, "{methods} methods passed {passed} checks");
    ensure!((passed + untested) % methods == 0, "{passed} + {untested} checks, {methods} methods");
    ensure!(count(report, counts::NMIS)? >= methods, "there were too few NMIs");
    Ok(())
}

/// The same, and every method was seen to reach tables above 4 GiB or to refuse; so there is nothing that was not tried.
pub fn conforms_far_up(report: &Report) -> Result<()> {
    conforms(report)?;
    all_far_up(report)
}

/// The same where the TLB oracle is blind.
pub fn conforms_blindly_far_up(report: &Report) -> Result<()> {
    conforms_blindly(report)?;
    all_far_up(report)
}

fn all_far_up(report: &Report) -> Result<()> {
    exactly(report, counts::ABOVE_4GIB, count(report, counts::CHECKS)?)?;
    exactly(report, counts::UNTESTED, 0)
}
