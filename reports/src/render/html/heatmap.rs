//! Latency as a heat-map: how many requests took how long, moment by moment. Two populations, one fast and one slow, are two
//! bands here, where a line of percentiles jumps between them.

use crate::render::format;
use crate::render::html::frame::{Frame, Size};
use crate::render::html::slices::{ROWS_A_DECADE, Slices, row_from_ms};
use crate::render::svg::axis::Scale;
use crate::render::svg::label::width;
use crate::render::svg::{Anchor, Svg};
use crate::results::Results;

/// Shades from few requests to many; each is about so many times the one before.
pub const SHADES: usize = 5;

/// Requests by time and latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Width of a column, seconds.
    pub column_s: f64,
    /// The first row that holds anything; rows are those of [`crate::render::html::slices::Bin::rows`].
    pub first_row: usize,
    /// By column and row, from `first_row` on.
    pub cells: Vec<Vec<u64>>,
    /// The most requests in one cell.
    pub most: u64,
}

impl Heat {
    /// The cells of a run in at most so many columns; `None` without samples.
    pub fn of(slices: &Slices, most_columns: usize) -> Option<Self> {
        let group = slices.bins.len().div_ceil(most_columns.max(1)).max(1);
        let used = |row: &usize| slices.bins.iter().any(|bin| bin.rows.get(*row).is_some_and(|count| *count > 0));
        let rows = slices.bins.iter().map(|bin| bin.rows.len()).max()?;
        let first_row = (0..rows).find(used)?;
        let last_row = (0..rows).rev().find(used)?;
        let column = |bins: &[super::slices::Bin]| -> Vec<u64> {
            let sum = |row: usize| bins.iter().filter_map(|bin| bin.rows.get(row)).sum();
            (first_row..=last_row).map(sum).collect()
        };
        let cells: Vec<Vec<u64>> = slices.bins.chunks(group).map(column).collect();
        let most = cells.iter().flatten().copied().max()?;
        Some(Self { column_s: slices.width_s * group as f64, first_row, cells, most })
    }

    /// From 0 to [`SHADES`] - 1 by the logarithm of a count; `None` for none.
    pub fn shade(&self, count: u64) -> Option<usize> {
        if count == 0 {
            return None;
        }
        let share = (count as f64).ln() / (self.most.max(2) as f64).ln();
        Some(((share * SHADES as f64) as usize).min(SHADES - 1))
    }

    /// The least count that has a shade.
    pub fn least(&self, shade: usize) -> u64 {
        (1..=self.most).find(|count| self.shade(*count) == Some(shade)).unwrap_or(self.most)
    }
}

/// Columns of a drawing: squares that an eye can tell apart.
fn columns(size: Size) -> usize {
    match size {
        Size::Wide => 150,
        Size::Middle => 90,
        Size::Narrow => 50,
    }
}

/// The drawing for one width of the page; empty without samples.
pub fn draw(results: &Results, slices: &Slices, size: Size) -> String {
    let Some(heat) = Heat::of(slices, columns(size)) else { return String::new() };
    let rows = heat.cells.first().map_or(0, Vec::len);
    let frame = Frame::over_time(size, slices.end_s);
    let row_px = (if size == Size::Narrow { 200.0 } else { 250.0 } / rows as f64).clamp(5.0, 16.0);
    let mut svg = Svg::new(0.0, 0.0);
    let top = frame.title(&mut svg, 4.0, "Requests", "by latency and time, log scale");
    let bottom = top + row_px * rows as f64;
    let edge = |row: usize| bottom - row_px * row as f64;
    frame.time_axis(&mut svg, top, bottom);
    draw_cells(&mut svg, &frame, slices, &heat, &edge);
    // Over the cells only the edges of the faults: a tint would change what a shade says.
    frame.edges(&mut svg, &results.summary.faults, top, bottom);
    for row in (heat.first_row..=heat.first_row + rows).filter(|row| row.is_multiple_of(ROWS_A_DECADE)) {
        frame.grid(&mut svg, edge(row - heat.first_row), &format::ms(row_from_ms(row)));
    }
    key(&mut svg, &frame, &heat, bottom + 46.0);
    svg.grow(size.width(), bottom + 66.0);
    svg.finish(size.class(), &sentence(&heat))
}

fn draw_cells(svg: &mut Svg, frame: &Frame, slices: &Slices, heat: &Heat, edge: &dyn Fn(usize) -> f64) {
    let x = Scale::linear(0.0, frame.end_s, frame.left, frame.right);
    for shade in 0..SHADES {
        let mut bars = Vec::new();
        for (column, cells) in heat.cells.iter().enumerate() {
            let from = column as f64 * heat.column_s;
            let (left, right) = (x.at(from), x.at((from + heat.column_s).min(slices.end_s)));
            for (row, count) in cells.iter().enumerate() {
                if heat.shade(*count) == Some(shade) {
                    bars.push((left, edge(row + 1), right - left, edge(row) - edge(row + 1)));
                }
            }
        }
        svg.bars(&bars, &format!("h{shade}"));
    }
}

/// What the shades mean, with the least count of each.
fn key(svg: &mut Svg, frame: &Frame, heat: &Heat, y: f64) {
    let font = frame.size.font();
    let mut x = if frame.stacked() { 0.0 } else { frame.left };
    let used: Vec<usize> = (0..SHADES).filter(|shade| heat.shade(heat.least(*shade)) == Some(*shade)).collect();
    for shade in used {
        let label =
            format!("{}{}", format::count(heat.least(shade)), if shade + 1 < SHADES { "+" } else { " and more" });
        svg.rect((x, y), (12.0, 12.0), &format!("h{shade}"));
        svg.text((x + 17.0, y + 10.0), Anchor::Start, "t m", &label);
        x += 17.0 + width(&label, font) + 12.0;
    }
    if !frame.stacked() {
        svg.text((x, y + 10.0), Anchor::Start, "t m", &format!("requests in {}", format::seconds(heat.column_s)));
    }
}

/// The heat-map in a sentence.
pub fn sentence(heat: &Heat) -> String {
    let rows = heat.cells.first().map_or(0, Vec::len);
    let by_row = |row: usize| heat.cells.iter().map(|cells| cells[row]).sum::<u64>();
    let busiest = (0..rows).max_by_key(|row| (by_row(*row), std::cmp::Reverse(*row))).unwrap_or_default();
    let ms = |row: usize| format::ms(row_from_ms(heat.first_row + row));
    format!(
        "Requests by latency and time: from {} to {}, most of them between {} and {}.",
        ms(0),
        ms(rows),
        ms(busiest),
        ms(busiest + 1)
    )
}
