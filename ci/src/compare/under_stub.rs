//! What a method costs more under the stub than without: rows of one machine, on bare metal and on a path with a stub.

use std::collections::BTreeSet;

use loadphys_plan::command_line::Rules;

use super::document::{Document, MeasuredRow};
use super::targets::counts_instructions;
use crate::machines::{MachineName, Path};

/// A method on a path with a stub, and by how much its rows differ from those on bare metal.
pub(super) struct UnderStub<'d> {
    /// The row that differs most, or the first of those that have none beside them.
    pub row: &'d MeasuredRow,
    /// Percent, more than on bare metal; none if no row there is like any of these.
    pub percent: Option<f64>,
}

/// One for each method on each path with a stub that bare metal may have too.
pub(super) fn all(document: &Document) -> Vec<UnderStub<'_>> {
    let rows: Vec<&MeasuredRow> =
        document.rows.iter().filter(|it| counts_instructions(it) && is_under_stub(it)).collect();
    let methods: BTreeSet<_> = rows.iter().map(|it| place(it)).collect();
    let of = |place_of: &(&str, &str, &str)| {
        let all = rows.iter().filter(|it| place(it) == *place_of);
        let differ = all.map(|row| UnderStub { row, percent: percent(document, row) });
        differ.max_by(|one, other| size(one).total_cmp(&size(other)))
    };
    methods.iter().filter_map(of).collect()
}

/// A method that bare metal may have, under the usual rules: others have other work to do.
fn is_under_stub(row: &MeasuredRow) -> bool {
    let method = row.row.method.parse();
    let bare_may = method.is_ok_and(|method| Path::Bare.may_have(method));
    bare_may && row.row.path != Path::Bare.name() && row.row.rules == Rules::Tables.name()
}

fn place(it: &MeasuredRow) -> (&str, &str, &str) {
    (it.machine, &it.row.path, &it.row.method)
}

/// Rows that have none beside them come last.
fn size(it: &UnderStub<'_>) -> f64 {
    it.percent.map_or(-1.0, f64::abs)
}

fn percent(document: &Document, row: &MeasuredRow) -> Option<f64> {
    let alike = has_bare_s_cpu(row);
    let bare = document.rows.iter().find(|it| alike && is_beside(it, row))?;
    let percent = (row.row.ticks.total.mean / bare.row.ticks.total.mean - 1.0) * 100.0;
    percent.is_finite().then_some(percent)
}

/// Whether bare metal of the same machine has the same CPU. QEMU's has SVM on any path; in Bochs models of Intel's and AMD's CPUs copy pages
/// by other instructions.
pub(super) fn has_bare_s_cpu(row: &MeasuredRow) -> bool {
    (row.machine, &*row.row.path) != (MachineName::Bochs.name(), Path::Svm.name())
}

/// Whether a row is of bare metal and of the same work.
fn is_beside(bare: &MeasuredRow, row: &MeasuredRow) -> bool {
    let work = |it: &MeasuredRow| {
        let row = &it.row;
        let size = (row.sharers, row.batch, row.cpus, row.spaces, row.pages);
        (it.machine, row.method.clone(), row.swap.clone(), size)
    };
    bare.row.path == Path::Bare.name() && work(bare) == work(row)
}
