//! What eviction is to cost at most, and whether it does. Targets are instructions: machines whose ticks are cycles are left out.

use comfy_table::{Cell, CellAlignment, Table};
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Peer as PeerRecord;
use serde::Serialize;

use super::activity::MeasuredActivity;
use super::document::{Document, MeasuredRow, place};
use super::peers::same_ticks;
use super::{over_alias, table, under_stub};
use crate::machines::MachineName;

/// Methods for which the targets are.
const METHODS: [MethodName; 3] = [MethodName::DirectMap, MethodName::Alias, MethodName::Recursive];

/// The batch for which they are.
const BATCH: u32 = 32;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Evicting a page with one sharer, with the copy.
    Evict,
    /// Each further sharer: the slope from the fewest sharers to the most.
    FurtherSharer,
    /// Bringing a page back from swap, with the fewest sharers.
    FaultIn,
    /// What a batch costs more through the gate than through the alias that is always there, with the fewest sharers.
    GateOverAlias,
    /// What any page costs more under the stub than on bare metal, by the same method, in percent.
    UnderStub,
    /// Exits in a second while all CPUs halt but for the timer.
    IdleExits,
    /// The same while programs compute and are evicted by a method that makes no calls.
    BusyExits,
}

impl What {
    /// Those that the rows of one method show.
    pub(super) const ALL: [Self; 3] = [Self::Evict, Self::FurtherSharer, Self::FaultIn];

    /// In instructions per page, at most, unless the member says otherwise.
    const fn limit(self) -> f64 {
        match self {
            Self::Evict => 900.0,
            Self::FurtherSharer => 60.0,
            Self::FaultIn => 1300.0,
            Self::GateOverAlias => 20.0,
            Self::UnderStub => 1.0,
            Self::IdleExits | Self::BusyExits => 0.0,
        }
    }

    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::Evict => "evict, 1 sharer",
            Self::FurtherSharer => "each further sharer",
            Self::FaultIn => "fault in",
            Self::GateOverAlias => "over alias, a batch",
            Self::UnderStub => "under the stub, percent",
            Self::IdleExits => "idle, exits a second",
            Self::BusyExits => "busy, exits a second",
        }
    }

    /// Whether a figure is within the limit: under the stub nothing may be much cheaper either, since that would be other work.
    fn is_met(self, measured: f64) -> bool {
        let size = if self == Self::UnderStub { measured.abs() } else { measured };
        size <= self.limit()
    }

    /// The figure that rows of one method, or of a peer, show.
    ///
    /// # Errors
    /// Why they show none, and what would.
    pub(super) fn of(self, points: &[Point]) -> Result<f64, &'static str> {
        let fewest = points.iter().min_by_key(|point| point.sharers).ok_or("there is no row")?;
        let most = points.iter().max_by_key(|point| point.sharers).unwrap_or(fewest);
        match self {
            Self::Evict if fewest.sharers == 1 => Ok(fewest.evict),
            Self::Evict => Err("no row has 1 sharer (--sharers 1 measures it)"),
            Self::GateOverAlias => Err("it takes rows of two methods"),
            Self::UnderStub => Err("it takes rows of two paths"),
            Self::IdleExits | Self::BusyExits => Err("no row shows it"),
            Self::FaultIn => Ok(fewest.fault_in),
            Self::FurtherSharer if most.sharers == fewest.sharers => {
                Err("all rows have the same number of sharers (--sharers 1,8 measures it)")
            }
            Self::FurtherSharer => {
                Ok((most.evict - fewest.evict) / f64::from(most.sharers - fewest.sharers))
            }
        }
    }
}

/// Means of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    sharers: u32,
    evict: f64,
    fault_in: f64,
}

impl From<&MeasuredRow> for Point {
    fn from(MeasuredRow { row, .. }: &MeasuredRow) -> Self {
        Self { sharers: row.sharers, evict: row.ticks.total.mean, fault_in: row.fault_in.mean }
    }
}

impl From<&PeerRecord> for Point {
    fn from(row: &PeerRecord) -> Self {
        Self { sharers: row.sharers, evict: row.ticks.mean, fault_in: row.fault_in.mean }
    }
}

/// A target, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What is measured.
    pub what: What,
    /// The machine.
    pub machine: &'static str,
    /// What ran below the guest, with the rules if they are not the usual ones.
    pub path: String,
    /// The method.
    pub method: String,
    /// What it may be at most, in the unit of [`What`].
    pub limit: f64,
    /// What it is: a mean, or the worst of several.
    pub measured: f64,
    /// Whether that is within the limit.
    pub met: bool,
    /// The same of Linux in this run.
    pub linux: Option<f64>,
    /// What was measured, divided by Linux's.
    pub ratio_to_linux: Option<f64>,
}

/// A method on a path of a machine, and its rows.
pub(super) struct Line<'d> {
    /// The first of them.
    pub first: &'d MeasuredRow,
    /// What all of them show.
    pub points: Vec<Point>,
}

/// The targets of which the rows show something.
pub fn targets(document: &Document) -> Vec<Target> {
    let lines = lines(document);
    let of = |what: What| {
        let target = move |line: &Line<'_>| {
            let measured = what.of(&line.points).ok()?;
            Some(target(document, what, line.first, measured))
        };
        lines.iter().filter_map(target).collect::<Vec<_>>()
    };
    let over_alias = over_alias::pairs(document).into_iter().filter_map(|pair| {
        let measured = pair.measured()?;
        Some(target(document, What::GateOverAlias, pair.gate, measured))
    });
    let under_stub = under_stub::all(document).into_iter().filter_map(|it| {
        let percent = it.percent?;
        Some(target(document, What::UnderStub, it.row, percent))
    });
    let rows = What::ALL.into_iter().flat_map(of).chain(over_alias).chain(under_stub);
    rows.chain(document.activities.iter().map(of_activity)).collect()
}

/// Those for which the targets are.
pub(super) fn lines(document: &Document) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in document.rows.iter().filter(|row| is_in_question(row)) {
        match lines.iter_mut().find(|line| is_beside(line.first, row)) {
            Some(line) => line.points.push(row.into()),
            None => lines.push(Line { first: row, points: vec![row.into()] }),
        }
    }
    lines
}

/// Why there is no row for which the targets are.
pub(super) fn why_no_line(document: &Document) -> String {
    let rows = || document.rows.iter();
    if !rows().any(counts_instructions) {
        "no machine that was measured counts instructions".into()
    } else if !rows().any(|row| row.row.batch == BATCH) {
        format!("no row has batch {BATCH} (--batch {BATCH} measures it)")
    } else {
        let names = METHODS.map(|method| method.name()).join(", ");
        format!("no row with batch {BATCH} where ticks are instructions is of {names}")
    }
}

fn is_in_question(row: &MeasuredRow) -> bool {
    METHODS.iter().any(|method| row.row.method == method.name()) && has_batch(row)
}

/// Whether it has the batch for which the targets are, and its ticks are instructions.
pub(super) fn has_batch(row: &MeasuredRow) -> bool {
    row.row.batch == BATCH && counts_instructions(row)
}

/// Whether its ticks are instructions.
pub(super) fn counts_instructions(row: &MeasuredRow) -> bool {
    let instructions = |it: &MachineName| it.name() == row.machine && it.tick() == "instruction";
    MachineName::ALL.iter().any(instructions)
}

fn is_beside(line: &MeasuredRow, row: &MeasuredRow) -> bool {
    line.machine == row.machine
        && (line.place(), &line.row.method) == (row.place(), &row.row.method)
}

fn target(document: &Document, what: What, line: &MeasuredRow, measured: f64) -> Target {
    let peers = document.peers.iter().filter(|peer| same_ticks(peer.machine, line.machine));
    let points: Vec<Point> = peers.map(|peer| Point::from(peer.record())).collect();
    let linux = what.of(&points).ok();
    Target {
        what,
        machine: line.machine,
        path: line.place(),
        method: line.row.method.to_string(),
        limit: what.limit(),
        measured,
        met: what.is_met(measured),
        linux,
        ratio_to_linux: linux.map(|linux| measured / linux),
    }
}

fn of_activity(it: &MeasuredActivity) -> Target {
    let idle = it.activity.activity == "idle";
    let what = if idle { What::IdleExits } else { What::BusyExits };
    Target {
        what,
        machine: it.machine,
        path: place(&it.activity.path, it.rules),
        method: if idle { "-".into() } else { it.activity.method.to_string() },
        limit: what.limit(),
        measured: it.exits_per_second,
        met: what.is_met(it.exits_per_second),
        linux: None,
        ratio_to_linux: None,
    }
}

/// Headings of the table of targets.
pub(super) const HEADINGS: [&str; 9] =
    ["target", "machine", "path", "method", "at most", "measured", "", "Linux", "to Linux"];

/// As people read them.
pub fn targets_told(targets: &[Target]) -> Table {
    let mut table = table::empty();
    table.set_header(HEADINGS);
    for target in targets {
        let cells = cells(target).into_iter().enumerate();
        table.add_row(cells.map(|(column, text)| {
            let figure = matches!(column, 4 | 5 | 7 | 8);
            let align = if figure { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(align)
        }));
    }
    table
}

/// What rounds to zero from below has no sign.
fn unsigned_zero(figure: String) -> String {
    match figure.strip_prefix('-') {
        Some(size) if size.chars().all(|it| matches!(it, '0' | '.')) => size.to_owned(),
        _ => figure,
    }
}

/// A line of the table.
pub(super) fn cells(target: &Target) -> [String; 9] {
    let places = if target.what == What::UnderStub { 2 } else { 0 };
    let whole = |figure: f64| unsigned_zero(format!("{figure:.places$}"));
    [
        target.what.told().into(),
        target.machine.into(),
        target.path.clone(),
        target.method.clone(),
        whole(target.limit),
        whole(target.measured),
        if target.met { "met" } else { "missed" }.into(),
        target.linux.map_or("-".into(), whole),
        target.ratio_to_linux.map_or("-".into(), table::small_ratio),
    ]
}

#[cfg(test)]
mod tests {
    use super::unsigned_zero;

    #[test]
    fn zero_has_no_sign() {
        let told = ["-0.00", "0.00", "-0.01", "-0", "-223"].map(|it| unsigned_zero(it.into()));
        assert_eq!(told, ["0.00", "0.00", "-0.01", "0", "-223"]);
    }
}
