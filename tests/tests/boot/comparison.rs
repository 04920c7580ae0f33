//! Boots that compare methods.

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, MethodName, NestedPage, Plan, Rules, Swap};
use xtask::boot::Report;
use xtask::compare::{self, Asked, Document, Measured, Request};
use xtask::machines::choose::emulator;
use xtask::machines::{MachineName, Path};

use crate::case::{Case, Expected, of_plan};

/// A small comparison of all methods.
pub fn all(path: Path) -> Request {
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
        rules: vec![Rules::Tables],
        nested_page: NestedPage::Auto,
    }
}

/// Nested tables without large pages.
pub fn small_nested_pages(path: Path) -> Request {
    Request { nested_page: NestedPage::FourKib, ..usual(path) }
}

/// The usual methods on two CPUs.
pub fn several_usual(path: Path) -> Request {
    Request { cpus: 2, ..usual(path) }
}

/// Among spaces that have no part in it.
pub fn many_spaces(path: Path) -> Request {
    Request { spaces: 600, ..usual(path) }
}

/// All methods on several CPUs, which run programs and evict at once.
pub fn several<const CPUS: u32>(path: Path) -> Request {
    Request { cpus: CPUS, ..all(path) }
}

/// The methods to which the stub's rules matter, where the stub sets Accessed and Dirty.
pub fn typed(path: Path) -> Request {
    let methods = Asked::Named(List::new([MethodName::Alias, MethodName::Hypercall]).expect("two"));
    Request { methods, rules: vec![Rules::Typed], ..usual(path) }
}

/// The same where entries have them from the start.
pub fn typed_preset(path: Path) -> Request {
    Request { rules: vec![Rules::TypedPreset], ..typed(path) }
}

/// The same on two CPUs, which register tables and flush for each other.
pub fn several_typed(path: Path) -> Request {
    Request { cpus: 2, ..typed(path) }
}

fn plan_of(request: &Request, path: Path, machine: MachineName) -> Plan {
    request.plan(path, machine, rules_of(request, path))
}

/// A request of one boot has one rule set.
fn rules_of(request: &Request, path: Path) -> Rules {
    request.rules_on(path)[0]
}

pub fn comparison(path: Path, name: &str, request: fn(Path) -> Request) -> Case {
    comparison_on(emulator(path), path, name, request)
}

pub fn comparison_on(
    machine: MachineName,
    path: Path,
    name: &str,
    request: fn(Path) -> Request,
) -> Case {
    let job = move || of_plan(path, machine, plan_of(&request(path), path, machine));
    let check = move |report: &Report| nothing_wrong(path, machine, &request(path), report);
    Case::new(format!("{path}/{name}"), job, Expected::good(check))
}

/// The stub says by what pages it maps memory, looked up in its tables: of memory below 1 GiB, which the stub's own cuts, none
/// can be larger than 2 MiB.
pub fn nested_pages(name: &str, request: fn(Path) -> Request, largest: &'static str) -> Case {
    let (path, machine) = (Path::Svm, emulator(Path::Svm));
    let job = move || of_plan(path, machine, plan_of(&request(path), path, machine));
    let check = move |report: &Report| {
        let says = format!("nested pages of up to {largest}");
        ensure!(report.lines.iter().any(|line| line.contains(&says)), "it does not say '{says}'");
        nothing_wrong(path, machine, &request(path), report)
    };
    Case::new(format!("{path}/{name}"), job, Expected::good(check))
}

pub fn nothing_wrong(
    path: Path,
    machine: MachineName,
    request: &Request,
    report: &Report,
) -> Result<()> {
    let boot = Measured {
        nested_page: request.nested_page,
        path,
        rules: rules_of(request, path),
        machine,
        memory_mib: 0,
        report: report.clone(),
    };
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
pub fn has_pcids(path: Path, method: MethodName) -> bool {
    path == Path::Vmx || method != MethodName::SpaceSwitchPcid
}
