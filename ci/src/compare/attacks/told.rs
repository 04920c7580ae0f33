//! The matrix as people read it.

use super::{Matrix, MeasuredAttack};
use crate::compare::table;

/// What it is about.
pub(in crate::compare) const TITLE: &str = "What each method protects";

/// What cells say.
pub(in crate::compare) const KEY: &str = "yes, it is stopped; NO, it came through; -, untested; the number says by what, by which way, or why:";

/// Headings of the columns that name a line.
const NAMES: [&str; 3] = ["path", "method", "rules"];

/// The table and its notes; nothing if nothing was attacked.
pub fn attacks_told(attacks: &[MeasuredAttack]) -> Vec<String> {
    if attacks.is_empty() {
        return Vec::new();
    }
    let matrix = Matrix::of(attacks);
    let mut told = vec![format!("{TITLE}: is the attack stopped?"), grid(&matrix), KEY.to_owned()];
    told.extend(matrix.notes.iter().zip(1..).map(|(note, number)| format!("{number}: {note}")));
    told.extend(matrix.untried);
    told
}

fn grid(matrix: &Matrix) -> String {
    let mut grid = table::empty();
    grid.set_header(headings(matrix, "\n"));
    for (names, cells) in &matrix.lines {
        grid.add_row(names.iter().chain(cells));
    }
    grid.to_string()
}

/// Headings of all columns, names of attacks broken at their hyphens: columns are narrow.
pub(in crate::compare) fn headings(matrix: &Matrix, broken: &str) -> Vec<String> {
    let attacks = matrix.attacks.iter().map(|attack| attack.name().replace('-', broken));
    let attacks = attacks.map(|name| name.replace(&format!("ring{broken}3"), "ring-3"));
    NAMES.into_iter().map(str::to_owned).chain(attacks).collect()
}
