//! `cargo xtask run`.

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use loadphys_plan::command_line::Plan;
use loadphys_stub::guest::image::Image;

use super::options::{memory, nested_page, nested_page_needs_stub, number, refused};
use super::swap::SwapOptions;
use crate::boot::{self, Job, Report, USUAL_MEMORY_MIB};
use crate::build::Programs;
use crate::foreign::Foreign;
use crate::machines::choose::{check, choose};
use crate::machines::kvm::Trial;
use crate::machines::{MachineName, Path};
use crate::outcome::bad_input;
use crate::tools;

/// Boot the guest once, with its console in the terminal.
///
/// Exit code: 0 if the guest's last record says that all is well; 1 if not; 2 for bad arguments. A
/// kernel given by --guest that writes no records is well if it was entered and ended the machine by
/// power-off or QEMU's debug exit; it is not if the stub gave up on it or the time limit came first.
#[derive(Args)]
pub struct Arguments {
    /// What runs below the guest: bare, vmx or svm
    #[arg(long, default_value = "bare")]
    path: String,
    /// What runs below that: auto, qemu-kvm, qemu-tcg or bochs
    #[arg(long, default_value = "auto")]
    machine: String,
    /// Boot this kernel under the hypervisor instead of our guest
    ///
    /// Its content says what it is: an ELF file with a PVH entry, a multiboot 1 kernel, or a Linux bzImage (what else takes
    /// Linux's boot protocol, as memtest86+ does, too). It gets the line of --append as it is.
    #[arg(long, value_name = "FILE")]
    guest: Option<PathBuf>,
    /// What the kernel of --guest gets as its initial RAM disk, or as its first module
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// CPUs of the machine, with --guest; our own guest's line says how many it has (cpus=N) [default: 1]
    #[arg(long, value_name = "N")]
    cpus: Option<String>,
    /// The guest's command line, for example "plan=probe"; without it the guest compares
    ///
    /// Words are key=value: plan (compare, probe, pressure, courses, swap-full, bad-program, bad-calls, attack, stack-overflow,
    /// triple-fault, hang, evacuate, torture, disk-faults, idle), methods (a list, all, or auto), sharers and batch (lists), pages (of the shared
    /// segment), rounds (of eviction for a row), seed, check (on, off: poison freed frames and probe for stale
    /// translations), conformance (on, off: try each method first), swap-pages (0: as many as are needed), swap (ram,
    /// virtio, ata), swap-timeout (seconds for which a disk may be silent), faults (of plan=torture with swap=ram: of
    /// so many requests to swap one fails; 0: none), cpus (of the machine, all used), spaces (that exist while a row is measured), range (START-END in hexadecimal, of plan=evacuate). Results
    /// are JSON lines among those of the log.
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
    /// Memory of the machine; at least 16 on bare, 128 on vmx and svm
    #[arg(long, value_name = "MIB", default_value_t = USUAL_MEMORY_MIB.to_string())]
    memory: String,
    /// The largest pages of the stub's nested tables: auto (as the CPU has them), 4k, 2m or 1g
    #[arg(long, value_name = "SIZE")]
    nested_page: Option<String>,
    #[command(flatten)]
    swap: SwapOptions,
    /// Wait for a debugger on TCP port 1234 before the first instruction (QEMU)
    #[arg(long)]
    gdb: bool,
    /// End the boot by force after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    time_limit: String,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let path = Path::named(&self.path)?;
        let asked = MachineName::named(&self.machine)?;
        check(path, asked)?;
        self.check(path)?;
        let job = self.job(path, asked)?;
        let report = boot::boot(&job, |line, _| println!("{line}"))?;
        conclude(&report, self.guest.is_some())
    }

    /// What can be known to be wrong before anything is built.
    fn check(&self, path: Path) -> Result<()> {
        match &self.guest {
            Some(_) if path == Path::Bare => {
                return Err(bad_input(
                    "--guest needs --path vmx or svm: it boots under the hypervisor",
                ));
            }
            Some(file) => {
                self.cpus()?;
                check_kernel(file)?;
            }
            None if self.initrd.is_some() => {
                return Err(bad_input("--initrd needs --guest: our own guest takes no module"));
            }
            None if self.cpus.is_some() => {
                return Err(bad_input("--cpus needs --guest: write cpus=N in --append"));
            }
            None => drop(self.plan()?),
        }
        if let Some(file) = self.initrd.as_ref().filter(|file| !file.is_file()) {
            return Err(bad_input(format!("no initial RAM disk {}", file.display())));
        }
        if self.guest.is_some() {
            self.swap.refuse("--guest")?;
            if self.nested_page.is_some() {
                return Err(bad_input("--nested-page is for our guest, not for --guest"));
            }
        }
        nested_page_needs_stub(self.nested_page.as_deref(), &[path])?;
        memory(&self.memory, &[path]).map(drop)
    }

    fn plan(&self) -> Result<Plan> {
        let plan: Plan = self.append.parse().map_err(refused)?;
        let swap = self.swap.kind()?.unwrap_or(plan.swap);
        let nested_page = match &self.nested_page {
            Some(text) => nested_page(Some(text))?,
            None => plan.nested_page,
        };
        Ok(Plan { swap, nested_page, ..plan })
    }

    fn job(&self, path: Path, asked: Option<MachineName>) -> Result<Job> {
        let seconds = number("--time-limit", &self.time_limit, 1, 1 << 20)?;
        let programs = Programs::build(&[path])?;
        let cpus = match self.guest {
            Some(_) => self.cpus()?,
            None => self.plan()?.cpus,
        };
        let choice = choose(path, asked, Trial { programs: &programs, cpus })?;
        let machine = choice.machine;
        eprintln!("{path}: {machine} ({})", choice.reason);
        if self.gdb && machine == MachineName::Bochs {
            return Err(bad_input("--gdb works on qemu-tcg and qemu-kvm only"));
        }
        tools::ensure(tools::Need::of(machine))?;
        if self.guest.is_some() {
            // GRUB loads it: no other loader gives it a line of its own.
            tools::ensure(&[tools::Need::Image])?;
        }
        let limit = Duration::from_secs(seconds);
        let job = match &self.guest {
            Some(guest) => self.foreign(guest)?.under(programs.stub(), machine, limit),
            None => Job::of_guest(path, machine, &programs, self.line(machine)?, limit),
        };
        let (disks, cpus) = match self.guest {
            Some(_) => (Vec::new(), self.cpus()?),
            None => (self.swap.disks(&self.plan()?, path, machine)?, job.cpus),
        };
        let memory_mib = memory(&self.memory, &[path])?;
        Ok(Job { disks, cpus, memory_mib, debugger: self.gdb, ..job })
    }

    /// The kernel that is not ours, and what it is handed, as it was given.
    fn foreign(&self, guest: &FilePath) -> Result<Foreign> {
        let initrd = self.initrd.as_ref().map(std::path::absolute).transpose()?;
        Ok(Foreign { image: std::path::absolute(guest)?, line: self.append.clone(), initrd })
    }

    fn cpus(&self) -> Result<u32> {
        let cpus = self.cpus.as_deref().unwrap_or("1");
        number("--cpus", cpus, 1, MOST_CPUS).map(|cpus| cpus as u32)
    }

    /// Our guest's line: its own words, with the way to end this machine unless one was given.
    fn line(&self, machine: MachineName) -> Result<String> {
        let mut plan = self.plan()?;
        if !self.append.contains("exit=") {
            plan.exit = machine.exit();
        }
        Ok(plan.to_string())
    }
}

/// As many as the guest's line can ask for.
const MOST_CPUS: u64 = 64;

fn conclude(report: &Report, foreign: bool) -> Result<()> {
    let verdict = if foreign { report.verdict_on_foreign() } else { report.verdict() };
    match verdict {
        Ok(()) => Ok(()),
        Err(reason) => bail!("the boot failed: {reason}"),
    }
}

/// Asks the stub's own reader, so that what it would refuse is refused before anything is built.
fn check_kernel(file: &FilePath) -> Result<()> {
    let name = file.display();
    if !file.is_file() {
        return Err(bad_input(format!("no kernel file {name}")));
    }
    let bytes =
        std::fs::read(file).map_err(|why| bad_input(format!("cannot read {name}: {why}")))?;
    Image::read(&bytes).map(drop).map_err(|why| bad_input(format!("{name} {why}")))
}
