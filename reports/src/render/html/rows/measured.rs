//! Measurements as tables: the charts' data, windows and steps.

use crate::render::html::curves::{BEYOND, Curve};
use crate::render::html::frame::window_style;
use crate::render::html::percentiles::TICKS;
use crate::render::html::rows::dash;
use crate::render::html::slices::{Bin, Slices};
use crate::render::{format, words};
use crate::results::{Results, WindowData};

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

/// One line of the percentile plot.
pub struct QuantileRow {
    /// The window.
    pub window: String,
    /// How many samples.
    pub samples: String,
    /// Latency at each tick; a dash where the samples do not reach.
    pub values: Vec<String>,
}

/// One window, or one step over the whole run.
pub struct WindowRow {
    /// Class of its line in the plot.
    pub style: String,
    /// Its name.
    pub name: String,
    /// When: `3 s to 11 s`.
    pub span: String,
    /// Requests.
    pub requests: String,
    /// Completed a second.
    pub rate: String,
    /// Share of failed requests.
    pub error_rate: String,
    /// Requests failed.
    pub failed: bool,
    /// p50, p90, p95, p99, p99.9, max.
    pub latency: Vec<String>,
}

/// One step's 99th percentile in each window.
pub struct SlowerRow {
    /// Journey and step.
    pub name: String,
    /// By window: the value, and whether it is far above the first.
    pub cells: Vec<(String, bool)>,
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

/// How far the lines go, and which windows have none.
pub fn percentile_note(results: &Results, curves: &[Curve]) -> String {
    let faults = results.summary.windows.keys().filter(|name| name.starts_with("fault:")).count();
    let drawn = curves.iter().filter(|curve| curve.window.starts_with("fault:")).count();
    let rest = if drawn < faults {
        format!(" The {drawn} slowest of {faults} fault windows are drawn.")
    } else {
        String::new()
    };
    format!("A line ends where fewer than {BEYOND} samples are left beyond it.{rest}")
}

/// The percentile plot as a table.
pub fn quantiles(curves: &[Curve]) -> Vec<QuantileRow> {
    let row = |curve: &Curve| QuantileRow {
        window: curve.window.clone(),
        samples: format::count(curve.samples),
        values: TICKS[1..].iter().map(|(quantile, _)| format::maybe(curve.at(*quantile), "ms")).collect(),
    };
    curves.iter().map(row).collect()
}

/// All windows over all steps.
pub fn windows(results: &Results) -> Vec<WindowRow> {
    let row = |(name, window): (&str, &WindowData)| window_row(window_style(results, name), name.to_owned(), window);
    words::windows_in_order(&results.summary.windows).into_iter().map(row).collect()
}

fn window_row(style: String, name: String, window: &WindowData) -> WindowRow {
    let latency = &window.latency_ms;
    WindowRow {
        style,
        name,
        span: format!("{} to {}", format::seconds(window.from_s), format::seconds(window.to_s)),
        requests: format::count(window.requests),
        rate: format::per_second(window.completed_per_s),
        error_rate: format::maybe(window.error_rate, "fraction"),
        failed: window.errors > 0,
        latency: [latency.p50, latency.p90, latency.p95, latency.p99, latency.p99_9, latency.max]
            .map(|value| format::maybe(value, "ms"))
            .into(),
    }
}

/// All steps over the whole run.
pub fn steps(results: &Results) -> Vec<WindowRow> {
    let mut rows = Vec::new();
    for series in &results.series {
        let step = results.summary.steps.get(&series.journey).and_then(|steps| steps.get(&series.step));
        if let Some(run) = step.and_then(|step| step.windows.get("run").or_else(|| step.windows.get("baseline"))) {
            rows.push(window_row(String::new(), format!("{} / {}", series.journey, series.step), run));
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
