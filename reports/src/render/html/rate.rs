//! Offered and completed requests a second over time: where they part, work piles up.

use crate::render::format;
use crate::render::html::frame::Frame;
use crate::render::html::slices::{Bin, Slices};
use crate::render::svg::axis::{Scale, from_zero};
use crate::render::svg::label::apart;
use crate::render::svg::{Anchor, Svg};

const HEIGHT: f64 = 84.0;

/// Draws the panel from `top` on; answers where it ends.
pub fn draw(svg: &mut Svg, frame: &Frame, slices: &Slices, top: f64) -> f64 {
    let top = frame.title(svg, top, "Requests", "per second");
    let bottom = top + HEIGHT;
    let rates = |count: fn(&Bin) -> u64| -> Vec<f64> {
        slices.bins.iter().enumerate().map(|(index, bin)| slices.rate(index, count(bin))).collect()
    };
    let (offered, completed) = (rates(|bin| bin.offered), rates(|bin| bin.completed));
    let highest = offered.iter().chain(&completed).copied().fold(0.0, f64::max);
    let (high, step) = from_zero(highest, 3);
    let scale = Scale::linear(0.0, high, bottom, top);
    let ticks = (high / step).round() as u32;
    for tick in 0..=ticks {
        let value = f64::from(tick) * step;
        frame.grid(svg, scale.at(value), &format::number(value));
    }
    if slices.is_empty() {
        svg.text(((frame.left + frame.right) / 2.0, (top + bottom) / 2.0), Anchor::Middle, "t m", "no requests");
        return bottom;
    }
    let line = |rates: &[f64]| -> Vec<Option<(f64, f64)>> {
        rates.iter().enumerate().map(|(bin, rate)| Some((frame.time.at(slices.middle(bin)), scale.at(*rate)))).collect()
    };
    svg.polyline(&line(&completed), "l completed");
    svg.polyline(&line(&offered), "l offered");
    let typical = |rates: &[f64]| rates[rates.len() * 3 / 4];
    let wanted = [scale.at(typical(&completed)), scale.at(typical(&offered))];
    for (name, y) in ["completed", "offered"].iter().zip(apart(&wanted, 14.0, top + 6.0, bottom - 2.0)) {
        svg.line((frame.right + 3.0, y), (frame.right + 13.0, y), &format!("l {name}"));
        let name = if frame.stacked() && *name == "completed" { "complete" } else { name };
        svg.text((frame.right + 16.0, y + 4.0), Anchor::Start, "t", name);
    }
    bottom
}
