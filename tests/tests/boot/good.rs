//! Boots that must go well.

use anyhow::{Context, Result, ensure};
use loadphys_apps::course::Course;
use loadphys_plan::command_line::{Exit, List, MethodName, Methods, Plan, PlanName, Swap};
use loadphys_plan::records::{Machine, Record, counts};
use loadphys_plan::work::COURSE_EIGHTHS;
use loadphys_tests::hit_rates::faults_in_guest;
use xtask::boot::{Ending, Job, Report, USUAL_MEMORY_MIB};
use xtask::commands::image;
use xtask::compare::{self, Asked, Document, Measured, Request};
use xtask::evacuation;
use xtask::iso::{self, Menu};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, LIMIT, of_plan};
use crate::programs::{self, programs};

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        probe("bare/probe-pvh", Path::Bare, MachineName::QemuTcg, |report| {
            is(report, "bare", "pvh")
        }),
        probe("bare/probe-multiboot2", Path::Bare, MachineName::Bochs, |report| {
            is(report, "bare", "multiboot2")
        }),
        probe("vmx/probe", Path::Vmx, MachineName::Bochs, |report| is(report, "vmx", "pvh")),
        Case::of_plan(Path::Vmx, PlanName::BadCalls, Expected::good(bad_calls)),
        everything(Path::Bare, &[], USUAL_MEMORY_MIB, conforms),
        everything(Path::Vmx, &[], USUAL_MEMORY_MIB, conforms),
        everything(Path::Bare, &[], 5120, conforms_far_up),
        everything(Path::Vmx, &FAR_UP_ON_VMX, 4224, conforms_far_up),
        comparison(Path::Bare, "2-cpus", several::<2>),
        comparison(Path::Vmx, "2-cpus", several_usual),
        comparison(Path::Bare, "4-cpus", several::<4>),
        comparison_on(MachineName::Bochs, Path::Bare, "4-cpus-bochs", several::<4>),
        Case::new("bare/pressure-4-cpus-bochs", pressure_on_several, Expected::good(pressure)),
        comparison(Path::Bare, "600-spaces", many_spaces),
        Case::new("bare/courses", courses, Expected::good(as_predicted)),
        Case::new("bare/power-off", power_off, Expected::good(powered_off)),
        Case::new("vmx/cpus", cpus, Expected::good(|_| Ok(()))),
        Case::new("vmx/image", image, Expected::good(|report| is(report, "vmx", "pvh"))),
    ];
    for path in Path::ALL {
        cases.push(comparison(path, "compare", usual));
        cases.push(comparison(path, "compare-all", all));
        cases.push(Case::of_plan(path, PlanName::Pressure, Expected::good(pressure)));
        cases.push(Case::of_plan(
            path,
            PlanName::BadProgram,
            Expected::good(move |it| bad_program(path, it)),
        ));
        cases.push(full(path));
        cases.push(evacuate(path, 1));
        cases.push(torture(path));
    }
    cases.push(evacuate(Path::Bare, 2));
    cases
}

fn probe(
    name: &'static str,
    path: Path,
    machine: MachineName,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let plan = Plan { plan: PlanName::Probe, ..Plan::default() };
    Case::new(name, move || of_plan(path, machine, plan.clone()), Expected::good(check))
}

/// Methods of the boot with much memory on Bochs, which takes its time: each tells of others that are alike.
const FAR_UP_ON_VMX: [MethodName; 4] =
    [MethodName::PagingOff, MethodName::Recursive, MethodName::Hypercall, MethodName::Alias];

/// The conformance of these methods, or of all.
fn everything(
    path: Path,
    methods: &'static [MethodName],
    memory_mib: u32,
    check: fn(&Report) -> Result<()>,
) -> Case {
    let job = move || {
        let named = List::new(methods.iter().copied()).map(Methods::Named);
        let methods = named.filter(|_| !methods.is_empty()).unwrap_or(Methods::All);
        let plan = Plan { plan: PlanName::Probe, methods, pages: 32, ..Plan::default() };
        Ok(Job { memory_mib, ..of_plan(path, emulator(path), plan)? })
    };
    Case::new(format!("{path}/conformance-{memory_mib}-mib"), job, Expected::good(check))
}

/// Methods passed checks, all of them equally many, and those that leave the TLB alone would have shown a missing flush.
fn conforms(report: &Report) -> Result<()> {
    let [methods, passed, untested, sees] =
        [counts::CHECKS, counts::CONFORMANCE, counts::UNTESTED, counts::ORACLE_SEES]
            .map(|name| count(report, name));
    let (methods, passed, untested, sees) = (methods?, passed?, untested?, sees?);
    ensure!(methods > 0 && passed > 0, "{methods} methods passed {passed} checks");
    ensure!((passed + untested) % methods == 0, "{passed} + {untested} checks, {methods} methods");
    ensure!(sees > 0, "the TLB oracle is blind");
    ensure!(count(report, counts::NMIS)? >= methods, "there were too few NMIs");
    Ok(())
}

/// The same, and every method was seen to reach tables above 4 GiB or to refuse; so there is nothing that was not tried.
fn conforms_far_up(report: &Report) -> Result<()> {
    conforms(report)?;
    exactly(report, counts::ABOVE_4GIB, count(report, counts::CHECKS)?)?;
    exactly(report, counts::UNTESTED, 0)
}

/// QEMU, which is told of the end by ACPI only.
fn power_off() -> Result<Job> {
    let mut job = Job::probe(Path::Bare, MachineName::QemuTcg, programs(Path::Bare)?, LIMIT);
    job.line = Plan { plan: PlanName::Probe, exit: Exit::Acpi, ..Plan::default() }.to_string();
    Ok(job)
}

/// Four CPUs under the stub, and a guest that starts them all and ends well only if all that it tries goes well.
fn cpus() -> Result<Job> {
    let machine = MachineName::Bochs;
    let mut job = Job::probe(Path::Vmx, machine, programs(Path::Vmx)?, LIMIT);
    job.module.as_mut().context("the stub has a guest")?.file = programs::cpus()?;
    Ok(Job { cpus: 4, ..job })
}

/// The disc that `cargo xtask image` writes, of which the entry with the stub is chosen.
fn image() -> Result<Job> {
    let job = Job::probe(Path::Vmx, MachineName::Bochs, programs(Path::Vmx)?, LIMIT);
    let image = xtask::workspace::target().join("boot-test.iso");
    let entries = image::entries(programs(Path::Vmx)?, &job.line);
    iso::write(&image, &Menu { entries: &entries, chosen: 1, seconds: 1 })?;
    Ok(Job { image: Some(image), ..job })
}

/// QEMU ends with 0 after a power-off, and only then as well as the guest's good end.
fn powered_off(report: &Report) -> Result<()> {
    ensure!(report.ending == Ending::ByItself(Some(0)), "it ended with {:?}", report.ending);
    Ok(())
}

/// The guest found itself on this path, loaded this way.
fn is(report: &Report, path: &str, loader: &str) -> Result<()> {
    let found = machine(report)?;
    ensure!(found.path == path, "the guest found path {}", found.path);
    ensure!(found.loader == loader, "the guest found loader {}", found.loader);
    Ok(())
}

fn machine(report: &Report) -> Result<&Machine> {
    let machine = report.records.iter().find_map(|record| match record {
        Record::Machine(machine) => Some(machine),
        _ => None,
    });
    machine.context("no machine record")
}

/// A small comparison of all methods.
fn all(path: Path) -> Request {
    Request { methods: Asked::All, pages: 24, ..usual(path) }
}

/// A small comparison of the usual methods.
pub fn usual(path: Path) -> Request {
    let list = |values: &[u32]| List::new(values.iter().copied()).expect("different numbers");
    Request {
        paths: vec![path],
        methods: Asked::Usual,
        sharers: list(&[1, 3]),
        batch: list(&[1, 7]),
        pages: 40,
        seed: 42,
        swap: Swap::Ram,
        cpus: 1,
        spaces: 0,
    }
}

/// The usual methods on two CPUs.
fn several_usual(path: Path) -> Request {
    Request { cpus: 2, ..usual(path) }
}

/// Among spaces that have no part in it.
fn many_spaces(path: Path) -> Request {
    Request { spaces: 600, ..usual(path) }
}

/// CPUs that are short of frames at the same time; on QEMU they hardly meet.
fn pressure_on_several() -> Result<Job> {
    let plan = Plan { plan: PlanName::Pressure, cpus: 4, ..Plan::default() };
    of_plan(Path::Bare, MachineName::Bochs, plan)
}

/// All methods on several CPUs, which run programs and evict at once.
fn several<const CPUS: u32>(path: Path) -> Request {
    Request { cpus: CPUS, ..all(path) }
}

fn comparison(path: Path, name: &str, request: fn(Path) -> Request) -> Case {
    comparison_on(emulator(path), path, name, request)
}

fn comparison_on(
    machine: MachineName,
    path: Path,
    name: &str,
    request: fn(Path) -> Request,
) -> Case {
    let job = move || of_plan(path, machine, request(path).plan(path, machine));
    let check = move |report: &Report| nothing_wrong(path, machine, &request(path), report);
    Case::new(format!("{path}/{name}"), job, Expected::good(check))
}

pub fn nothing_wrong(
    path: Path,
    machine: MachineName,
    request: &Request,
    report: &Report,
) -> Result<()> {
    let boot = Measured { path, machine, memory_mib: 0, report: report.clone() };
    let document = compare::gather(request, &[boot], String::new());
    ensure!(document.wrong.is_empty(), "{}", document.wrong.join("; "));
    every_method(path, request, &document)
}

/// Of all methods, each that the path may have has all of its rows.
fn every_method(path: Path, request: &Request, document: &Document) -> Result<()> {
    let all = MethodName::ALL.iter().filter(|_| request.methods == Asked::All);
    let all = all.filter(|method| request.cpus == 1 || method.works_on_several_cpus());
    for method in all.filter(|method| path.may_have(**method) && has_pcids(path, **method)) {
        let rows = document.rows.iter().filter(|row| row.row.method == method.name()).count();
        let wanted = request.rows_for_each_method();
        ensure!(rows == wanted, "{rows} of {wanted} rows for {method}");
    }
    Ok(())
}

/// QEMU's emulated CPU has none.
fn has_pcids(path: Path, method: MethodName) -> bool {
    path == Path::Vmx || method != MethodName::SpaceSwitchPcid
}

fn count(report: &Report, name: &str) -> Result<u64> {
    report.count(name).with_context(|| format!("no count '{name}'"))
}

fn pressure(report: &Report) -> Result<()> {
    ensure!(count(report, counts::EVICTED)? > 0, "nothing was evicted");
    ensure!(count(report, counts::FAULTED_IN)? > 0, "nothing came back");
    ensure!(count(report, counts::PREEMPTIONS)? > 0, "the timer interrupted no program");
    nothing_lost(report)
}

/// A program follows all courses through few pages.
fn courses() -> Result<Job> {
    let plan = Plan { plan: PlanName::Courses, pages: 512, ..Plan::default() };
    of_plan(Path::Bare, MachineName::QemuTcg, plan)
}

/// Faults by which a course may differ from what the same choice of victims comes to on the host, of a hundred touches. The
/// first course has as many; later ones begin where the hands have been left.
const DIFFERENCE: u64 = 1;

/// The same of a loop, which depends on where the hands begin more than others.
const DIFFERENCE_OF_LOOP: u64 = 4;

/// Every course has met as many faults as predicted, or nearly.
fn as_predicted(report: &Report) -> Result<()> {
    let courses = report.records.iter().filter_map(|record| match record {
        Record::Course(course) => Some(course),
        _ => None,
    });
    for (number, told) in courses.clone().enumerate() {
        let predicted = faults_in_guest(told).context("an unknown course")?;
        let faults = told.first_touches + told.from_swap;
        let most = match (number, told.course.as_str()) {
            (0, _) => 0,
            (_, "loop") => told.touches * DIFFERENCE_OF_LOOP / 100,
            _ => told.touches * DIFFERENCE / 100,
        };
        ensure!(
            faults.abs_diff(predicted) <= most,
            "{} in {} frames: {faults} faults, not {predicted}",
            told.course,
            told.frames
        );
    }
    let (found, wanted) = (courses.count(), Course::ALL.len() * COURSE_EIGHTHS.len());
    ensure!(found == wanted, "{found} of {wanted} courses");
    nothing_lost(report)
}

/// On bare metal all bad programs are ended and the two sharers finish; under the stub the one that
/// calls it is refused and finishes too.
fn bad_program(path: Path, report: &Report) -> Result<()> {
    let names = [counts::ENDED_PROGRAMS, counts::FINISHED_PROGRAMS, counts::REFUSED_CALLS];
    let wanted = match path {
        Path::Bare => [8, 2, 0],
        Path::Vmx => [7, 3, 1],
    };
    for (name, wanted) in names.into_iter().zip(wanted) {
        exactly(report, name, wanted)?;
    }
    nothing_lost(report)
}

pub fn exactly(report: &Report, name: &str, wanted: u64) -> Result<()> {
    let found = count(report, name)?;
    ensure!(found == wanted, "{name}: {found}, not {wanted}");
    Ok(())
}

/// Swap holds less than half of what is to be evicted.
fn full(path: Path) -> Case {
    let plan = Plan { plan: PlanName::SwapFull, swap_pages: 100, ..Plan::default() };
    let job = move || of_plan(path, emulator(path), plan.clone());
    Case::new(format!("{path}/swap-full"), job, Expected::good(swap_full))
}

/// Methods that evacuate on Bochs, which takes its time: those of the stub, one that does all by itself, and one
/// that tags what it visits.
const EVACUATING_ON_VMX: [MethodName; 4] =
    [MethodName::Alias, MethodName::Hypercall, MethodName::Recursive, MethodName::SpaceSwitchPcid];

/// Tables and pages of running programs move, freed frames are poisoned and stale translations probed. Other CPUs have run the
/// programs before, and run them again where they are then.
fn evacuate(path: Path, cpus: u32) -> Case {
    let named = || List::new(EVACUATING_ON_VMX).expect("different methods");
    let job = move || {
        let methods = if path == Path::Bare { Methods::All } else { Methods::Named(named()) };
        let sharers = List::new([3]).expect("one number");
        let plan =
            Plan { plan: PlanName::Evacuate, methods, sharers, pages: 96, cpus, ..Plan::default() };
        of_plan(path, emulator(path), plan)
    };
    let on = if cpus > 1 { format!("-cpus-{cpus}") } else { String::new() };
    let check = move |report: &Report| evacuated(path, cpus, report);
    Case::new(format!("{path}/evacuate{on}"), job, Expected::good(check))
}

fn evacuated(path: Path, cpus: u32, report: &Report) -> Result<()> {
    let named = |method: &&MethodName| {
        (path != Path::Vmx || EVACUATING_ON_VMX.contains(method))
            && (cpus == 1 || method.works_on_several_cpus())
    };
    let all = MethodName::ALL.iter().filter(named);
    let wanted = all.filter(|it| path.may_have(**it) && has_pcids(path, **it)).count();
    let is_evacuation = |record: &&Record| matches!(record, Record::Evacuation(_));
    let found = report.records.iter().filter(is_evacuation).count();
    ensure!(found == wanted, "{found} of {wanted} methods evacuated");
    let wrong = evacuation::wrong(report);
    ensure!(wrong.is_none(), "{wrong:?}");
    exactly(report, counts::STALE, 0)?;
    ensure!(count(report, counts::PREEMPTIONS)? > 0, "the timer interrupted no program");
    nothing_lost(report)
}

/// Random work on two CPUs with a swap that fails at random.
fn torture(path: Path) -> Case {
    Case::new(format!("{path}/torture"), move || short_torture(path), Expected::good(tortured))
}

/// A boot of plan `torture` that takes seconds.
pub fn short_torture(path: Path) -> Result<Job> {
    let named = [MethodName::Recursive, MethodName::Mirror, MethodName::Alias];
    let methods = Methods::Named(List::new(named).expect("different methods"));
    let (plan, pages, rounds, faults) = (PlanName::Torture, 48, 6, 150);
    let plan =
        Plan { plan, methods, pages, rounds, faults, cpus: 2, swap_pages: 1024, ..Plan::default() };
    of_plan(path, emulator(path), plan)
}

/// Everything happened, what failed was told apart from what was done wrong, and nothing was lost.
fn tortured(report: &Report) -> Result<()> {
    for name in [
        counts::EVICTED,
        counts::FAULTED_IN,
        counts::EVACUATED,
        counts::FORKS,
        counts::DEVICE_FAULTS,
        counts::CORRUPTED,
        counts::WRITE_FAILURES,
        counts::ENDED_BY_DEVICE,
    ] {
        ensure!(count(report, name)? > 0, "nothing is counted as {name}");
    }
    exactly(report, counts::ENDED_PROGRAMS, count(report, counts::ENDED_BY_DEVICE)?)?;
    exactly(report, counts::STALE, 0)?;
    nothing_lost(report)
}

fn swap_full(report: &Report) -> Result<()> {
    ensure!(count(report, counts::SWAP_FULL_REFUSALS)? > 0, "no eviction was refused");
    nothing_lost(report)
}

pub fn nothing_lost(report: &Report) -> Result<()> {
    ensure!(count(report, counts::VERIFIED)? > 0, "no page was verified");
    ensure!(count(report, counts::LOST)? == 0, "pages were lost");
    Ok(())
}

/// Every call of the plan but the one that registers the table and the one that finds another value;
/// and the batch that stops.
const REFUSED: u64 = 21;

fn bad_calls(report: &Report) -> Result<()> {
    exactly(report, counts::REFUSED_CALLS, REFUSED)?;
    exactly(report, counts::WRONG_ANSWERS, 0)
}
