//! The table that people read.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, Table};
use loadphys_plan::records::NO_RULES;

use super::costs::Told;
use super::document::{Document, MeasuredRow};
use super::peers::PeerRow;

/// Headings of the columns that name a row.
pub(super) const NAMES: [&str; 6] = ["machine", "path", "method", "rules", "sharers", "batch"];

/// Headings of the columns that hold figures.
const FIGURES: [&str; 12] = [
    "p50", "p99", "mean", "find", "edit", "flush", "write", "release", "exits", "flushes", "IPIs",
    "ratio",
];

/// The heading of a further column, where Linux was measured too.
const TO_LINUX: &str = "to Linux";

/// All rows, those of peers last.
pub fn table(document: &Document) -> Table {
    let mut table = empty();
    table.set_header(headings(document));
    for line in lines(document) {
        let cell =
            |(column, text)| if column < NAMES.len() { Cell::new(text) } else { right(text) };
        table.add_row(line.into_iter().enumerate().map(cell));
    }
    table
}

/// Projections of all rows.
pub fn costs_table(told: &Told) -> Table {
    let mut table = empty();
    table.set_header(&told.headings);
    for line in &told.lines {
        let cell = |(column, text): (usize, &String)| {
            if column < NAMES.len() { Cell::new(text) } else { right(text.clone()) }
        };
        table.add_row(line.iter().enumerate().map(cell));
    }
    table
}

/// Headings of all columns.
pub(super) fn headings(document: &Document) -> Vec<&'static str> {
    let further = (!document.peers.is_empty()).then_some(TO_LINUX);
    NAMES.into_iter().chain(FIGURES).chain(further).collect()
}

/// The texts of all rows.
pub(super) fn lines(document: &Document) -> Vec<Vec<String>> {
    let further = |text| (!document.peers.is_empty()).then_some(text);
    let ours = document.rows.iter().map(|row| {
        let to_linux = further(to_linux(row));
        names(row).into_iter().chain(figures(row)).chain(to_linux).collect()
    });
    let peers = document.peers.iter().map(|row| {
        let itself = further("1.00".into());
        peer_names(row).into_iter().chain(peer_figures(row)).chain(itself).collect()
    });
    ours.chain(peers).collect()
}

/// A table in the style of all.
pub(super) fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table
}

/// What the checks came to, in words.
pub fn verdict(document: &Document) -> String {
    let Document { verified, lost, audits, conformance, .. } = document;
    let lost = if *lost == 0 { "none".into() } else { lost.to_string() };
    format!(
        "{} rows, {verified} pages verified, {lost} lost, {audits} audits and {conformance} conformance checks passed",
        document.rows.len() + document.peers.len()
    )
}

fn right(figure: String) -> Cell {
    Cell::new(figure).set_alignment(CellAlignment::Right)
}

/// What names a row.
fn names(measured: &MeasuredRow) -> [String; 6] {
    let row = &measured.row;
    [
        measured.machine.to_owned(),
        row.path.to_string(),
        row.method.to_string(),
        row.rules.to_string(),
        row.sharers.to_string(),
        row.batch.to_string(),
    ]
}

/// What names a peer's row.
fn peer_names(row: &PeerRow) -> [String; 6] {
    let (sharers, batch) = (row.record().sharers.to_string(), row.record().batch.to_string());
    let rules = NO_RULES.to_owned();
    [row.machine.to_owned(), row.path.to_owned(), row.method.clone(), rules, sharers, batch]
}

/// A peer's figures, as far as they are known: it ran with nothing below it, on one CPU.
fn peer_figures(row: &PeerRow) -> [String; 12] {
    let mut figures = FIGURES.map(|_| "-".to_owned());
    let ticks = row.ticks();
    for (figure, ticks) in figures.iter_mut().zip([ticks.p50, ticks.p99, ticks.mean]) {
        *figure = format!("{ticks:.0}");
    }
    figures[8] = "0.000".into();
    figures[10] = "0.00".into();
    if let Some(ratio) = row.ratio {
        figures[11] = format!("{ratio:.2}");
    }
    figures
}

/// A row's figures: ticks per page in whole, then by stage (means); events per page; the ratio.
fn figures(measured: &MeasuredRow) -> [String; 12] {
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

/// To three places, since it may be far below one.
fn to_linux(measured: &MeasuredRow) -> String {
    measured.ratio_to_linux.map_or("-".into(), small_ratio)
}

/// A ratio that may be far below one.
pub(super) fn small_ratio(ratio: f64) -> String {
    format!("{ratio:.3}")
}
