//! What the page's script needs to replace the charts over time by ones that can be zoomed: the same values at a finer grain,
//! and the same faults, limits and markers. Read by `templates/report.js`, which knows these names.

use serde::Serialize;

use crate::render::html::frame::{Frame, Size, spans, style};
use crate::render::html::slices::{MOST_ZOOMED, Slices};
use crate::render::html::{errors, latency, timeline};
use crate::render::words;
use crate::results::{OperatorKind, Results};

#[derive(Serialize)]
struct Live {
    /// Width of a point, seconds; the first begins at 0.
    width_s: f64,
    end_s: f64,
    /// Rates end with the load.
    load_s: f64,
    /// p50, p90, p99 and maximum, milliseconds; null without samples.
    latency: [Vec<Option<f64>>; 4],
    /// Ends of the latency axis, milliseconds.
    range_ms: (f64, f64),
    offered: Vec<f64>,
    completed: Vec<f64>,
    errors: Vec<Errors>,
    faults: Vec<Fault>,
    limits: Vec<Limit>,
    holds: Vec<(f64, f64)>,
    lost: Vec<f64>,
    recovered: Vec<f64>,
    /// Moments of the findings, by number.
    moments: Vec<Option<f64>>,
    /// Width, left and right edge of the plots for each width of the page.
    frames: Vec<(&'static str, f64, f64, f64)>,
}

#[derive(Serialize)]
struct Errors {
    class: String,
    /// A second.
    rates: Vec<f64>,
}

#[derive(Serialize)]
struct Fault {
    id: String,
    style: String,
    spans: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct Limit {
    text: String,
    ms: f64,
}

/// The data as JSON that may stand inside a `<script>` element; empty when nothing was measured, and then there is nothing to
/// zoom into.
pub fn json(results: &Results) -> String {
    let slices = Slices::at_most(results, MOST_ZOOMED);
    let Some(range_ms) = latency::axis(results, &slices) else { return String::new() };
    let live = of(results, &slices, range_ms);
    let text = serde_json::to_string(&live).expect("plain data has a JSON form");
    // The only way out of a script element is its end tag, which begins with this.
    text.replace('<', "\\u003c")
}

fn of(results: &Results, slices: &Slices, range_ms: (f64, f64)) -> Live {
    let bins = || slices.bins.iter().enumerate();
    let latency = |line: usize| bins().map(|(_, bin)| bin.latency_ms.map(|ms| short(ms[line]))).collect();
    let shown = errors::shown(slices);
    let class = |index: usize| Errors {
        class: words::printable(&errors::name_of(slices, index)),
        rates: bins().map(|(bin, _)| short(errors::rate_of(slices, bin, index))).collect(),
    };
    let fault = |(index, fault): (usize, &crate::results::FaultData)| Fault {
        id: words::printable(&fault.id),
        style: style(index),
        spans: spans(fault, slices.end_s),
    };
    Live {
        width_s: slices.width_s,
        end_s: slices.end_s,
        load_s: results.summary.duration_s,
        latency: [0, 1, 2, 3].map(latency),
        range_ms,
        offered: bins().map(|(bin, of)| short(slices.rate(bin, of.offered))).collect(),
        completed: bins().map(|(bin, of)| short(slices.rate(bin, of.completed))).collect(),
        errors: (0..shown).map(class).collect(),
        faults: results.summary.faults.iter().enumerate().map(fault).collect(),
        limits: latency::limits(results)
            .into_iter()
            .map(|slo| Limit { text: words::printable(&latency::limit_text(slo)), ms: slo.limit })
            .collect(),
        holds: results
            .operator
            .iter()
            .filter(|act| act.kind == OperatorKind::Hold)
            .map(|act| (act.at_s, act.until_s.unwrap_or(slices.end_s)))
            .collect(),
        lost: timeline::lost_at(results).collect(),
        recovered: timeline::recovered_at(results).collect(),
        moments: words::top_findings(&results.summary).iter().map(|finding| finding.at_s).collect(),
        frames: Size::ALL.map(|size| frame(size, slices.end_s)).into(),
    }
}

fn frame(size: Size, end_s: f64) -> (&'static str, f64, f64, f64) {
    let frame = Frame::over_time(size, end_s);
    (size.word(), size.width(), frame.left, frame.right)
}

/// Three digits, as the recorder has them: more would only make the file larger.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powi(2 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}
