//! Latency over time: p50, p90, p99 and maximum on a logarithmic axis, with the objectives' limits and the peak named.

use crate::render::format;
use crate::render::html::frame::{Frame, LINE, Size};
use crate::render::html::scales::Scales;
use crate::render::html::slices::Slices;
use crate::render::svg::axis::{Scale, decades, log_range};
use crate::render::svg::label::{apart, fitted, width};
use crate::render::svg::{Anchor, Svg};
use crate::results::{Results, SloData};

const LINES: [&str; 4] = ["p50", "p90", "p99", "max"];

/// The 99th percentile where it was highest.
pub struct Peak {
    /// In the middle of which bin, seconds.
    pub at_s: f64,
    /// How high.
    pub ms: f64,
}

/// Where the 99th percentile was highest; `None` without samples.
pub fn peak(slices: &Slices) -> Option<Peak> {
    let p99 = |bin: usize| Some((bin, slices.bins[bin].latency_ms?[2]));
    let (bin, ms) = (0..slices.bins.len()).filter_map(p99).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    Some(Peak { at_s: slices.middle(bin), ms })
}

/// Height of the plot without its title.
fn height(frame: &Frame) -> f64 {
    if frame.size == Size::Narrow { 190.0 } else { 230.0 }
}

/// Draws the panel from `top` on; answers where it ends.
pub fn draw(svg: &mut Svg, frame: &Frame, results: &Results, slices: &Slices, scales: &Scales, top: f64) -> f64 {
    let top = frame.title(svg, top, "Latency", "from intended start, to last byte, log scale");
    let limits = limits(results);
    let Some((from, to)) = scales.latency_ms.filter(|_| !slices.is_empty()) else {
        svg.text((frame.left + 6.0, top + 22.0), Anchor::Start, "t m", "no samples");
        svg.line((frame.left, top + 30.0), (frame.right, top + 30.0), "grid");
        return top + 60.0;
    };
    let bottom = top + height(frame);
    let scale = Scale::log(from, to, bottom, top);
    for tick in decades(from, to) {
        frame.grid(svg, scale.at(tick), &format::ms(tick));
    }
    for (index, class) in LINES.iter().enumerate().rev() {
        let point =
            |bin: usize| slices.bins[bin].latency_ms.map(|ms| (frame.time.at(slices.middle(bin)), scale.at(ms[index])));
        let points: Vec<Option<(f64, f64)>> = (0..slices.bins.len()).map(point).collect();
        svg.polyline(&points, &format!("l {class}"));
    }
    name_lines(svg, frame, slices, &scale, (top, bottom));
    name_limits(svg, frame, &limits, &scale);
    name_peak(svg, frame, slices, &limits, &scale, top);
    bottom
}

/// The ends of the axis, milliseconds: all values and the limits lie between; `None` without samples.
pub fn axis(results: &Results, slices: &Slices) -> Option<(f64, f64)> {
    let (low, high) = range(slices)?;
    let high = limits(results).iter().map(|slo| slo.limit).fold(high * 1.3, f64::max);
    Some(log_range(low, high))
}

/// The objectives that are drawn as lines.
pub fn limits(results: &Results) -> Vec<&SloData> {
    results.slos.iter().filter(|slo| shown(slo)).take(3).collect()
}

/// `order-latency: p95 ≤ 250 ms`.
pub fn limit_text(slo: &SloData) -> String {
    // An id may be long; the limit itself is what must be read.
    format!("{}: {}", fitted(&slo.id, 12.0, 260.0), short_limit(slo))
}

fn short_limit(slo: &SloData) -> String {
    let sign = if slo.bound == "min" { "≥" } else { "≤" };
    let statistic = slo.metric.rsplit('.').next().unwrap_or_default();
    format!("{statistic} {sign} {}", format::ms(slo.limit))
}

/// Objectives over latencies have a place on this axis.
fn shown(slo: &SloData) -> bool {
    slo.unit == "ms" && slo.limit > 0.0 && !slo.metric.starts_with("send_lag")
}

fn range(slices: &Slices) -> Option<(f64, f64)> {
    let all = slices.bins.iter().filter_map(|bin| bin.latency_ms);
    all.fold(None, |range, [low, _, _, high]| match range {
        None => Some((low, high)),
        Some((lowest, highest)) => Some((f64::min(lowest, low), f64::max(highest, high))),
    })
}

fn name_lines(svg: &mut Svg, frame: &Frame, slices: &Slices, scale: &Scale, (top, bottom): (f64, f64)) {
    // Where a line mostly is, not where it happens to end: there the four often meet, and the order would be lost.
    let typical = |index: usize| {
        let mut values: Vec<f64> = slices.bins.iter().filter_map(|bin| Some(bin.latency_ms?[index])).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).map_or(bottom, |&ms| scale.at(ms))
    };
    let from_top = [3, 2, 1, 0];
    let wanted = from_top.map(typical);
    let (dash, text) = if frame.stacked() { ((3.0, 10.0), 13.0) } else { ((5.0, 19.0), 24.0) };
    for (index, y) in from_top.into_iter().zip(apart(&wanted, 13.0, top + 5.0, bottom - 2.0)) {
        let name = LINES[index];
        svg.line((frame.right + dash.0, y), (frame.right + dash.1, y), &format!("l {name}"));
        svg.text((frame.right + text, y + 4.0), Anchor::Start, "t", name);
    }
}

fn name_limits(svg: &mut Svg, frame: &Frame, limits: &[&SloData], scale: &Scale) {
    for slo in limits {
        let y = scale.at(slo.limit);
        let text = if frame.stacked() { short_limit(slo) } else { limit_text(slo) };
        svg.line((frame.left, y), (frame.right, y), "limit");
        svg.text((frame.left + 5.0, y - 5.0), Anchor::Start, "t halo", &text);
    }
}

fn name_peak(svg: &mut Svg, frame: &Frame, slices: &Slices, limits: &[&SloData], scale: &Scale, top: f64) {
    let Some(peak) = peak(slices) else { return };
    let (x, y) = (frame.time.at(peak.at_s), scale.at(peak.ms));
    let text = format!("p99 peak {}", format::ms(peak.ms));
    let half = width(&text, frame.size.font()) / 2.0;
    svg.dot((x, y), 3.0, "peak");
    let x = x.clamp(frame.left + half + 4.0, frame.right - half - 4.0);
    let above = (y - 9.0).max(top + 10.0);
    // A limit's label stands at the left, above its line: where the peak's would stand on it, it goes below the dot.
    let meets = |slo: &&&SloData| {
        let label = if frame.stacked() { short_limit(slo) } else { limit_text(slo) };
        let ends = frame.left + 5.0 + width(&label, frame.size.font());
        x - half < ends && (scale.at(slo.limit) - 5.0 - above).abs() < LINE
    };
    let y = if limits.iter().any(|slo| meets(&slo)) { y + LINE + 2.0 } else { above };
    svg.text((x, y), Anchor::Middle, "t b halo", &text);
}
