//! Steps over the whole run, and how much slower each was under each fault.

use crate::render::html::rows::percentiles::{WindowRow, window_row};
use crate::render::html::slices::Slices;
use crate::render::html::sparkline::{self, Points};
use crate::render::{format, words};
use crate::results::Results;

/// One step over the whole run.
pub struct StepRow {
    /// Its figures.
    pub row: WindowRow,
    /// Its 99th percentile over time, drawn; empty without samples.
    pub spark: String,
}

/// One step's 99th percentile in each window.
pub struct SlowerRow {
    /// Journey and step.
    pub name: String,
    /// By window: the value, and whether it is far above the first.
    pub cells: Vec<(String, bool)>,
}

/// All steps over the whole run.
pub fn steps(results: &Results, slices: &Slices, points: &[Points]) -> Vec<StepRow> {
    let range = sparkline::range(points);
    let mut rows = Vec::new();
    for (series, points) in results.series.iter().zip(points) {
        let step = results.summary.steps.get(&series.journey).and_then(|steps| steps.get(&series.step));
        if let Some(run) = step.and_then(|step| step.windows.get("run").or_else(|| step.windows.get("baseline"))) {
            let row = window_row(String::new(), format!("{} / {}", series.journey, series.step), run);
            let spark = range.map(|range| sparkline::draw(results, points, range, slices.end_s)).unwrap_or_default();
            rows.push(StepRow { row, spark });
        }
    }
    rows
}

/// The windows that steps are compared in: the reference and the faults.
pub fn slower_heads(results: &Results) -> Vec<String> {
    let windows = words::windows_in_order(&results.summary.windows).into_iter().map(|(name, _)| name.to_owned());
    let heads: Vec<String> = windows.filter(|name| name == "baseline" || name.starts_with("fault:")).collect();
    if heads.len() > 1 { heads } else { Vec::new() }
}

/// The 99th percentile of each step in each of [`slower_heads`]; three times the baseline and more is marked.
pub fn slower(results: &Results) -> Vec<SlowerRow> {
    let heads = slower_heads(results);
    if heads.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for series in &results.series {
        let Some(step) = results.summary.steps.get(&series.journey).and_then(|steps| steps.get(&series.step)) else {
            continue;
        };
        let p99 = |window: &str| step.windows.get(window).and_then(|window| window.latency_ms.p99);
        let reference = p99("baseline");
        let cells = heads.iter().map(|head| {
            let value = p99(head);
            let marked = value.zip(reference).is_some_and(|(value, reference)| value >= 3.0 * reference);
            (format::maybe(value, "ms"), marked)
        });
        rows.push(SlowerRow { name: format!("{} / {}", series.journey, series.step), cells: cells.collect() });
    }
    rows
}
