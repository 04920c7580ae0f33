//! Models of Bochs on which the stub says of its CPU what the recorded CPU says of it.

use anyhow::{Context, Result, anyhow, ensure};
use loadphys_plan::command_line::{Plan, PlanName};
use loadphys_stub::fixtures::{Fixture, find};
use loadphys_stub::vmx::controls::{Controls, Missing, negotiate};
use xtask::boot::{Job, Report};
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, of_plan};

/// Names of recorded CPUs, and Bochs's names of its models. The first three have no view, no XSAVES, all that there is.
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
    RUN.into_iter().map(runs).chain(DO_NOT_RUN.into_iter().map(does_not)).collect()
}

fn boot(model: &'static str) -> Result<Job> {
    let plan = Plan { plan: PlanName::Probe, ..Plan::default() };
    Ok(Job { cpu: Some(model), ..of_plan(Path::Vmx, MachineName::Bochs, plan)? })
}

/// What the stub chooses on a recorded CPU.
fn chosen(name: &str) -> Result<std::result::Result<Controls, Missing>> {
    let text = find(name).with_context(|| format!("no {name}"))?;
    let fixture = Fixture::parse(text).map_err(|error| anyhow!("{name}: {error}"))?;
    let capabilities = fixture.capabilities().map_err(|error| anyhow!("{name}: {error}"))?;
    Ok(negotiate(&capabilities, false))
}

fn is_as_recorded(name: &str, report: &Report) -> Result<()> {
    let controls = chosen(name)?.map_err(|missing| anyhow!("{name}: {missing}"))?;
    let expected: Vec<String> = controls.absent.iter().map(|it| format!("stub: {it}")).collect();
    let said = report.lines.iter().filter(|line| line.starts_with("stub: no '"));
    let said: Vec<&str> = said.map(String::as_str).collect();
    ensure!(said == expected, "the stub said {said:#?} instead of {expected:#?}");
    Ok(())
}
