//! The pictures of a report.

mod lines;
mod stages;

use anyhow::Result;
use plotters::prelude::RGBColor;

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

/// Colours that are told apart and stand out on white, enough for every method on one path.
const COLOURS: [RGBColor; 11] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(178, 134, 0),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(90, 90, 90),
    RGBColor(23, 190, 207),
    RGBColor(255, 127, 14),
    RGBColor(0, 60, 110),
];

/// A label of an axis.
fn integer(value: &f64) -> String {
    format!("{value:.0}")
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
