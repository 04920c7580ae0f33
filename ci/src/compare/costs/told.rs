//! Projections as people read them.

use std::collections::BTreeSet;

use super::{Costs, Event, Processor, Projection, Range};
use crate::compare::table::NAMES;

/// A table and what must be known to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub title: &'static str,
    /// Headings.
    pub headings: Vec<String>,
    /// A line for each row.
    pub lines: Vec<Vec<String>>,
    /// What it is made from, and what is missing.
    pub notes: Vec<String>,
}

/// The projections of all rows; a column for each processor that has any.
pub fn costs_told(costs: &Costs) -> Told {
    let has_any = |it: &&Processor| of(costs, it).any(|row| row.cycles.is_some());
    let columns: Vec<&Processor> = costs.processors.iter().filter(has_any).collect();
    let on_hardware = costs.rows.iter().any(|row| row.measured.is_some());
    let measured = on_hardware.then(|| "measured cycles".to_owned());
    let names = NAMES.map(str::to_owned).into_iter().chain(["instructions".into()]);
    let projected = columns.iter().map(|it| format!("projected: {}", it.name));
    Told {
        title: costs.what,
        headings: names.chain(projected).chain(measured).collect(),
        lines: lines(costs, &columns, on_hardware),
        notes: notes(costs),
    }
}

/// Those on one processor.
fn of<'c>(costs: &'c Costs, processor: &Processor) -> impl Iterator<Item = &'c Projection> {
    let name = processor.name;
    costs.rows.iter().filter(move |row| row.processor == name)
}

fn lines(costs: &Costs, columns: &[&Processor], on_hardware: bool) -> Vec<Vec<String>> {
    let rows = costs.rows.chunk_by(|one, next| names(one) == names(next));
    let line = |row: &[Projection]| {
        let cell = |it: &&Processor| {
            let found = row.iter().find(|projection| projection.processor == it.name);
            found.map_or("-".into(), cell)
        };
        let instructions = row[0].instructions.map_or("-".into(), |count| format!("{count:.0}"));
        let measured = on_hardware.then(|| measured(&row[0]));
        let names = names(&row[0]).into_iter().chain([instructions]);
        names.chain(columns.iter().map(cell)).chain(measured).collect()
    };
    rows.map(line).collect()
}

fn names(it: &Projection) -> [String; 6] {
    let (machine, path, method) = (it.machine.to_owned(), it.path.clone(), it.method.clone());
    [machine, path, method, it.rules.clone(), it.sharers.to_string(), it.batch.to_string()]
}

fn cell(it: &Projection) -> String {
    let Some(Range { low, high }) = it.cycles else { return "-".into() };
    let error = it.measured.as_ref().and_then(|it| it.error_percent);
    let error = error.map(|Range { low, high }| format!(" (error {low:+.0} % to {high:+.0} %)"));
    format!("{low:.0} to {high:.0}{}", error.unwrap_or_default())
}

fn measured(it: &Projection) -> String {
    it.measured.as_ref().map_or("-".into(), |it| format!("{:.0} on {}", it.cycles, it.cpu))
}

fn notes(costs: &Costs) -> Vec<String> {
    let assumed = &costs.instructions_per_cycle;
    let ipc = format!(
        "instructions per cycle: {} to {}, {}",
        assumed.range.low, assumed.range.high, assumed.source
    );
    let left_out = format!("left out: {}", costs.left_out);
    let reasons: BTreeSet<_> = costs.rows.iter().filter_map(|row| row.reason).collect();
    let reasons = reasons.into_iter().map(|reason| format!("rows without a projection: {reason}"));
    let processors = costs.processors.iter().flat_map(|it| of_processor(costs, it));
    [ipc].into_iter().chain(processors).chain(reasons).chain([left_out]).collect()
}

/// The costs that its projections are made from, and those that some lack.
fn of_processor(costs: &Costs, it: &Processor) -> Vec<String> {
    let missing: BTreeSet<Event> =
        of(costs, it).flat_map(|row| row.not_published.iter().copied()).collect();
    let missing: Vec<String> = missing.iter().map(Event::to_string).collect();
    let lacks = format!("{}: not published: {}", it.name, missing.join(", "));
    let asked = of(costs, it).next().is_some();
    let units = it.units.iter().filter(|_| asked).map(|unit| {
        let Range { low, high } = unit.cycles;
        format!("{}: {} {low} to {high} cycles ({})", it.name, unit.event, unit.source)
    });
    units.chain((!missing.is_empty()).then_some(lacks)).collect()
}
