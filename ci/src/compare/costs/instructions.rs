//! How many instructions the work of a row takes: its own ticks on an emulator; on hardware those of a row of the same work.

use loadphys_plan::command_line::Swap;

use crate::compare::document::{Document, MeasuredRow};
use crate::compare::targets::counts_instructions;

/// The row that says how many instructions a page takes.
///
/// # Errors
/// Why none does.
pub fn counted<'d>(
    document: &'d Document,
    row: &'d MeasuredRow,
) -> Result<&'d MeasuredRow, &'static str> {
    if row.row.swap != Swap::Ram.name() {
        return Err("ticks while a disk works are no instructions");
    }
    if row.row.cpus != 1 {
        return Err("ticks of a round on several CPUs are not one CPU's instructions");
    }
    if counts_instructions(row) {
        return Ok(row);
    }
    let rows = || document.rows.iter().filter(|it| counts_instructions(it) && is_alike(it, row));
    let same_place = rows().find(|it| it.place() == row.place());
    let elsewhere = || rows().find(|it| !calls(it) && !calls(row));
    same_place
        .or_else(elsewhere)
        .ok_or("no row of the same work was measured where a tick is an instruction")
}

fn is_alike(one: &MeasuredRow, other: &MeasuredRow) -> bool {
    let work = |it: &MeasuredRow| {
        let row = &it.row;
        (row.method.clone(), row.swap.clone(), row.sharers, row.batch, row.cpus)
    };
    work(one) == work(other)
}

/// Whether the stub takes part. A method that it takes no part in is the same instructions on every path.
fn calls(row: &MeasuredRow) -> bool {
    row.row.events.vm_exits > 0.0
}
