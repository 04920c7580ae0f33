//! The cost model: what measured events would cost on processors of which costs are published. These are projections: they stand apart from
//! what was measured, and change nothing of it.
//!
//! Cycles of a page are its instructions, divided by an assumed number of instructions per cycle, and for each event that costs more than an
//! instruction as many times what is published. A processor of which an event's cost is not published has no projection for rows with it.

mod instructions;
mod model;
mod told;
mod units;

use serde::Serialize;

pub use told::{Told, costs_told};

use super::document::{Document, MeasuredRow};
use super::targets::counts_instructions;
use instructions::counted;
use model::{IPC, cycles, error_percent, events};
use units::{Event, PROCESSORS, Processor, Range};

/// What this is, wherever it is told.
const WHAT: &str = "projected, not measured: cycles a page = instructions / instructions per cycle + events x published cost of each";

/// Where the instructions per cycle come from.
const IPC_SOURCE: &str = "an assumption without a source";

/// What the model leaves out.
const LEFT_OUT: &str = "misses of caches and TLBs, walks of two kinds of tables, atomic edits, interrupts and their returns, INVEPT: their costs are \
     not published by the event, or they are not counted";

/// All projections, and what they are made from.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    what: &'static str,
    instructions_per_cycle: Assumed,
    left_out: &'static str,
    processors: &'static [Processor],
    rows: Vec<Projection>,
}

/// A range that nobody has published.
#[derive(Clone, Copy, Debug, Serialize)]
struct Assumed {
    #[serde(flatten)]
    range: Range,
    source: &'static str,
}

/// One row on one processor.
#[derive(Clone, Debug, Serialize)]
struct Projection {
    machine: &'static str,
    path: String,
    method: String,
    rules: String,
    sharers: u32,
    batch: u32,
    processor: &'static str,
    /// Per page, and where they were counted.
    instructions: Option<f64>,
    instructions_from: Option<String>,
    /// Projected, per page.
    cycles: Option<Range>,
    /// Events of the row whose costs are not published for the processor.
    not_published: Vec<Event>,
    /// Why there is no projection on any processor.
    reason: Option<&'static str>,
    /// What the row cost where it was measured, if ticks there are cycles.
    measured: Option<Measured>,
}

/// Cycles that were measured, beside those that are projected.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    /// Mean per page.
    cycles: f64,
    /// The CPU they were measured on, which need not be the processor of the projection.
    cpu: String,
    /// The projection against it.
    error_percent: Option<Range>,
}

/// Projects every row on every processor that has its path.
pub fn costs(document: &Document) -> Costs {
    let of = |row: &MeasuredRow| {
        let processors = PROCESSORS.iter().filter(|it| it.has(&row.row.path));
        processors.map(|it| projection(document, row, it)).collect::<Vec<_>>()
    };
    Costs {
        what: WHAT,
        instructions_per_cycle: Assumed { range: IPC, source: IPC_SOURCE },
        left_out: LEFT_OUT,
        processors: &PROCESSORS,
        rows: document.rows.iter().flat_map(of).collect(),
    }
}

fn projection(document: &Document, it: &MeasuredRow, processor: &Processor) -> Projection {
    let counted = counted(document, it);
    let instructions = counted.ok().map(|from| from.row.ticks.total.mean);
    let projected = instructions.map(|count| cycles(count, &events(it), processor));
    let cycles = projected.as_ref().and_then(|it| it.as_ref().ok()).copied();
    Projection {
        machine: it.machine,
        path: it.row.path.to_string(),
        method: it.row.method.to_string(),
        rules: it.row.rules.to_string(),
        sharers: it.row.sharers,
        batch: it.row.batch,
        processor: processor.name,
        instructions,
        instructions_from: counted.ok().map(|from| format!("{} {}", from.machine, from.place())),
        cycles,
        not_published: projected.and_then(Result::err).unwrap_or_default(),
        reason: counted.err(),
        measured: measured(document, it, cycles),
    }
}

fn measured(document: &Document, it: &MeasuredRow, projected: Option<Range>) -> Option<Measured> {
    let cycles = it.row.ticks.total.mean;
    let cpus = document.machines.iter().filter(|machine| machine.id == it.machine);
    let cpus: Vec<&str> = cpus.map(|machine| &*machine.cpu).collect();
    (!counts_instructions(it)).then(|| Measured {
        cycles,
        cpu: cpus.join(" or "),
        error_percent: projected.and_then(|projected| error_percent(projected, cycles)),
    })
}
