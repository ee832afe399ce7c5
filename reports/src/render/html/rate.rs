//! Offered and completed requests a second over time: where they part, work piles up.

use crate::render::format;
use crate::render::html::frame::Frame;
use crate::render::html::scales::Scales;
use crate::render::html::slices::{Bin, Slices};
use crate::render::svg::axis::{Scale, from_zero};
use crate::render::svg::label::{apart, width};
use crate::render::svg::{Anchor, Svg};

const HEIGHT: f64 = 84.0;

const LINES: [&str; 2] = ["completed", "offered"];

/// Draws the panel from `top` on; answers where it ends. Rates end with the load, at `load_s`: a bin that is cut short by it
/// would look like a drop.
pub fn draw(svg: &mut Svg, frame: &Frame, slices: &Slices, scales: &Scales, load_s: f64, top: f64) -> f64 {
    let top = if frame.stacked() {
        name_above(svg, frame, top);
        frame.title(svg, top, "Requests a second", "")
    } else {
        frame.title(svg, top, "Requests", "per second")
    };
    if slices.is_empty() {
        svg.text((frame.left + 6.0, top + 22.0), Anchor::Start, "t m", "no requests");
        svg.line((frame.left, top + 30.0), (frame.right, top + 30.0), "grid");
        return top + 34.0;
    }
    let bottom = top + HEIGHT;
    let rates = |count: fn(&Bin) -> u64| -> Vec<f64> {
        slices.bins.iter().enumerate().map(|(index, bin)| slices.rate(index, count(bin))).collect()
    };
    let (offered, completed) = (rates(|bin| bin.offered), rates(|bin| bin.completed));
    let (high, step) = from_zero(scales.requests_per_s, 3);
    let scale = Scale::linear(0.0, high, bottom, top);
    let ticks = (high / step).round() as u32;
    for tick in 0..=ticks {
        let value = f64::from(tick) * step;
        frame.grid(svg, scale.at(value), &format::number(value));
    }
    let line = |rates: &[f64]| -> Vec<Option<(f64, f64)>> {
        let judged = rates.iter().enumerate().filter(|(bin, _)| slices.middle(*bin) <= load_s);
        judged.map(|(bin, rate)| Some((frame.time.at(slices.middle(bin)), scale.at(*rate)))).collect()
    };
    svg.polyline(&line(&completed), "l completed");
    svg.polyline(&line(&offered), "l offered");
    if !frame.stacked() {
        let typical = |rates: &[f64]| scale.at(rates[rates.len() * 3 / 4]);
        let wanted = [typical(&completed), typical(&offered)];
        for (name, y) in LINES.iter().zip(apart(&wanted, 14.0, top + 6.0, bottom - 2.0)) {
            svg.line((frame.right + 5.0, y), (frame.right + 19.0, y), &format!("l {name}"));
            svg.text((frame.right + 24.0, y + 4.0), Anchor::Start, "t", name);
        }
    }
    bottom
}

/// The highest rate of all, offered or completed.
pub fn highest(slices: &Slices) -> f64 {
    let rate = |(index, bin): (usize, &Bin)| slices.rate(index, bin.offered.max(bin.completed));
    slices.bins.iter().enumerate().map(rate).fold(0.0, f64::max)
}

/// On a phone the lines are named beside the title.
fn name_above(svg: &mut Svg, frame: &Frame, top: f64) {
    let mut x = frame.size.width();
    for name in LINES.iter().rev() {
        svg.text((x, top + 12.0), Anchor::End, "t halo", name);
        x -= width(name, frame.size.font()) + 6.0;
        svg.line((x - 12.0, top + 8.0), (x, top + 8.0), &format!("l {name}"));
        x -= 22.0;
    }
}
