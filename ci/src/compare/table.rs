//! The table that people read.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, Table};

use super::document::{Document, MeasuredRow};

/// Headings of the columns that name a row.
pub(super) const NAMES: [&str; 5] = ["machine", "path", "method", "sharers", "batch"];

/// Headings of the columns that hold figures.
pub(super) const FIGURES: [&str; 12] = [
    "p50", "p99", "mean", "find", "edit", "flush", "write", "release", "exits", "flushes", "IPIs",
    "ratio",
];

/// All rows.
pub fn table(rows: &[MeasuredRow]) -> Table {
    let mut table = empty();
    table.set_header(NAMES.iter().chain(&FIGURES));
    for row in rows {
        table.add_row(
            names(row).into_iter().map(Cell::new).chain(figures(row).into_iter().map(right)),
        );
    }
    table
}

/// A table in the style of all.
pub(super) fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table
}

/// What the checks came to, in words.
pub fn verdict(document: &Document) -> String {
    let Document { rows, verified, lost, audits, conformance, .. } = document;
    let lost = if *lost == 0 { "none".into() } else { lost.to_string() };
    format!(
        "{} rows, {verified} pages verified, {lost} lost, {audits} audits and {conformance} conformance checks passed",
        rows.len()
    )
}

fn right(figure: String) -> Cell {
    Cell::new(figure).set_alignment(CellAlignment::Right)
}

/// What names a row.
pub(super) fn names(measured: &MeasuredRow) -> [String; 5] {
    let row = &measured.row;
    [
        measured.machine.to_owned(),
        row.path.to_string(),
        row.method.to_string(),
        row.sharers.to_string(),
        row.batch.to_string(),
    ]
}

/// A row's figures: ticks per page in whole, then by stage (means); events per page; the ratio.
pub(super) fn figures(measured: &MeasuredRow) -> [String; 12] {
    let (ticks, events) = (&measured.row.ticks, &measured.row.events);
    let whole = |figure: f64| format!("{figure:.0}");
    [
        whole(ticks.total.p50),
        whole(ticks.total.p99),
        whole(ticks.total.mean),
        whole(ticks.find.mean),
        whole(ticks.edit.mean),
        whole(ticks.flush.mean),
        whole(ticks.write.mean),
        whole(ticks.release.mean),
        format!("{:.3}", events.vm_exits),
        format!("{:.2}", events.invlpgs + events.root_writes),
        format!("{:.2}", events.ipis),
        ratio(measured),
    ]
}

/// Marked if the base was measured elsewhere.
fn ratio(measured: &MeasuredRow) -> String {
    let here = format!("{} {}", measured.machine, measured.row.path);
    match (measured.ratio, &measured.ratio_to) {
        (Some(ratio), Some(base)) if *base == here => format!("{ratio:.2}"),
        (Some(ratio), _) => format!("{ratio:.2}*"),
        (None, _) => "-".into(),
    }
}
