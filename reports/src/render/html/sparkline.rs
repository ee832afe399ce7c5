//! A step's 99th percentile over the run in the height of a line of text. All steps share one logarithmic scale, so that the
//! eye may compare them; times of faults are shaded.

use crate::render::format;
use crate::render::html::frame::spans;
use crate::render::html::slices::Slices;
use crate::render::svg::Svg;
use crate::render::svg::axis::{Scale, log_range};
use crate::results::Results;

/// More points than this do not fit into the width.
const MOST: usize = 60;
const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 24.0;

/// One step's line, not drawn yet.
pub type Points = Vec<Option<(f64, f64)>>;

/// The 99th percentile of every step, in milliseconds by the middle of its bin, in the order of the series.
pub fn points(results: &Results) -> Vec<Points> {
    let of = |series| {
        let slices = Slices::of_one(results, series, MOST);
        let point = |bin: usize| slices.bins[bin].latency_ms.map(|ms| (slices.middle(bin), ms[2]));
        (0..slices.bins.len()).map(point).collect()
    };
    results.series.iter().map(of).collect()
}

/// The scale that all steps share: lowest and highest value; `None` without samples.
pub fn range(all: &[Points]) -> Option<(f64, f64)> {
    let values = || all.iter().flatten().flatten().map(|(_, ms)| *ms);
    values().next()?;
    Some(log_range(values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max)))
}

/// The scale in words; empty without samples.
pub fn range_text(all: &[Points]) -> String {
    range(all).map(|(from, to)| format!("{} to {}", format::ms(from), format::ms(to))).unwrap_or_default()
}

/// The drawing; empty without samples.
pub fn draw(results: &Results, points: &Points, range: (f64, f64), end_s: f64) -> String {
    let values = || points.iter().flatten().map(|(_, ms)| *ms);
    if values().next().is_none() {
        return String::new();
    }
    let x = Scale::linear(0.0, end_s, 1.0, WIDTH - 1.0);
    let y = Scale::log(range.0, range.1, HEIGHT - 2.0, 2.0);
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let faults = results.summary.faults.iter().flat_map(|fault| spans(fault, end_s));
    let bars: Vec<_> = faults.map(|(from, to)| (x.at(from), 0.0, (x.at(to) - x.at(from)).max(1.0), HEIGHT)).collect();
    svg.bars(&bars, "sick");
    let drawn: Vec<_> = points.iter().map(|point| point.map(|(at, ms)| (x.at(at), y.at(ms)))).collect();
    svg.polyline(&drawn, "l p99");
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    svg.finish("spark", &format!("p99 over time, from {} to {}", format::ms(low), format::ms(high)))
}
