//! Targets of which rows show nothing: none is left out in silence.

use serde::Serialize;

use super::document::{Document, MeasuredRow};
use super::targets::{What, lines, why_no_line};
use super::{over_alias, under_stub};
use crate::machines::Path;

/// A target that was not measured everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmeasured {
    /// What would have been measured.
    pub what: What,
    /// Why it was not, and what would measure it.
    pub reason: String,
    /// Where it was not, although other targets were: method, path and machine. Empty if none was.
    pub rows: Vec<String>,
}

/// The targets of which some rows show nothing, or all.
pub fn unmeasured(document: &Document) -> Vec<Unmeasured> {
    let lines = lines(document);
    if lines.is_empty() {
        let reason = why_no_line(document);
        let none = |what| Unmeasured { what, reason: reason.clone(), rows: Vec::new() };
        return What::ALL.map(none).into_iter().chain(of_the_stub(document)).collect();
    }
    let mut all: Vec<Unmeasured> = Vec::new();
    for what in What::ALL {
        for line in &lines {
            let Err(reason) = what.of(&line.points) else { continue };
            note(&mut all, what, reason, line.first);
        }
    }
    all.extend(of_the_stub(document));
    all
}

/// One line more for what is not measured for the same reason.
fn note(all: &mut Vec<Unmeasured>, what: What, reason: &str, row: &MeasuredRow) {
    let row = place(row);
    match all.iter_mut().find(|it| (it.what, it.reason.as_str()) == (what, reason)) {
        Some(known) => known.rows.push(row),
        None => all.push(Unmeasured { what, reason: reason.into(), rows: vec![row] }),
    }
}

fn of_the_stub(document: &Document) -> impl Iterator<Item = Unmeasured> {
    without_alias(document).into_iter().chain(without_bare(document)).chain(uncounted(document))
}

/// The gate is measured against the alias.
fn without_alias(document: &Document) -> Option<Unmeasured> {
    let pairs = over_alias::pairs(document);
    let alone = pairs.iter().filter(|pair| pair.measured().is_none());
    let rows: Vec<_> = alone.map(|pair| place(pair.gate)).collect();
    let reason = "there is no row of alias beside it (--methods alias,gate measures it)".into();
    (!rows.is_empty()).then_some(Unmeasured { what: What::GateOverAlias, reason, rows })
}

/// Rows under the stub are measured against those of bare metal on the same machine, where instructions are counted.
fn without_bare(document: &Document) -> Vec<Unmeasured> {
    let mut all = Vec::new();
    for alone in under_stub::all(document).iter().filter(|it| it.percent.is_none()) {
        let (path, machine) = (&alone.row.row.path, alone.row.machine);
        let reason = match under_stub::has_bare_s_cpu(alone.row) {
            true => format!(
                "there is no row of bare beside it (--path bare,{path} --machine {machine} measures it)"
            ),
            false => {
                format!(
                    "{machine} has another CPU for bare (--path bare,{path} without --machine measures it)"
                )
            }
        };
        note(&mut all, What::UnderStub, &reason, alone.row);
    }
    all
}

/// Exits of a guest that calls nobody are counted in boots of their own.
fn uncounted(document: &Document) -> Vec<Unmeasured> {
    let stub = document.rows.iter().any(|it| it.row.path != Path::Bare.name());
    if !document.activities.is_empty() || !stub {
        return Vec::new();
    }
    let reason = "exits were not counted (--exits counts them)";
    let what = [What::IdleExits, What::BusyExits];
    what.map(|what| Unmeasured { what, reason: reason.into(), rows: Vec::new() }).into()
}

fn place(row: &MeasuredRow) -> String {
    format!("{} on {} ({})", row.row.method, row.place(), row.machine)
}

/// A line each, for people.
pub fn unmeasured_told(all: &[Unmeasured]) -> Vec<String> {
    let told = |it: &Unmeasured| {
        let rows =
            if it.rows.is_empty() { String::new() } else { format!(": {}", it.rows.join(", ")) };
        format!("not measured: {}: {}{rows}", it.what.told(), it.reason)
    };
    all.iter().map(told).collect()
}
