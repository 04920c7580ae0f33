//! Machines on which the stub says of its CPU what the recorded CPU says of it.

use anyhow::{Context, Result, anyhow, ensure};
use loadphys_plan::command_line::{Plan, PlanName};
use loadphys_stub::fixtures::{Fixture, find};
use loadphys_stub::svm::offer;
use loadphys_stub::vmx::controls::{Controls, Missing, negotiate};
use xtask::boot::{Job, Report};
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, of_plan};

/// Names of recorded CPUs, and Bochs's names of its models: without views and 1 GiB pages, without XSAVES, with most of all.
const RUN: [(&str, &str); 3] = [
    ("bochs-arrandale", "corei5_arrandale_m520"),
    ("bochs-haswell", "corei7_haswell_4770"),
    ("bochs-tiger-lake", "tigerlake"),
];
/// Those that are not good enough, with and without EPT.
const DO_NOT_RUN: [(&str, &str); 2] =
    [("bochs-lynnfield", "corei5_lynnfield_750"), ("bochs-core2-penryn", "core2_penryn_t9600")];

/// All of them.
pub fn cases() -> Vec<Case> {
    let case = |(name, model), expected| {
        Case::new(format!("vmx/recorded-{name}"), move || boot(model), expected)
    };
    let runs = |cpu: (&'static str, _)| {
        case(cpu, Expected::good(move |report| is_as_recorded(cpu.0, report)))
    };
    let does_not = |cpu: (&'static str, _)| {
        let missing = chosen(cpu.0).map(|chosen| chosen.map_err(|missing| missing.to_string()));
        let says = missing.expect("a recorded CPU").expect_err("a CPU that is not good enough");
        case(cpu, Expected::Failure { says: says.leak() })
    };
    let mut cases: Vec<Case> = RUN.into_iter().map(runs).collect();
    cases.extend(DO_NOT_RUN.into_iter().map(does_not));
    let expected = Expected::good(|report| says(report, &absent_on_qemu()?));
    cases.push(Case::new("svm/recorded-qemu-tcg", boot_on_qemu, expected));
    cases
}

fn boot(model: &'static str) -> Result<Job> {
    let plan = Plan { plan: PlanName::Probe, ..Plan::default() };
    Ok(Job { cpu: Some(model), ..of_plan(Path::Vmx, MachineName::Bochs, plan)? })
}

fn fixture(name: &str) -> Result<Fixture<'static>> {
    let text = find(name).with_context(|| format!("no {name}"))?;
    Fixture::parse(text).map_err(|error| anyhow!("{name}: {error}"))
}

fn boot_on_qemu() -> Result<Job> {
    of_plan(Path::Svm, MachineName::QemuTcg, Plan { plan: PlanName::Probe, ..Plan::default() })
}

/// What the stub chooses on a recorded CPU.
fn chosen(name: &str) -> Result<std::result::Result<Controls, Missing>> {
    let capabilities = fixture(name)?.capabilities().map_err(|error| anyhow!("{name}: {error}"))?;
    Ok(negotiate(&capabilities, false))
}

fn is_as_recorded(name: &str, report: &Report) -> Result<()> {
    let controls = chosen(name)?.map_err(|missing| anyhow!("{name}: {missing}"))?;
    says(report, &controls.absent.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn absent_on_qemu() -> Result<Vec<String>> {
    let offer = fixture("qemu-tcg")?.offer().map_err(|error| anyhow!("{error}"))?;
    let setup = offer::negotiate(&offer).map_err(|missing| anyhow!("{missing}"))?;
    Ok(setup.absent.iter().map(ToString::to_string).collect())
}

/// Whether the stub said that these are absent, and no more.
fn says(report: &Report, absent: &[String]) -> Result<()> {
    let expected: Vec<String> = absent.iter().map(|absent| format!("stub: {absent}")).collect();
    let said = report.lines.iter().filter(|line| line.starts_with("stub: no '"));
    let said: Vec<&str> = said.map(String::as_str).collect();
    ensure!(said == expected, "the stub said {said:#?} instead of {expected:#?}");
    Ok(())
}
