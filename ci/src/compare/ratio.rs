//! Every row against `recursive`.

use loadphys_plan::command_line::MethodName;

use super::document::MeasuredRow;
use crate::machines::Path;

/// Fills in the ratios: to `recursive` of the same machine and path with as many sharers and as
/// large a batch, under the same rules if it ran under these; without such a row, to that of bare metal if its ticks are the same thing.
pub fn fill(rows: &mut [MeasuredRow]) {
    let bases: Vec<MeasuredRow> =
        rows.iter().filter(|row| row.row.method == MethodName::Recursive.name()).cloned().collect();
    for row in rows {
        let base = bases
            .iter()
            .find(|base| is_alike(base, row) && is_beside(base, row) && is_under(base, row))
            .or_else(|| bases.iter().find(|base| is_alike(base, row) && is_beside(base, row)))
            .or_else(|| bases.iter().find(|base| is_alike(base, row) && is_bare(base)));
        row.ratio = base.and_then(|base| quotient(row, base));
        row.ratio_to = base.map(|base| format!("{} {}", base.machine, base.row.path));
    }
}

fn is_alike(base: &MeasuredRow, row: &MeasuredRow) -> bool {
    (base.row.sharers, base.row.batch) == (row.row.sharers, row.row.batch)
}

fn is_beside(base: &MeasuredRow, row: &MeasuredRow) -> bool {
    base.machine == row.machine && base.row.path == row.row.path
}

/// Under the same rules.
fn is_under(base: &MeasuredRow, row: &MeasuredRow) -> bool {
    base.row.rules == row.row.rules
}

fn is_bare(base: &MeasuredRow) -> bool {
    base.row.path == Path::Bare.name()
}

fn quotient(row: &MeasuredRow, base: &MeasuredRow) -> Option<f64> {
    let quotient = row.row.ticks.total.mean / base.row.ticks.total.mean;
    quotient.is_finite().then_some(quotient)
}
