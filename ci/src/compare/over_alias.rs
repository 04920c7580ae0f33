//! What the gate costs over the alias that is always there: rows of the two, side by side.

use loadphys_plan::command_line::MethodName;

use super::document::{Document, MeasuredRow};
use super::targets::has_batch;

/// A row of the gate, and the one of the alias beside it if there is one.
pub(super) struct Pair<'d> {
    /// Of the gate.
    pub gate: &'d MeasuredRow,
    alias: Option<&'d MeasuredRow>,
}

impl Pair<'_> {
    /// Instructions more for each batch.
    pub fn measured(&self) -> Option<f64> {
        let a_page = self.gate.row.ticks.total.mean - self.alias?.row.ticks.total.mean;
        Some(a_page * f64::from(self.gate.row.batch))
    }
}

/// One for each path of each machine: the rows with the fewest sharers.
pub(super) fn pairs(document: &Document) -> Vec<Pair<'_>> {
    let of = |method: MethodName| {
        document.rows.iter().filter(move |it| it.row.method == method.name() && has_batch(it))
    };
    let is_fewest = |gate: &&MeasuredRow| {
        of(MethodName::Gate)
            .all(|it| place(it) != place(gate) || it.row.sharers >= gate.row.sharers)
    };
    let pair = |gate| {
        let is_beside =
            |it: &&MeasuredRow| place(it) == place(gate) && it.row.sharers == gate.row.sharers;
        Pair { gate, alias: of(MethodName::Alias).find(is_beside) }
    };
    of(MethodName::Gate).filter(is_fewest).map(pair).collect()
}

fn place(it: &MeasuredRow) -> (&str, String) {
    (it.machine, it.place())
}
