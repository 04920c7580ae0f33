//! Boots that must fail, and say why.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, MethodName, Methods, Plan, PlanName, Rules};
use loadphys_plan::records::counts;
use xtask::boot::{Job, Module, Report};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, LIMIT, of_plan};
use crate::programs::{broken, programs};
use crate::torture::short_torture;

/// How long a guest is watched that is to hang.
const HANG_LIMIT: Duration = Duration::from_secs(8);

/// What the guest says of a stack that overflows into its guard page.
const OVERFLOW: &str = "double fault in the kernel (a stack has overflowed)";

/// What the guest says of a word that it does not know.
const UNKNOWN: &str = "unknown key 'frobnicate=1': there is plan methods";

/// All of them.
pub fn cases() -> Vec<Case> {
    let failure = |says| Expected::Failure { says };
    let mut cases = vec![
        Case::of_plan(Path::Bare, PlanName::StackOverflow, failure(OVERFLOW)),
        Case::of_plan(Path::Vmx, PlanName::StackOverflow, failure(OVERFLOW)),
        Case::of_plan(
            Path::Vmx,
            PlanName::TripleFault,
            failure("stub: triple fault of the guest: "),
        ),
        Case::new("bare/hang", hang, Expected::OverTime),
        Case::new("bare/unknown-word", || unknown_word(Path::Bare), failure(UNKNOWN)),
        Case::new("vmx/unknown-word", || unknown_word(Path::Vmx), failure(UNKNOWN)),
        Case::new(
            "bare/little-memory",
            || little_memory(Path::Bare),
            failure("memory too small: "),
        ),
        Case::new(
            "vmx/little-memory",
            || little_memory(Path::Vmx),
            failure("the boot loader says: error: out of memory"),
        ),
        Case::new(
            "vmx/guest-is-no-elf",
            no_elf,
            failure("is no kernel: neither PVH or multiboot 1 ELF nor Linux bzImage"),
        ),
        Case::new(
            "vmx/no-guest",
            no_guest,
            failure("no guest: the first module has to be the guest's kernel"),
        ),
        Case::new("vmx/no-vmx", no_guests, failure("offers no VMX")),
        Case::of_plan(Path::Svm, PlanName::StackOverflow, failure(OVERFLOW)),
        Case::of_plan(
            Path::Svm,
            PlanName::TripleFault,
            failure("stub: triple fault of the guest: "),
        ),
        Case::new("svm/unknown-word", || unknown_word(Path::Svm), failure(UNKNOWN)),
        Case::new("svm/typed", || typed(Path::Svm), failure("rules that were asked for cannot")),
        Case::new(
            "bare/broken-keep-pcids",
            keeps_pcids,
            failure("as after a reset or triple fault"),
        ),
        Case::new(
            "bare/broken-skip-flush-torture",
            || with_guest(short_torture(Path::Bare)?, broken("broken-skip-flush")?),
            Expected::Caught(unflushed_or_astray),
        ),
    ];
    // QEMU forgets so much under SVM that a flush that is left out does no harm.
    for path in [Path::Bare, Path::Vmx] {
        for method in methods(path) {
            cases.push(broken_guest(path, *method, "broken-skip-flush", unflushed));
            cases.push(broken_guest(path, *method, "broken-free-before-flush", harmed));
        }
        cases.push(not_conforming(
            path,
            "broken-skip-flush",
            "eviction: space 0 still reaches page",
        ));
        cases.push(not_conforming(path, "broken-tlb-flush", "the TLB still answers for page"));
    }
    cases
}

/// Physical mode with PCIDs left on, on the emulator that has them.
fn keeps_pcids() -> Result<Job> {
    let methods = Methods::Named(List::new([MethodName::PagingOff]).expect("one name"));
    let plan = Plan { plan: PlanName::Probe, methods, ..Plan::default() };
    with_guest(of_plan(Path::Bare, MachineName::Bochs, plan)?, broken("broken-keep-pcids")?)
}

/// Methods whose broken twins are booted.
const fn methods(path: Path) -> &'static [MethodName] {
    match path {
        Path::Bare => &[MethodName::Recursive],
        Path::Vmx | Path::Svm => &[MethodName::Alias, MethodName::Hypercall],
    }
}

fn hang() -> Result<Job> {
    let plan = Plan { plan: PlanName::Hang, ..Plan::default() };
    let job = of_plan(Path::Bare, MachineName::QemuTcg, plan)?;
    Ok(Job { time_limit: HANG_LIMIT, ..job })
}

/// The probe on the machine that every host has for a path.
fn probe(path: Path) -> Result<Job> {
    let machine = emulator(path);
    Ok(Job::probe(path, machine, programs(path)?, LIMIT))
}

fn unknown_word(path: Path) -> Result<Job> {
    let mut job = probe(path)?;
    let line = format!("{} frobnicate=1", job.line);
    if let Some(module) = &mut job.module {
        module.line = line.clone();
    }
    Ok(Job { line, ..job })
}

/// Enough for firmware and boot loader, not for what they load.
fn little_memory(path: Path) -> Result<Job> {
    let memory_mib = match path {
        // The kernel's image ends at 5.5 MiB; in less it has no place to say so.
        Path::Bare => 6,
        Path::Vmx | Path::Svm => 32,
    };
    Ok(Job { memory_mib, ..probe(path)? })
}

fn no_elf() -> Result<Job> {
    let job = probe(Path::Vmx)?;
    let file = xtask::workspace::root().join("Cargo.toml");
    let module = Module { file, line: String::new() };
    Ok(Job { module: Some(module), ..job })
}

fn no_guest() -> Result<Job> {
    Ok(Job { module: None, ..probe(Path::Vmx)? })
}

/// The stub on a CPU that runs no guests.
fn no_guests() -> Result<Job> {
    let job = Job::probe(Path::Vmx, MachineName::QemuTcg, programs(Path::Vmx)?, LIMIT);
    Ok(Job { cpu: Some("max,-svm"), ..job })
}

/// Rules that the stub cannot check on this CPU.
fn typed(path: Path) -> Result<Job> {
    let plan = Plan { plan: PlanName::Probe, rules: Rules::Typed, ..Plan::default() };
    of_plan(path, emulator(path), plan)
}

/// A guest that is broken by a feature, of which the conformance checks say this before anything is measured.
fn not_conforming(path: Path, feature: &'static str, says: &'static str) -> Case {
    let methods = Methods::Named(List::new([methods(path)[0]]).expect("one name"));
    let plan = Plan { pages: 64, methods, ..Plan::default() };
    let job = move || with_guest(of_plan(path, emulator(path), plan.clone())?, broken(feature)?);
    Case::new(format!("{path}/{feature}-conformance"), job, Expected::Failure { says })
}

/// A guest that is broken by a feature, on a path by a method, and what its records must show when no conformance check
/// comes before.
fn broken_guest(
    path: Path,
    method: MethodName,
    feature: &'static str,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let methods = Methods::Named(List::new([method]).expect("one name"));
    let plan = Plan { pages: 64, methods, conformance: false, ..Plan::default() };
    let job = move || {
        let job = of_plan(path, emulator(path), plan.clone())?;
        with_guest(job, broken(feature)?)
    };
    Case::new(format!("{path}/{feature}-{method}"), job, Expected::Caught(check))
}

/// The same boot of another guest.
pub fn with_guest(mut job: Job, guest: PathBuf) -> Result<Job> {
    match &mut job.module {
        Some(module) => module.file = guest,
        None => job.kernel = guest,
    }
    Ok(job)
}

/// A page was lost, or a probe found a stale translation: a record counts them, or the reason does.
fn harmed(report: &Report) -> Result<()> {
    let counts = [counts::LOST, counts::STALE].map(|name| report.count(name).unwrap_or(0));
    let reason = report.verdict().err().unwrap_or_default();
    let told = number_before(&reason, "lost").max(number_before(&reason, "stale"));
    ensure!(counts.iter().any(|count| *count > 0) || told > 0, "nothing lost or stale: {reason}");
    Ok(())
}

/// As above; or the kernel noticed by itself: pages were written that no table maps, or another root was to be loaded
/// before the flush. (Bochs looks up a program's page anew whenever the kernel reads it under SMAP, so there a probe sees nothing
/// stale.)
fn unflushed(report: &Report) -> Result<()> {
    let reason = report.verdict().err().unwrap_or_default();
    let noticed = [
        "the rest was written through stale translations",
        "stale translations are flushed before another root is loaded",
    ];
    if noticed.iter().any(|words| reason.contains(words)) {
        return Ok(());
    }
    harmed(report)
}

/// As above; or programs went astray on stale translations and were ended, which no fault of the device explains.
fn unflushed_or_astray(report: &Report) -> Result<()> {
    let reason = report.verdict().err().unwrap_or_default();
    let astray = number_before(&reason, "programs");
    if astray > 0 { Ok(()) } else { unflushed(report) }
}

/// The number that stands before a word, as in "64 lost" or "64 pages lost"; 0 if there is none.
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split([' ', ',', ';']).collect();
    let places = (0..words.len()).filter(|place| words[*place] == word);
    let number = |back: usize, place: usize| words.get(place.checked_sub(back)?)?.parse().ok();
    places.filter_map(|place| number(1, place).or(number(2, place))).max().unwrap_or(0)
}
