//! Whether a comparison is good: all that was asked ran, nothing was lost, no promise was broken.

use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::{Record, Row};

use super::document::{Document, MeasuredRow};
use super::{Asked, Measured, Request};

/// A line for everything that is wrong.
pub fn wrong(request: &Request, boots: &[Measured], document: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    for boot in boots {
        let Measured { path, machine, report, .. } = boot;
        if let Err(reason) = report.verdict() {
            lines.push(format!("{path} on {machine}: {reason}"));
        }
        lines.extend(missing(request, boot));
    }
    lines.extend(document.rows.iter().flat_map(faults));
    lines.extend(nowhere(request, document));
    lines
}

/// Methods that have some rows on a boot but not all, or none without a record that says why.
fn missing(request: &Request, boot: &Measured) -> Vec<String> {
    let Measured { path, machine, .. } = boot;
    let wanted = request.rows_for_each_method();
    let mut lines = Vec::new();
    for method in request.named_on(*path) {
        let found = rows_of(boot, method);
        if found != wanted && !is_skipped(boot, method) {
            lines.push(format!("{path} on {machine}: {found} of {wanted} rows for {method}"));
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

/// Methods that were asked for by name and ran on no path; and skips where none is expected.
fn nowhere(request: &Request, document: &Document) -> Vec<String> {
    let ran = |name: &str| document.rows.iter().any(|row| row.row.method == name);
    let skips = document.skipped.iter().map(|row| &row.skipped);
    let counts = |method: &str| match &request.methods {
        Asked::All => false,
        Asked::Named(_) => !ran(method),
        Asked::Usual => true,
    };
    let skips = skips.filter(|skipped| counts(&skipped.method));
    skips.map(|it| format!("{} did not run on {}: {}", it.method, it.path, it.reason)).collect()
}

/// What a row itself shows to be wrong.
fn faults(measured: &MeasuredRow) -> Vec<String> {
    let row = &measured.row;
    let place = format!(
        "{} on {}, {}, sharers {}, batch {}",
        row.path, measured.machine, row.method, row.sharers, row.batch
    );
    let checks = [
        (row.lost > 0, format!("{} pages lost", row.lost)),
        (row.pages == 0, "no page was evicted".into()),
        (row.verified < row.pages, format!("{} of {} pages verified", row.verified, row.pages)),
        (breaks_promise(row), format!("{:.3} exits a page", row.events.vm_exits)),
    ];
    let failed = checks.into_iter().filter(|(failed, _)| *failed);
    failed.map(|(_, what)| format!("{place}: {what}")).collect()
}

/// The alias causes no exit; calls cause at most one for a batch.
fn breaks_promise(row: &Row) -> bool {
    let is = |method: MethodName| row.method == method.name();
    (is(MethodName::Alias) && row.events.vm_exits > 0.0)
        || (is(MethodName::Hypercall) && row.vm_exits_per_batch_max > 1)
}
