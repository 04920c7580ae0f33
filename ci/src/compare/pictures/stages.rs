//! Where the ticks go: a bar for each row, cut by stage.

use anyhow::Result;
use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, Rectangle, SVGBackend, SeriesLabelPosition, ShapeStyle,
    WHITE,
};

use super::{COLOURS, MeasuredRow, Picture, SIZE, integer};
use crate::compare::stages::stages;

/// Room for one bar.
const BAR_HEIGHT: u32 = 26;

/// Draws rows of one batch size.
pub fn stacked(rows: &[&MeasuredRow], batch: u32) -> Result<Picture> {
    let title = format!("Where the ticks go, batch {batch}");
    let mut svg = String::new();
    {
        let size = (SIZE.0, 110 + BAR_HEIGHT * rows.len() as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        let pieces = pieces(rows);
        let right = pieces.iter().map(|piece| piece.to).fold(1.0_f64, f64::max) * 1.2;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .caption(&title, ("sans-serif", 18))
            .x_label_area_size(40)
            .y_label_area_size(320)
            .build_cartesian_2d(0.0..right, -0.5..rows.len() as f64 - 0.5)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc("ticks a page (mean)")
            .y_labels(2 * rows.len())
            .label_style(("sans-serif", 14))
            .x_label_formatter(&integer)
            .y_label_formatter(&|height| label(rows, *height))
            .draw()?;
        for (number, stage) in STAGES.iter().enumerate() {
            let colour = COLOURS[number].filled();
            let bars = pieces.iter().filter(|piece| piece.stage == *stage);
            chart
                .draw_series(bars.map(|piece| piece.drawn(colour)))?
                .label(*stage)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour));
        }
        chart.configure_series_labels().position(SeriesLabelPosition::UpperRight).draw()?;
        area.present()?;
    }
    Ok(Picture { file: format!("stages-batch-{batch}.svg"), title, svg })
}

/// The stages in the order in which they happen.
const STAGES: [&str; 5] = ["find", "edit", "flush", "write", "release"];

/// A piece of a bar.
struct Piece {
    bar: usize,
    stage: &'static str,
    from: f64,
    to: f64,
}

impl Piece {
    fn drawn(&self, colour: ShapeStyle) -> Rectangle<(f64, f64)> {
        let middle = self.bar as f64;
        Rectangle::new([(self.from, middle - 0.3), (self.to, middle + 0.3)], colour)
    }
}

/// The first row is the topmost bar.
fn pieces(rows: &[&MeasuredRow]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (bar, row) in rows.iter().rev().enumerate() {
        let mut from = 0.0;
        for (stage, ticks) in stages(&row.row.ticks).into_iter().skip(1) {
            let to = from + ticks.mean;
            pieces.push(Piece { bar, stage, from, to });
            from = to;
        }
    }
    pieces
}

/// Labels stand at the middle of a bar.
fn label(rows: &[&MeasuredRow], height: f64) -> String {
    let is_middle = (height - height.round()).abs() < 0.01;
    let row = rows.iter().rev().nth(height.round() as usize).filter(|_| is_middle);
    row.map_or(String::new(), |row| {
        let (place, MeasuredRow { machine, row, .. }) = (row.place(), row);
        format!("{} on {place} ({machine}), sharers {}", row.method, row.sharers)
    })
}
