//! Whether a comparison is good: all that was asked ran, nothing was lost, no promise was broken.

use loadphys_abi::batch::MOST_ITEMS;
use loadphys_plan::command_line::{MethodName, Rules};
use loadphys_plan::records::{Record, Row, Skipped, counts};
use loadphys_plan::work;

use super::document::Document;
use super::request::rounds;
use super::{Asked, Measured, Request, conformance};
use crate::machines::{MachineName, Path};

/// Views of roots that every machine has: the stub makes one for each MiB.
const LEAST_VIEWS: u32 = Path::Vmx.least_memory_mib();

/// A line for everything that is wrong.
pub fn wrong(request: &Request, boots: &[Measured], document: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    for boot in boots {
        let Measured { machine, report, .. } = boot;
        if let Err(reason) = report.verdict() {
            lines.push(format!("{}: {reason}", boot.name()));
        }
        lines.extend(missing(request, boot));
        lines.extend(skipped(request, boot));
        lines.extend(counts_wrong(boot));
        let rows = boot.report.records.iter().filter_map(|record| match record {
            Record::Row(row) => Some(row),
            _ => None,
        });
        lines.extend(rows.flat_map(|row| faults(request, *machine, row)));
    }
    lines.extend(conformance::faults(boots, document));
    lines
}

/// Methods that have some rows on a boot but not all, or none without a record that says why.
fn missing(request: &Request, boot: &Measured) -> Vec<String> {
    let (path, boot_name) = (boot.path, boot.name());
    let wanted = request.rows_for_each_method();
    let mut lines = Vec::new();
    for method in request.named_on(path) {
        let found = rows_of(boot, method);
        if found != wanted && !is_skipped(boot, method) {
            lines.push(format!("{boot_name}: {found} of {wanted} rows for {method}"));
        }
    }
    lines
}

fn rows_of(boot: &Measured, method: MethodName) -> usize {
    let is_one =
        |record: &&Record| matches!(record, Record::Row(row) if row.method == method.name());
    boot.report.records.iter().filter(is_one).count()
}

fn is_skipped(boot: &Measured, method: MethodName) -> bool {
    let is_one =
        |record: &Record| matches!(record, Record::Skipped(it) if it.method == method.name());
    boot.report.records.iter().any(is_one)
}

/// Skips of methods that were asked for on a path which may have them; `all` asks for none.
fn skipped(request: &Request, boot: &Measured) -> Vec<String> {
    let skips = boot.report.records.iter().filter_map(|record| match record {
        Record::Skipped(it) => Some(it),
        _ => None,
    });
    let asked = request.methods != Asked::All;
    let skips = skips.filter(|it| asked && is_expected(request, boot.rules, it));
    skips.map(|it| format!("{} did not run on {}: {}", it.method, it.path, it.reason)).collect()
}

/// What the counts of a boot show to be wrong: audits must have been, and nothing found.
fn counts_wrong(boot: &Measured) -> Vec<String> {
    let Measured { report, .. } = boot;
    let count = |name| report.count(name);
    let checks = [
        (count(counts::AUDITS).unwrap_or(0) == 0, "no audit was recorded".to_owned()),
        (count(counts::AUDIT_FAULTS).unwrap_or(0) > 0, "an audit found a fault".into()),
        (count(counts::STALE) != Some(0), found(count(counts::STALE), "stale translations")),
        (count(counts::LOST) != Some(0), found(count(counts::LOST), "lost pages")),
    ];
    // A boot that failed before its end has no counts, and one line that says so is enough.
    let failed = checks.into_iter().filter(|(failed, _)| *failed && report.verdict().is_ok());
    failed.map(|(_, what)| format!("{}: {what}", boot.name())).collect()
}

fn found(count: Option<u64>, what: &str) -> String {
    count.map_or(format!("no count of {what}"), |count| format!("{count} {what}"))
}

/// What a row itself shows to be wrong.
fn faults(request: &Request, machine: MachineName, row: &Row) -> Vec<String> {
    let Row { path, method, rules, sharers, batch, swap, .. } = row;
    let Row { cpus, spaces, pages, verified, lost, .. } = row;
    let place =
        format!("{path} on {machine}, {method}, rules {rules}, sharers {sharers}, batch {batch}");
    let rounds = rounds(machine);
    let evicted = u64::from(request.pages) * u64::from(rounds);
    let expected = work::verified(*sharers, request.pages, rounds);
    let checks = [
        (swap != request.swap.name(), format!("swap {swap}, not {}", request.swap)),
        (*cpus != request.cpus, format!("{cpus} of {} CPUs", request.cpus)),
        (*spaces < request.spaces, format!("{spaces} of {} spaces", request.spaces)),
        (*lost > 0, format!("{lost} pages lost")),
        (*pages != evicted, format!("{pages} of {evicted} pages evicted")),
        (*verified != expected, format!("{verified} of {expected} pages verified")),
        (breaks_promise(row), format!("{:.3} exits a page", row.events.vm_exits)),
    ];
    let failed = checks.into_iter().filter(|(failed, _)| *failed);
    failed.map(|(_, what)| format!("{place}: {what}")).collect()
}

/// Whether a method is one that its path may have, on so many CPUs, under these rules: where every edit is a call, there are no
/// views to edit in.
fn is_expected(request: &Request, rules: Rules, skipped: &Skipped) -> bool {
    let edits_in_views = |method| matches!(method, MethodName::Gate | MethodName::RootView);
    let path = Path::named(&skipped.path).ok();
    let method: Option<MethodName> = skipped.method.parse().ok();
    path.zip(method).is_none_or(|(path, method)| {
        path.may_have(method)
            && (request.cpus == 1 || method.works_on_several_cpus())
            && (rules == Rules::Tables || !edits_in_views(method))
    })
}

/// Exits a page by what CPUs tell each other, where the stub takes the stores to their local APICs: three for an interrupt, who
/// it is for, the command, and its end. Each CPU is told once to stand still while a row is measured.
fn by_interrupts(row: &Row) -> f64 {
    const STORES: f64 = 3.0;
    let others = f64::from(row.cpus.saturating_sub(1));
    let exits = STORES * (row.events.ipis + others / row.pages as f64);
    if row.path == Path::Svm.name() { exits } else { 0.0 }
}

/// Alias, where one may write to it, and gate cause no exit but those; views of roots one when they are asked for, and are not asked for again while there
/// are enough; calls cause at most one for as many operations as one takes.
fn breaks_promise(row: &Row) -> bool {
    let is = |method: MethodName| row.method == method.name();
    let calls = (u64::from(row.sharers) * u64::from(row.batch)).div_ceil(MOST_ITEMS as u64);
    let writable = row.rules == Rules::Tables.name();
    let free = is(MethodName::Alias) && writable || is(MethodName::Gate);
    let calls_for_each = is(MethodName::Hypercall) || is(MethodName::Alias) && !writable;
    let asks = row.events.vm_exits * row.pages as f64;
    let are_enough = row.spaces <= LEAST_VIEWS;
    (free && row.events.vm_exits > by_interrupts(row))
        || (is(MethodName::RootView) && are_enough && asks > f64::from(row.spaces))
        || (calls_for_each && row.vm_exits_per_batch_max > calls)
}
