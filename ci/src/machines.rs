//! The machines: which there are, how each is started, which one suits a path.

use std::path::Path as FilePath;
use std::process::Command;

use anyhow::Result;

use crate::boot::Job;
use crate::disks::Made;

pub mod choose;
pub mod kvm;

mod bochs;
mod bochs_debugger;
mod disc;
mod names;
mod qemu;

pub use bochs::FIRMWARE as BOCHS_FIRMWARE;
pub use bochs_debugger::seen;
pub use names::{MachineName, Path};

/// The command that runs a job with these disks, with its files in `place` and its console in the file `console`.
pub fn command(job: &Job, place: &FilePath, console: &FilePath, disks: &[Made]) -> Result<Command> {
    match job.machine {
        MachineName::QemuTcg | MachineName::QemuKvm => qemu::command(job, place, console, disks),
        MachineName::Bochs => bochs::command(job, place, console, disks),
    }
}

/// The CPU model for a path, where the machine's usual one will not do.
pub const fn cpu(path: Path, machine: MachineName) -> Option<&'static str> {
    match (path, machine) {
        (Path::Svm, MachineName::QemuTcg) => Some(qemu::CPU_WITH_SVM),
        (Path::Svm, MachineName::Bochs) => Some(bochs::CPU_WITH_SVM),
        _ => None,
    }
}

/// The emulator's version, as it states it.
pub fn version(machine: MachineName) -> String {
    match machine {
        MachineName::QemuTcg | MachineName::QemuKvm => qemu::version(),
        MachineName::Bochs => bochs::version(),
    }
}
