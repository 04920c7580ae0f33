//! Targets of which rows show nothing: none is left out in silence.

use serde::Serialize;

use super::document::{Document, MeasuredRow};
use super::targets::{What, lines, why_no_line};

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
        return What::ALL.map(none).into();
    }
    let mut all: Vec<Unmeasured> = Vec::new();
    for what in What::ALL {
        for line in &lines {
            let Err(reason) = what.of(&line.points) else { continue };
            let row = place(line.first);
            match all.iter_mut().find(|it| (it.what, it.reason.as_str()) == (what, reason)) {
                Some(known) => known.rows.push(row),
                None => all.push(Unmeasured { what, reason: reason.into(), rows: vec![row] }),
            }
        }
    }
    all
}

fn place(MeasuredRow { machine, row, .. }: &MeasuredRow) -> String {
    format!("{} on {} ({machine})", row.method, row.path)
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
