//! `cargo xtask doctor`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::boot::{self, Job};
use crate::build::{BARE_METAL, Programs};
use crate::fixtures;
use crate::interrupt;
use crate::machines::{MachineName, Path, kvm};
use crate::tools::{self, Need};

/// Say what this host can run, and why it cannot run the rest.
///
/// Whatever looks usable is tried with a short boot, for which guest and stub are built. Nothing is
/// installed. Exit code: 0 if every path can run on some machine.
///
/// With --cpu it says instead what would run on a CPU that is recorded, by what the CPU offers; exit code 0 if a
/// path with a stub would.
#[derive(Args)]
pub struct Arguments {
    /// A recorded CPU, or a file like those in vmm-stub/fixtures; 'list' lists what is recorded
    #[arg(long, value_name = "CPU", conflicts_with = "no_boot")]
    cpu: Option<String>,

    /// Leave out the boots
    #[arg(long)]
    no_boot: bool,
}

/// How long a boot may take that only says what it finds.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        if let Some(cpu) = &self.cpu {
            return fixtures::tell(cpu);
        }
        tools();
        let programs = if self.no_boot { None } else { Some(Programs::build(&Path::ALL)?) };
        let mut unusable = Vec::new();
        for path in Path::ALL {
            let usable = MachineName::ALL.map(|machine| examine(path, machine, programs.as_ref()));
            // A probe that was interrupted says nothing of the machine.
            interrupt::check()?;
            match MachineName::ALL.into_iter().zip(usable).find(|(_, usable)| *usable) {
                Some((machine, _)) => println!("{path}: compare takes {machine}"),
                None => unusable.push(path.name()),
            }
        }
        if !unusable.is_empty() {
            bail!("no machine here runs {}", unusable.join(", "));
        }
        Ok(())
    }
}

fn tools() {
    for need in [Need::Qemu, Need::Bochs, Need::Image, Need::UefiImage] {
        let packages = need.packages().join(" ");
        let there = if need.is_there() { "there" } else { "missing (installed when needed)" };
        println!("tools: {packages}: {there}");
    }
    let target = if tools::has_target(BARE_METAL) { "there" } else { "missing" };
    println!("tools: Rust target {BARE_METAL}: {target}");
}

/// Says whether a machine runs a path.
fn examine(path: Path, machine: MachineName, programs: Option<&Programs>) -> bool {
    let usable = usable(path, machine, programs);
    match &usable {
        _ if interrupt::requested() => {}
        Ok(how) => println!("{path} on {machine}: yes, {how}"),
        Err(reason) => println!("{path} on {machine}: no: {reason}"),
    }
    usable.is_ok()
}

fn usable(path: Path, machine: MachineName, programs: Option<&Programs>) -> Result<String, String> {
    let missing = Need::of(machine).iter().filter(|need| !need.is_there());
    let packages: Vec<&str> = missing.flat_map(|need| need.packages()).copied().collect();
    match machine {
        MachineName::QemuTcg if path == Path::Vmx => return Err("it has no VMX".into()),
        MachineName::QemuKvm => kvm::usable(path, None)?,
        _ => {}
    }
    if !packages.is_empty() {
        return Err(format!("missing packages {}", packages.join(" ")));
    }
    let tried =
        programs.map_or(Ok("not tried".into()), |programs| probe(path, machine, programs))?;
    Ok(match views(path, machine) {
        Some(views) => format!("{tried}; {views}"),
        None => tried,
    })
}

/// What `gate` and `root-view` can count on, which switch views by VMFUNC.
fn views(path: Path, machine: MachineName) -> Option<&'static str> {
    match (path, machine) {
        (Path::Bare, _) => None,
        (Path::Svm, _) => Some("AMD's CPUs have no VMFUNC: no gate and no root-view"),
        (Path::Vmx, MachineName::QemuKvm) => Some(
            "KVM emulates VMFUNC for a guest's guest: gate and root-view cost an exit each switch",
        ),
        (Path::Vmx, _) => Some("VMFUNC switches views without an exit, for gate and root-view"),
    }
}

fn probe(path: Path, machine: MachineName, programs: &Programs) -> Result<String, String> {
    let job = Job::probe(path, machine, programs, PROBE_LIMIT);
    let report = boot::boot(&job, |_, _| ()).map_err(|error| format!("{error:#}"))?;
    let seconds = report.elapsed.as_secs_f64();
    let failed = |reason| format!("a probe boot failed: {reason}");
    report.verdict().map(|()| format!("a probe boot took {seconds:.1} s")).map_err(failed)
}
