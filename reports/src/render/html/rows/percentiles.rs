//! The percentile plot as a table, and all windows.

use crate::render::html::curves::{BEYOND, Curve};
use crate::render::html::frame::window_style;
use crate::render::html::percentiles::TICKS;
use crate::render::{format, words};
use crate::results::{Results, WindowData};

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

/// A window, or a step in one, as a row.
pub fn window_row(style: String, name: String, window: &WindowData) -> WindowRow {
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
