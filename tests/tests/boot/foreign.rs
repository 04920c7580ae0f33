//! Kernels that know nothing of ours, under the stub and without it: both must come to the same.

mod memtest;
mod multiboot1;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Failed, Trial};
use loadphys_plan::records::{Count, Record};
use xtask::boot::{self, Job, Report};
use xtask::disks::{Bus, Contents, Disk};
use xtask::foreign::Foreign;
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};
use xtask::peers::linux;

use crate::programs::programs;

/// How long a boot may take when several run beside it: Linux takes long in Bochs.
const LIMIT: Duration = Duration::from_secs(300);

/// All of them.
pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn() -> Result<()>| {
        Trial::test(name, move || test().map_err(|error| Failed::from(format!("{error:#}"))))
    };
    vec![
        trial("vmx/linux", || linux_on(Path::Vmx)),
        trial("svm/linux", || linux_on(Path::Svm)),
        trial("vmx/multiboot1", || multiboot1::on(Path::Vmx)),
        trial("svm/multiboot1", || multiboot1::on(Path::Svm)),
        trial("svm/memtest", || memtest::on(Path::Svm)),
        trial("vmx/memtest", || memtest::on(Path::Vmx)),
    ]
}

/// Debian's Linux tries two CPUs, memory and a disk.
fn linux_on(path: Path) -> Result<()> {
    let machine = emulator(path);
    let job = |under| {
        Ok(with_disk(Job {
            cpus: 2,
            memory_mib: 160,
            ..foreign(linux::check(machine)?, path, machine, under)?
        }))
    };
    let [alone, under] = both(job)?;
    for report in [&alone, &under] {
        report.verdict().map_err(|reason| anyhow!("{reason}\n{}", report.tail().join("\n")))?;
    }
    for name in ["cpus", "cpu-sum", "memory-wrong-words", "disk-ata"] {
        let [alone, under] = [count(&alone, name)?, count(&under, name)?];
        ensure!(alone == under, "{name} is {under} under the stub, and {alone} without");
    }
    ensure!(count(&under, "cpus")? == 2, "not both CPUs run");
    eprintln!(
        "{path}/linux: {:.0} s without the stub, {:.0} s under it",
        alone.elapsed.as_secs_f64(),
        under.elapsed.as_secs_f64()
    );
    no_more_warnings(&alone, &under)
}

/// The same kernel on the same machine, under the stub or not.
fn foreign(kernel: Foreign, path: Path, machine: MachineName, under: bool) -> Result<Job> {
    Ok(match under {
        true => kernel.under(programs(path)?.stub(), machine, LIMIT),
        false => kernel.alone(machine, LIMIT),
    })
}

/// What both boots came to: without the stub, and under it.
fn both(job: impl Fn(bool) -> Result<Job> + Sync) -> Result<[Report; 2]> {
    thread::scope(|scope| {
        let alone = scope.spawn(|| boot::boot(&job(false)?, |_, _| ()));
        let under = boot::boot(&job(true)?, |_, _| ())?;
        let alone = alone.join().map_err(|_| anyhow!("the boot without the stub panicked"))??;
        Ok([alone, under])
    })
}

fn with_disk(job: Job) -> Job {
    let disk = Disk { bus: Bus::Ata, contents: Contents::Zeros { pages: 1024 }, flaws: Vec::new() };
    Job { disks: vec![disk], ..job }
}

fn count(report: &Report, name: &str) -> Result<u64> {
    let found = report.records.iter().find_map(|record| match record {
        Record::Count(Count { name: found, count }) if found == name => Some(*count),
        _ => None,
    });
    found.with_context(|| format!("no count of {name}"))
}

/// Warnings that come and go from boot to boot, with the stub or without: the kernel compares two clocks of QEMU, each of which
/// runs with the host's, and the host has other work too.
const BY_CHANCE: [&str; 2] =
    ["APIC calibration not consistent with PM-Timer", "PIT calibration deviates from HPET"];

/// The kernel warns of nothing under the stub that it does not warn of without.
fn no_more_warnings(alone: &Report, under: &Report) -> Result<()> {
    let warnings = |report: &Report| -> Vec<String> {
        let lines = report.lines.iter();
        let warnings = lines.filter_map(|line| Some(line.split_once("kernel warns: ")?.1));
        let by_chance = |line: &&str| BY_CHANCE.iter().any(|it| line.contains(it));
        warnings.filter(|line| !by_chance(line) && !is_state(line)).map(plain).collect()
    };
    let known = warnings(alone);
    let new: Vec<String> =
        warnings(under).into_iter().filter(|line| !known.contains(line)).collect();
    ensure!(new.is_empty(), "the kernel warns under the stub alone of: {}", new.join("; "));
    Ok(())
}

/// Whether a line is what a CPU had in its registers, below a warning that says more: `4 RSP: 0018:...`.
fn is_state(line: &str) -> bool {
    let first = line.split(' ').nth(1).and_then(|word| word.split_once(':'));
    first.is_some_and(|(name, _)| {
        name == "Code"
            || name.len() <= 6
                && name.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
    })
}

/// A line with all numbers alike: addresses and times differ.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    for word in line.split(' ') {
        let number = word.starts_with(|it: char| it.is_ascii_digit());
        plain.push_str(if number { "N" } else { word });
        plain.push(' ');
    }
    plain
}
