//! The timeline and the heat-map as tables.

use crate::render::format;
use crate::render::html::heatmap::Heat;
use crate::render::html::rows::dash;
use crate::render::html::slices::{Bin, ROWS_A_DECADE, Slices, row_from_ms};

/// One bin of the timeline.
pub struct BinRow {
    /// Its beginning.
    pub at: String,
    /// Offered a second.
    pub offered: String,
    /// Completed a second.
    pub completed: String,
    /// Failed requests.
    pub errors: String,
    /// p50, p90, p99, max.
    pub latency: Vec<String>,
}

/// One moment of the heat-map.
pub struct HeatRow {
    /// Its beginning.
    pub at: String,
    /// Requests by [`heat_heads`].
    pub counts: Vec<String>,
}

/// What one point of the charts is.
pub fn timeline_note(slices: &Slices) -> String {
    let mut samples: Vec<u64> = slices.bins.iter().map(|bin| bin.samples).filter(|&samples| samples > 0).collect();
    samples.sort_unstable();
    let width = format::seconds(slices.width_s);
    match samples.get(samples.len() / 2) {
        None => "No request was measured.".to_owned(),
        Some(&middle) => format!(
            "All steps together; one point is {width}, about {}. Requests stand where they should have started.",
            format::counted(middle, "request")
        ),
    }
}

/// The timeline as a table.
pub fn bins(slices: &Slices) -> Vec<BinRow> {
    let row = |(index, bin): (usize, &Bin)| BinRow {
        at: format::seconds(index as f64 * slices.width_s),
        offered: format::per_second(slices.rate(index, bin.offered)),
        completed: format::per_second(slices.rate(index, bin.completed)),
        errors: format::count(bin.errors.iter().sum()),
        latency: match bin.latency_ms {
            Some(latency) => latency.map(format::ms).into(),
            None => vec![dash(); 4],
        },
    };
    slices.bins.iter().enumerate().map(row).collect()
}

/// More rows than this in the heat-map's table say no more.
const HEAT_ROWS: usize = 60;

/// What the heat-map's table is split into: decades of latency.
pub fn heat_heads(slices: &Slices) -> Vec<String> {
    let Some(heat) = Heat::of(slices, HEAT_ROWS) else { return Vec::new() };
    let head = |decade: usize| {
        let ms = |decade: usize| format::ms(row_from_ms(decade * ROWS_A_DECADE));
        format!("{} to {}", ms(decade), ms(decade + 1))
    };
    decades(&heat).map(head).collect()
}

/// The heat-map as a table: fewer rows and columns than the drawing, the same requests.
pub fn heat(slices: &Slices) -> Vec<HeatRow> {
    let Some(heat) = Heat::of(slices, HEAT_ROWS) else { return Vec::new() };
    let row = |(column, cells): (usize, &Vec<u64>)| {
        let count = |decade: usize| {
            let inside = |row: &usize| (heat.first_row + row) / ROWS_A_DECADE == decade;
            format::count((0..cells.len()).filter(inside).map(|row| cells[row]).sum())
        };
        HeatRow { at: format::seconds(column as f64 * heat.column_s), counts: decades(&heat).map(count).collect() }
    };
    heat.cells.iter().enumerate().map(row).collect()
}

fn decades(heat: &Heat) -> std::ops::RangeInclusive<usize> {
    let rows = heat.cells.first().map_or(1, Vec::len);
    heat.first_row / ROWS_A_DECADE..=(heat.first_row + rows - 1) / ROWS_A_DECADE
}
