//! The pictures of a report.

mod lines;
mod stages;

use anyhow::Result;

use super::document::MeasuredRow;

/// One picture.
pub struct Picture {
    /// The name of its file.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// Width and height of a picture.
const SIZE: (u32, u32) = (900, 420);

/// Draws what the rows give reason for.
pub fn draw(rows: &[MeasuredRow]) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for batch in values(rows, |row| row.row.batch) {
        let chosen: Vec<&MeasuredRow> = rows.iter().filter(|row| row.row.batch == batch).collect();
        pictures.push(lines::by_sharers(&chosen, batch)?);
        pictures.push(stages::stacked(&chosen, batch)?);
    }
    Ok(pictures)
}

/// The different values, ascending.
fn values<'a>(
    rows: impl IntoIterator<Item = &'a MeasuredRow>,
    value: impl Fn(&MeasuredRow) -> u32,
) -> Vec<u32> {
    let mut values: Vec<u32> = rows.into_iter().map(value).collect();
    values.sort_unstable();
    values.dedup();
    values
}
