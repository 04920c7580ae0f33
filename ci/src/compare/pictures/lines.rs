//! Ticks per page over the number of sharers, a line for each path and method.

use anyhow::Result;
use plotters::chart::ChartContext;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, Circle, Color, IntoDrawingArea, LineSeries, PathElement,
    SVGBackend, SeriesLabelPosition, WHITE,
};

use super::{COLOURS, MeasuredRow, Picture, SIZE, integer};

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws rows of one batch size.
pub fn by_sharers(rows: &[&MeasuredRow], batch: u32) -> Result<Picture> {
    let title = format!("Ticks to evict a page by number of sharers, batch {batch}");
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (right, top) = extent(rows);
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .caption(&title, ("sans-serif", 18))
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..right, 0.0..top)?;
        chart
            .configure_mesh()
            .label_style(("sans-serif", 14))
            .x_desc("sharers")
            .y_desc("ticks a page (mean)")
            .x_labels(right as usize + 1)
            .x_label_formatter(&integer)
            .y_label_formatter(&integer)
            .draw()?;
        for (number, name) in names(rows).iter().enumerate() {
            line(&mut chart, rows, name, number)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
    }
    Ok(Picture { file: format!("sharers-batch-{batch}.svg"), title, svg })
}

fn extent(rows: &[&MeasuredRow]) -> (f64, f64) {
    let largest = |value: fn(&MeasuredRow) -> f64| {
        rows.iter().map(|row| value(row)).fold(1.0_f64, f64::max) * 1.1
    };
    (largest(|row| f64::from(row.row.sharers)), largest(|row| row.row.ticks.total.mean))
}

/// The lines, in the order of the rows.
fn names(rows: &[&MeasuredRow]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        let name = name(row);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn name(row: &MeasuredRow) -> String {
    format!("{} on {} ({})", row.row.method, row.place(), row.machine)
}

fn line(
    chart: &mut Chart<'_, '_>,
    rows: &[&MeasuredRow],
    wanted: &str,
    number: usize,
) -> Result<()> {
    let rows = rows.iter().filter(|row| name(row) == wanted);
    let mut points: Vec<(f64, f64)> =
        rows.map(|row| (f64::from(row.row.sharers), row.row.ticks.total.mean)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let colour = COLOURS[number % COLOURS.len()];
    let style = colour.stroke_width(2);
    chart
        .draw_series(LineSeries::new(points.clone(), style))?
        .label(wanted)
        .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, style.filled())))?;
    Ok(())
}
