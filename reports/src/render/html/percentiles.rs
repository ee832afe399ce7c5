//! Latency by percentile on an axis of nines, a line a window, each only as far as its samples reach.

use crate::render::format;
use crate::render::html::curves::{Curve, nines};
use crate::render::html::frame::{Size, window_style};
use crate::render::svg::axis::{Scale, decades, log_range};
use crate::render::svg::label::{apart, fitted, width};
use crate::render::svg::{Anchor, Svg};
use crate::results::Results;

/// Ticks of the axis.
pub const TICKS: [(f64, &str); 7] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// The drawing for one width of the page; empty when there is no curve.
pub fn draw(results: &Results, curves: &[Curve], size: Size) -> String {
    let last = curves.iter().filter_map(|curve| curve.points.last()).map(|point| nines(point.0)).fold(0.0, f64::max);
    let values = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    if curves.is_empty() {
        return String::new();
    }
    let (left, right) = if size == Size::Narrow { (50.0, size.width() - 12.0) } else { (64.0, size.width() - 190.0) };
    let legend = if size == Size::Narrow { 16.0 * curves.len() as f64 + 6.0 } else { 0.0 };
    let (top, bottom) = (legend + 10.0, legend + if size == Size::Narrow { 210.0 } else { 290.0 });
    let mut svg = Svg::new(size.width(), bottom + 38.0);
    let (low, high) = log_range(values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let y = Scale::log(low, high, bottom, top);
    let x = Scale::linear(0.0, last.max(1.0), left, right);
    for tick in decades(low, high) {
        svg.line((left, y.at(tick)), (right, y.at(tick)), "grid");
        svg.text((left - 6.0, y.at(tick) + 4.0), Anchor::End, "t m", &format::ms(tick));
    }
    let mut free = 0.0;
    for (quantile, label) in TICKS.iter().filter(|(quantile, _)| x.holds(nines(*quantile))) {
        let at = x.at(nines(*quantile));
        svg.line((at, top), (at, bottom + 4.0), "grid");
        let half = width(label, size.font()) / 2.0 + 2.0;
        let middle = at.min(size.width() - half);
        if middle - half >= free {
            svg.text((middle, bottom + 17.0), Anchor::Middle, "t m", label);
            free = middle + half;
        }
    }
    svg.line((left, bottom), (right, bottom), "axis");
    svg.text((right, bottom + 32.0), Anchor::End, "t m", "requests that were at least this fast");
    for curve in curves {
        let points: Vec<_> = curve.points.iter().map(|(at, ms)| Some((x.at(nines(*at)), y.at(*ms)))).collect();
        svg.polyline(&points, &format!("l curve {}", curve_style(results, curve)));
    }
    names(&mut svg, results, curves, size, &y, (top, bottom), right);
    svg.finish(size.class(), &sentence(curves))
}

fn names(svg: &mut Svg, results: &Results, curves: &[Curve], size: Size, y: &Scale, span: (f64, f64), right: f64) {
    let wanted: Vec<f64> = curves.iter().filter_map(|curve| Some(y.at(curve.points.last()?.1))).collect();
    let placed = apart(&wanted, 16.0, span.0 + 4.0, span.1 - 2.0);
    for (index, (curve, at)) in curves.iter().zip(placed).enumerate() {
        let (from, at) = if size == Size::Narrow { (0.0, 8.0 + 16.0 * index as f64) } else { (right + 8.0, at) };
        let room = size.width() - from - 30.0;
        svg.line((from, at), (from + 22.0, at), &format!("l curve {}", curve_style(results, curve)));
        svg.text((from + 28.0, at + 4.0), Anchor::Start, "t", &fitted(&curve.window, size.font(), room));
    }
}

/// Without a baseline the whole run is the reference.
fn curve_style(results: &Results, curve: &Curve) -> String {
    if curve.window == "run" { "fref".to_owned() } else { window_style(results, &curve.window) }
}

/// The plot in a sentence.
pub fn sentence(curves: &[Curve]) -> String {
    let parts: Vec<String> = curves
        .iter()
        .filter_map(|curve| {
            let &(quantile, ms) = curve.points.last()?;
            Some(format!("{} reaches {} at {}", curve.window, format::ms(ms), format::percent(quantile)))
        })
        .collect();
    format!("Latency by percentile: {}.", parts.join("; "))
}
