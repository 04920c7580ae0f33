//! Boots that swap to disks: good ones, disks that carry no signature, and disks that fail (QEMU's blkdebug spoils
//! requests, its throttle leaves them undone).

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, Plan, PlanName, Rules, Swap};
use loadphys_plan::records::counts;
use loadphys_plan::work::{PRIVATE_PAGES, swap_pages};
use xtask::boot::{Job, Report};
use xtask::compare::Request;
use xtask::disks::{Bus, Contents, Disk, Flaw};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, of_plan};
use crate::comparison::{nothing_wrong, usual};
use crate::counted::{exactly, nothing_lost};
use crate::hostile::with_guest;
use crate::programs::broken;

/// Pages that the programs of a boot share.
const PAGES: u64 = 40;

/// Programs of plan `disk-faults`, and how often they want all their pages.
const SHARERS: u64 = 3;
const ROUNDS: u64 = 2;

/// A slot that holds a page which one program has for itself.
const ONE_PROGRAM_S: u32 = 2;

/// All of them.
pub fn cases() -> Vec<Case> {
    let (bare, vmx, svm) = (Path::Bare, Path::Vmx, Path::Svm);
    let (qemu, bochs) = (MachineName::QemuTcg, MachineName::Bochs);
    let mut cases = vec![
        comparison("bare/swap-virtio", bare, qemu, Swap::Virtio),
        comparison("bare/swap-ata", bare, qemu, Swap::Ata),
        comparison("bare/swap-ata-bochs", bare, bochs, Swap::Ata),
        comparison("vmx/swap-ata", vmx, bochs, Swap::Ata),
        comparison("svm/swap-virtio", svm, qemu, Swap::Virtio),
        comparison("svm/swap-ata", svm, qemu, Swap::Ata),
    ];
    for swap in [Swap::Virtio, Swap::Ata] {
        let unsigned = "has no loadphys swap signature; `cargo xtask swap-image` makes";
        cases.push(refused("unsigned", swap, Contents::Zeros { pages: 1000 }, unsigned));
        let small = "has 126 pages of swap, 501 are needed";
        cases.push(refused("small", swap, Contents::Swap { pages: 126 }, small));
        for (name, flaw, check) in flaws() {
            cases.push(faulty(name, swap, flaw, check));
        }
    }
    for (name, flaw, check) in flaws().into_iter().skip(2) {
        cases.push(trusting(name, flaw, check));
    }
    let missing = Expected::Failure { says: "there is no virtio disk" };
    cases.push(Case::new(
        "bare/swap-virtio-missing",
        move || job(bare, qemu, Swap::Virtio, 0, Vec::new()),
        missing,
    ));
    cases
}

type Check = fn(&Report) -> Result<()>;

/// What is wrong with a disk, and what must come of it.
fn flaws() -> [(&'static str, Option<Flaw>, Check); 5] {
    let error = |writes, once: bool| {
        let page = (!once).then_some(ONE_PROGRAM_S);
        Some(Flaw::Error { writes, page, once })
    };
    [
        ("sound", None, all_kept),
        ("write-error-once", error(true, true), all_kept),
        ("write-error", error(true, false), one_stays),
        ("read-error", error(false, false), one_program_ends),
        ("stuck", Some(Flaw::StuckWrites), dead),
    ]
}

/// A small comparison of the usual methods.
fn comparison(name: &'static str, path: Path, machine: MachineName, swap: Swap) -> Case {
    let request = move || Request { swap, ..usual(path) };
    let job = move || {
        let plan = request().plan(path, machine, Rules::Tables);
        let pages = swap_pages(&plan) + 1;
        Ok(Job {
            disks: disks(swap, Contents::Swap { pages }, None),
            ..of_plan(path, machine, plan)?
        })
    };
    let check = move |report: &Report| nothing_wrong(path, machine, &request(), report);
    Case::new(name, job, Expected::good(check))
}

/// A boot of plan `disk-faults`, which wants so many slots (0 is as many as it needs), with these disks.
fn job(
    path: Path,
    machine: MachineName,
    swap: Swap,
    swap_pages: u32,
    disks: Vec<Disk>,
) -> Result<Job> {
    let sharers = List::new([SHARERS as u32]).expect("one number");
    let (plan, pages) = (PlanName::DiskFaults, PAGES as u32);
    let plan = Plan { plan, pages, sharers, swap, swap_pages, swap_timeout: 1, ..Plan::default() };
    Ok(Job { disks, ..of_plan(path, machine, plan)? })
}

fn disks(swap: Swap, contents: Contents, flaw: Option<Flaw>) -> Vec<Disk> {
    let bus = Bus::of(swap).expect("these tests are of disks");
    vec![Disk { bus, contents, flaws: flaw.into_iter().collect() }]
}

/// A disk that the guest must refuse.
fn refused(what: &str, swap: Swap, contents: Contents, says: &'static str) -> Case {
    let job = move || {
        let disks = disks(swap, contents.clone(), None);
        job(Path::Bare, emulator(Path::Bare), swap, 500, disks)
    };
    Case::new(format!("bare/swap-{swap}-{what}"), job, Expected::Failure { says })
}

/// A disk that fails.
fn faulty(name: &str, swap: Swap, flaw: Option<Flaw>, check: Check) -> Case {
    let job = move || {
        let disks = disks(swap, Contents::Swap { pages: 200 }, flaw);
        job(Path::Bare, emulator(Path::Bare), swap, 0, disks)
    };
    Case::new(format!("bare/swap-{swap}-{name}"), job, Expected::good(check))
}

/// A guest that does not look at what the device says of a request: the test of the same disk must notice.
fn trusting(name: &str, flaw: Option<Flaw>, check: Check) -> Case {
    let job = move || {
        let disks = disks(Swap::Virtio, Contents::Swap { pages: 200 }, flaw);
        let job = job(Path::Bare, emulator(Path::Bare), Swap::Virtio, 0, disks)?;
        with_guest(job, broken("broken-trust-disk")?)
    };
    let unnoticed = move |report: &Report| {
        ensure!(check(report).is_err(), "nothing was noticed");
        Ok(())
    };
    Case::new(format!("bare/broken-trust-disk-{name}"), job, Expected::good(unnoticed))
}

/// Programs, evictions and failed writes that there must be; and so many pages verified, none lost.
fn came_to(report: &Report, [ended, write_failures, evicted, verified]: [u64; 4]) -> Result<()> {
    nothing_lost(report)?;
    for (name, wanted) in [
        (counts::ENDED_PROGRAMS, ended),
        (counts::FINISHED_PROGRAMS, SHARERS - ended),
        (counts::WRITE_FAILURES, write_failures),
        (counts::EVICTED, evicted),
        (counts::VERIFIED, verified),
    ] {
        exactly(report, name, wanted)?;
    }
    Ok(())
}

/// Pages of a program, and what goes to the disk in a round.
const OF_A_PROGRAM: u64 = PAGES + PRIVATE_PAGES;

/// Every page goes and comes back, in every round.
fn all_kept(report: &Report) -> Result<()> {
    came_to(report, [0, 0, ROUNDS * OF_A_PROGRAM, ROUNDS * SHARERS * OF_A_PROGRAM])
}

/// One page stays in memory in the first round; its slot is not used again, so that it goes in the second.
fn one_stays(report: &Report) -> Result<()> {
    came_to(report, [0, 1, ROUNDS * OF_A_PROGRAM - 1, ROUNDS * SHARERS * OF_A_PROGRAM])?;
    says(report, "swap: slot 2 of ")
}

/// In the first round every page goes. The program that has the page for itself wants all back and is ended there, with the slot
/// and the disk named, before it has verified anything; in the second round what it had back by then goes once more: its
/// pages go to the first slots in the order in which it wants them. The others verify all.
fn one_program_ends(report: &Report) -> Result<()> {
    let had_back = u64::from(ONE_PROGRAM_S) - 1;
    let evicted = OF_A_PROGRAM + had_back + PAGES;
    came_to(report, [1, 0, evicted, ROUNDS * (SHARERS - 1) * OF_A_PROGRAM])?;
    says(report, "slot 2 cannot be read (")
}

/// The first write goes through, that of what one program has alone, and nothing after it. That is gone with the disk, and the
/// program with it; the shared pages cannot be written, and stay.
fn dead(report: &Report) -> Result<()> {
    let told = report.lines.iter().filter(|line| line.contains("it counts as dead")).count();
    ensure!(told == 1, "the death of the disk was told {told} times");
    let failures = report.count(counts::WRITE_FAILURES).unwrap_or(0);
    ensure!(failures >= PAGES, "{failures} pages could not be written to a dead disk");
    nothing_lost(report)?;
    exactly(report, counts::ENDED_PROGRAMS, 1)?;
    exactly(report, counts::FINISHED_PROGRAMS, SHARERS - 1)?;
    exactly(report, counts::EVICTED, PRIVATE_PAGES)?;
    exactly(report, counts::VERIFIED, ROUNDS * (SHARERS - 1) * OF_A_PROGRAM)
}

fn says(report: &Report, what: &str) -> Result<()> {
    let said = report.lines.iter().any(|line| line.contains(what));
    ensure!(said, "no line says '{what}'");
    Ok(())
}
