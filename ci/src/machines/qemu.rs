//! QEMU: every argument that it is ever given.

mod disks;

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use loadphys_plan::exit_code;

use super::{MachineName, disc};
use crate::boot::{Job, children};
use crate::disks::Made;

/// The emulator.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// A model with SVM and nested paging; strings are copied as by the usual one.
pub const CPU_WITH_SVM: &str = "max,-erms,+svm,+npt";

/// The command that runs a job, with its files in `place` and its console in a file.
pub fn command(job: &Job, place: &Path, console: &Path, disks: &[Made]) -> Result<Command> {
    let mut qemu = children::mortal(PROGRAM);
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
    qemu.args(["-display", "none", "-monitor", "none"]);
    qemu.args(["-machine", "pc", "-m", &format!("{}M", job.memory_mib)]);
    qemu.args(["-smp", &job.cpus.to_string()]);
    qemu.args(accelerator(job));
    qemu.args(["-cpu", job.cpu.unwrap_or(usual_cpu(job.machine))]);
    qemu.args(["-device", &format!("isa-debug-exit,iobase={:#x},iosize=1", exit_code::PORT)]);
    qemu.arg("-serial").arg(format!("file:{}", console.display()));
    load(&mut qemu, job, place)?;
    for (at, disk) in disks.iter().enumerate() {
        qemu.args(disks::arguments(at, disk));
    }
    if job.debugger {
        qemu.args(["-s", "-S"]);
    }
    Ok(qemu)
}

/// What is booted, and by whom.
fn load(qemu: &mut Command, job: &Job, place: &Path) -> Result<()> {
    if job.disc {
        qemu.arg("-cdrom").arg(disc::written(job, place)?).args(["-boot", "d"]);
        return Ok(());
    }
    qemu.arg("-kernel").arg(&job.kernel).args(["-append", &job.line]);
    if let Some(module) = &job.module {
        // PVH hands over the file alone: its command line is the kernel's.
        qemu.arg("-initrd").arg(&module.file);
    }
    Ok(())
}

/// One instruction is one tick without KVM, so that a run can be repeated exactly.
const fn accelerator(job: &Job) -> &'static [&'static str] {
    match job.machine {
        MachineName::QemuKvm => &["-accel", "kvm"],
        _ if !job.counted => &["-accel", "tcg"],
        _ => &["-accel", "tcg", "-icount", "shift=0"],
    }
}

const fn usual_cpu(machine: MachineName) -> &'static str {
    match machine {
        MachineName::QemuKvm => "host",
        // TCG counts one instruction for each byte of a fast string copy.
        _ => "max,-erms",
    }
}

/// What QEMU says of itself, shortened to the number.
pub fn version() -> String {
    let output = Command::new(PROGRAM).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let number = text.split_whitespace().skip_while(|word| *word != "version").nth(1);
    number.unwrap_or("unknown").to_owned()
}
