//! What one boot is.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use loadphys_plan::command_line::{Plan, PlanName};

use crate::build::Programs;
use crate::disks::Disk;
use crate::machines::{self, MachineName, Path};

/// A file that the loader hands to the kernel.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file.
    pub file: PathBuf,
    /// Its command line, where the loader can give it one of its own.
    pub line: String,
}

/// How memory is looked at from outside: each time that the guest asks Bochs's debugger to stop it, all of it.
#[derive(Clone, Debug)]
pub struct Looks {
    /// How often it asks.
    pub times: usize,
    /// Physical memory that is looked at.
    pub memory: Vec<Range<u64>>,
    /// The file for what was seen; [`crate::machines::seen`] reads it.
    pub file: PathBuf,
}

/// One boot.
#[derive(Clone, Debug)]
pub struct Job {
    /// What people know it by.
    pub name: String,
    /// What it runs on.
    pub machine: MachineName,
    /// What is booted: a guest on bare metal, or the stub.
    pub kernel: PathBuf,
    /// The kernel's command line.
    pub line: String,
    /// The stub's guest.
    pub module: Option<Module>,
    /// What the stub's guest is handed as its first module: an initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Boot by GRUB, from a disc with these files, also where the machine can load them itself: only so there can be an
    /// initial RAM disk, and a line for the guest that is not the stub's.
    pub disc: bool,
    /// A disc that is booted instead of these files, by an entry of its menu (Bochs).
    pub image: Option<PathBuf>,
    /// Its disks, in the order in which it finds them.
    pub disks: Vec<Disk>,
    /// Memory of the machine.
    pub memory_mib: u32,
    /// CPUs of the machine.
    pub cpus: u32,
    /// One instruction is one tick, on QEMU without KVM, so that runs can be repeated exactly and ticks compared. A CPU that spins
    /// keeps others waiting then: kernels that spin while a CPU starts never see it come.
    pub counted: bool,
    /// A CPU model other than the usual one, in the emulator's own words.
    pub cpu: Option<&'static str>,
    /// Wait for a debugger before the first instruction.
    pub debugger: bool,
    /// Memory that is looked at from outside while it runs (Bochs).
    pub looks: Option<Looks>,
    /// It ends well when these texts have come behind one another in the console's last line: for what never ends by itself.
    pub until: &'static [&'static str],
    /// When it is ended by force.
    pub time_limit: Duration,
}

/// Memory of a machine unless something else is asked for.
pub const USUAL_MEMORY_MIB: u32 = 256;

impl Job {
    /// Boots a kernel on one CPU with the usual memory.
    pub fn new(
        name: String,
        machine: MachineName,
        kernel: PathBuf,
        line: String,
        module: Option<Module>,
        time_limit: Duration,
    ) -> Self {
        Self {
            name,
            machine,
            kernel,
            line,
            module,
            initrd: None,
            disc: false,
            image: None,
            disks: Vec::new(),
            memory_mib: USUAL_MEMORY_MIB,
            cpus: 1,
            counted: true,
            cpu: None,
            debugger: false,
            looks: None,
            until: &[],
            time_limit,
        }
    }

    /// Boots the guest on a path with this command line, on as many CPUs as it asks for.
    pub fn of_guest(
        path: Path,
        machine: MachineName,
        programs: &Programs,
        line: String,
        time_limit: Duration,
    ) -> Self {
        let (kernel, module) = match path {
            Path::Bare => (programs.guest.clone(), None),
            Path::Vmx | Path::Svm => {
                let module = Module { file: programs.guest.clone(), line: line.clone() };
                (programs.stub().to_owned(), Some(module))
            }
        };
        // A line that the guest will not understand is the guest's to refuse.
        let cpus = line.parse::<Plan>().map_or(1, |plan| plan.cpus);
        let name = format!("{path} on {machine}");
        let cpu = machines::cpu(path, machine);
        Self { cpus, cpu, ..Self::new(name, machine, kernel, line, module, time_limit) }
    }

    /// Boots the guest on a path for it to say what it finds.
    pub fn probe(
        path: Path,
        machine: MachineName,
        programs: &Programs,
        time_limit: Duration,
    ) -> Self {
        let plan = Plan { plan: PlanName::Probe, exit: machine.exit(), ..Plan::default() };
        Self::of_guest(path, machine, programs, plan.to_string(), time_limit)
    }
}
