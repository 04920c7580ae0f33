//! Whether the host's KVM can run a path.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use loadphys_plan::command_line::{Plan, PlanName};

use super::{MachineName, Path};
use crate::boot::{self, Job};
use crate::build::Programs;

/// How long a probe boot may take.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// What a probe boot is of.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// What is booted.
    pub programs: &'a Programs,
    /// On how many CPUs: KVM may run a guest's guest on one and not on several.
    pub cpus: u32,
}

/// Nothing, or why KVM cannot be used for this path. What the host says of itself is asked first; a
/// probe boot has the last word, if there is something to try.
pub fn usable(path: Path, trial: Option<Trial<'_>>) -> Result<(), String> {
    cpu(path)?;
    device()?;
    if let Some(module) = module(path) {
        nested(module)?;
    }
    trial.map_or(Ok(()), |trial| probe(path, trial))
}

/// Without hardware virtualization KVM is missing, or a stand-in that lacks instructions.
fn cpu(path: Path) -> Result<(), String> {
    let wanted: &[&str] = match path {
        Path::Bare => &["vmx", "svm"],
        Path::Vmx => &["vmx"],
        Path::Svm => &["svm"],
    };
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let offered = flags.split_whitespace().any(|flag| wanted.contains(&flag));
    let wanted = wanted.join(" or ");
    offered.then_some(()).ok_or(format!("/proc/cpuinfo shows no {wanted} flag"))
}

fn device() -> Result<(), String> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    opened.map(drop).map_err(|error| format!("/dev/kvm cannot be opened: {error}"))
}

/// The module of the host's kernel that lets a guest have guests of its own, where a path needs that.
const fn module(path: Path) -> Option<&'static str> {
    match path {
        Path::Bare => None,
        Path::Vmx => Some("kvm_intel"),
        Path::Svm => Some("kvm_amd"),
    }
}

fn nested(module: &str) -> Result<(), String> {
    let file = format!("/sys/module/{module}/parameters/nested");
    let setting = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    match setting.trim() {
        "Y" | "1" => Ok(()),
        other => Err(format!(
            "{file} is {other}: nested virtualisation is off (modprobe {module} nested=1 switches it on)"
        )),
    }
}

fn probe(path: Path, Trial { programs, cpus }: Trial<'_>) -> Result<(), String> {
    let machine = MachineName::QemuKvm;
    let plan = Plan { plan: PlanName::Probe, exit: machine.exit(), cpus, ..Plan::default() };
    let job = Job::of_guest(path, machine, programs, plan.to_string(), PROBE_LIMIT);
    let report = boot::boot(&job, |_, _| ()).map_err(|error| format!("{error:#}"))?;
    report.verdict().map_err(|reason| format!("a probe boot on {cpus} CPUs failed: {reason}"))
}
