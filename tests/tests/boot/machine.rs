//! The guest that looks at the machine it runs on, with the stub below and without: it has to see the same, but for what the
//! stub changes on purpose, and what a guest does all the time must not make the stub run.
//!
//! In the end it resets the machine. Bochs starts it again, and it says so; QEMU ends, as it is told to.

use std::path::Path as FilePath;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Failed, Trial};
use loadphys_plan::command_line::{Exit, Plan, PlanName};
use xtask::boot::{self, Ending, Job, Module, Report};
use xtask::build::Programs;
use xtask::disks::{Bus, Contents, Disk};
use xtask::machines::{self, MachineName, Path};

use crate::case::LIMIT;
use crate::programs::{self, programs};

/// What begins lines that must be the same on both; those that tell of exits, and of what the stub changes.
const SAME: &str = "machine: ";
const EXITS: &str = "exits: ";
const CHANGED: &str = "changed: ";

/// How many kinds of work are counted.
const KINDS: usize = 14;

/// What the guest must see of the stub.
const BY_ALL: [&str; 3] =
    ["efer.svme taken=false reads=false", "msr 40000000 #13 #13", "msr deadbeef #13 #13"];
const BY_VMX: [&str; 3] = [
    "cpuid hypervisor=1 vmx=0 svm=0",
    "cr4.vmxe taken=false reads=false",
    "misc-enable no-execute #13",
];
const BY_SVM: [&str; 2] =
    ["cpuid hypervisor=1 vmx=0 svm=0", "apic base reserved=[false, false, false]"];

/// CPU models: QEMU's with SVM, and one of Bochs that maps no pages of 1 GiB.
const SVM: Option<&str> = machines::cpu(Path::Svm, MachineName::QemuTcg);
const NO_GIB_PAGES: &str = "corei7_ivy_bridge_3770k";

/// More memory than there are addresses below 4 GiB.
const MUCH_MIB: u32 = 5120;

/// For the harness.
pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn() -> Result<()>| {
        Trial::test(name, move || run().map_err(|error| Failed::from(format!("{error:#}"))))
    };
    vec![
        trial("vmx/machine", || compare(on_bochs, None, &BY_VMX)),
        trial("vmx/machine-no-1-gib-pages", || compare(on_bochs, Some(NO_GIB_PAGES), &BY_VMX)),
        trial("svm/machine", || compare(on_qemu, SVM, &BY_SVM)),
        trial("svm/keyboard-reset", || {
            reset(on_qemu, "reset=keyboard", "the keyboard controller", &[false, true])
        }),
        trial("svm/init-reset", || reset(on_qemu, "reset=init", "an init", &[false, true])),
        trial("vmx/init-reset", || reset(on_bochs, "reset=init", "an init", &[true])),
        trial("vmx/power-off", || power_off(on_bochs, None)),
        trial("svm/power-off", || power_off(on_qemu, SVM)),
    ]
}

/// A boot of a guest, under the stub or not, on a machine.
type On = fn(guest: &FilePath, stub: Option<&FilePath>, line: &str) -> Job;

fn on(machine: MachineName, guest: &FilePath, stub: Option<&FilePath>, line: &str) -> Job {
    let module = stub.map(|_| Module { file: guest.to_owned(), line: line.to_owned() });
    let kernel = stub.unwrap_or(guest).to_owned();
    let name = format!("the machine on {machine}");
    Job::new(name, machine, kernel, line.to_owned(), module, LIMIT)
}

fn on_bochs(guest: &FilePath, stub: Option<&FilePath>, line: &str) -> Job {
    on(MachineName::Bochs, guest, stub, line)
}

/// With a device whose registers can be anywhere, and memory above it.
fn on_qemu(guest: &FilePath, stub: Option<&FilePath>, line: &str) -> Job {
    let disk = Disk { bus: Bus::Virtio, contents: Contents::Zeros { pages: 1 }, flaws: Vec::new() };
    let job = on(MachineName::QemuTcg, guest, stub, line);
    Job { disks: vec![disk], memory_mib: MUCH_MIB, ..job }
}

/// The same program on the same machine, without the stub and with it.
fn compare(on: On, cpu: Option<&'static str>, changed: &[&str]) -> Result<()> {
    let guest = programs::machine()?;
    let stub = programs(Path::Vmx)?.stub();
    let [without, with] = [None, Some(stub)].map(|stub| {
        let job = on(&guest, stub, "exit=bochs");
        saw(&Job { cpu, ..job }, "port")
    });
    let (without, with) = (without?, with?);
    same(&without, &with)?;
    counted(&with)?;
    let says = told(&with, CHANGED);
    let missing = BY_ALL.iter().chain(changed).find(|line| !says.contains(line));
    ensure!(missing.is_none(), "under the stub it does not say '{}': {says:?}", missing.unwrap());
    Ok(())
}

/// What it said, if it came to its end, where the machine is reset by this.
fn saw(job: &Job, by: &str) -> Result<Report> {
    let report = boot::boot(job, |_, _| ())?;
    let good = match job.machine {
        MachineName::Bochs => report.verdict().map_err(|reason| anyhow!(reason)),
        _ => powered_off(&report),
    };
    let last = told(&report, SAME).last().copied().unwrap_or_default().to_owned();
    let wanted = match job.machine {
        MachineName::Bochs => "came back after the reset".to_owned(),
        _ => format!("reset by {by}"),
    };
    let ended = good.and_then(|()| {
        ensure!(last == wanted, "the last that it saw is '{last}'");
        Ok(())
    });
    ended
        .with_context(|| format!("last lines of the console:\n  {}", report.tail().join("\n  ")))?;
    Ok(report)
}

/// What is said of one kind.
fn told<'a>(report: &'a Report, kind: &str) -> Vec<&'a str> {
    report.lines.iter().filter_map(|line| line.trim().strip_prefix(kind)).collect()
}

fn same(without: &Report, with: &Report) -> Result<()> {
    let (without, with) = (told(without, SAME), told(with, SAME));
    let differs = without.iter().zip(&with).find(|(without, with)| without != with);
    if let Some((without, with)) = differs {
        anyhow::bail!("without the stub the machine is '{without}', with it '{with}'");
    }
    ensure!(without.len() == with.len(), "{} and {} lines", without.len(), with.len());
    Ok(())
}

/// Nothing that was counted exits.
fn counted(report: &Report) -> Result<()> {
    let exits = told(report, EXITS);
    ensure!(exits.len() == KINDS, "{} kinds of work were counted: {exits:?}", exits.len());
    let some = exits.iter().find(|line| !line.ends_with(": 0"));
    ensure!(some.is_none(), "the stub ran: exits of {}", some.unwrap());
    Ok(())
}

/// QEMU ends with 0 after a power-off or a reset.
fn powered_off(report: &Report) -> Result<()> {
    ensure!(report.ending == Ending::ByItself(Some(0)), "it ended with {:?}", report.ending);
    Ok(())
}

/// A reset in another way, with the stub and without. (Bochs's firmware comes through none that resets the CPU alone; the stub
/// makes one of the machine of it.)
fn reset(on: On, line: &str, by: &str, with_stub: &[bool]) -> Result<()> {
    let guest = programs::machine()?;
    for with in with_stub {
        let stub = with.then(|| programs(Path::Vmx)).transpose()?.map(Programs::stub);
        let job = on(&guest, stub, line);
        let cpu = SVM.filter(|_| job.machine == MachineName::QemuTcg);
        saw(&Job { cpu, ..job }, by)?;
    }
    Ok(())
}

/// The kernel under the stub, which ends the machine by ACPI alone.
fn power_off(on: On, cpu: Option<&'static str>) -> Result<()> {
    let plan = Plan { plan: PlanName::Probe, exit: Exit::Acpi, ..Plan::default() };
    let programs = programs(Path::Vmx)?;
    let job = on(&programs.guest, Some(programs.stub()), &plan.to_string());
    let job = Job { cpu, ..job };
    let report = boot::boot(&job, |_, _| ())?;
    report.verdict().map_err(|reason| anyhow!(reason))?;
    match (job.machine, report.ending) {
        // Bochs ends with 1 however it does.
        (MachineName::Bochs, Ending::ByItself(_)) => Ok(()),
        _ => powered_off(&report),
    }
}
