//! Failed requests a second over time, stacked by class.

use crate::render::format;
use crate::render::html::frame::Frame;
use crate::render::html::scales::Scales;
use crate::render::html::slices::Slices;
use crate::render::svg::axis::{Scale, from_zero};
use crate::render::svg::label::fitted;
use crate::render::svg::{Anchor, Svg};

const HEIGHT: f64 = 72.0;

/// Classes with a shade of their own; what is rarer is pooled as "other".
const SHADES: usize = 4;

/// Draws the panel from `top` on; answers where it ends.
pub fn draw(svg: &mut Svg, frame: &Frame, slices: &Slices, scales: &Scales, top: f64) -> f64 {
    let top = match frame.stacked() {
        true => frame.title(svg, top, "Errors a second", "by class"),
        false => frame.title(svg, top, "Errors", "per second, by class"),
    };
    if slices.classes.is_empty() {
        let text = if slices.is_empty() { "no requests" } else { "no errors" };
        svg.line((frame.left, top + 30.0), (frame.right, top + 30.0), "grid");
        svg.text((frame.left + 6.0, top + 22.0), Anchor::Start, "t m", text);
        return top + 34.0;
    }
    let stacked: Vec<Vec<f64>> = (0..slices.bins.len()).map(|bin| levels(slices, bin)).collect();
    let (high, step) = from_zero(scales.errors_per_s, 2);
    let shades = shown(slices);
    let top = if frame.stacked() { name_above(svg, frame, slices, shades, top) } else { top };
    let bottom = top + HEIGHT;
    let scale = Scale::linear(0.0, high, bottom, top);
    for tick in 0..=(high / step).round() as u32 {
        let value = f64::from(tick) * step;
        frame.grid(svg, scale.at(value), &format::number(value));
    }
    for shade in 0..shades {
        let mut bars = Vec::new();
        for (bin, levels) in stacked.iter().enumerate() {
            let below = if shade == 0 { 0.0 } else { levels[shade - 1] };
            if levels[shade] > below {
                let (from, to) = (bin as f64 * slices.width_s, (bin + 1) as f64 * slices.width_s);
                let (left, right) = (frame.time.at(from), frame.time.at(to));
                bars.push((left, scale.at(levels[shade]), right - left, scale.at(below) - scale.at(levels[shade])));
            }
        }
        svg.bars(&bars, &format!("e{shade}"));
    }
    if !frame.stacked() {
        let room = frame.size.width() - frame.right - 20.0;
        for shade in 0..shades {
            name(svg, frame, slices, shade, (frame.right + 5.0, top + 6.0 + 14.0 * shade as f64), room);
        }
    }
    bottom
}

/// The highest rate of failed requests, all classes together.
pub fn highest(slices: &Slices) -> f64 {
    (0..slices.bins.len()).filter_map(|bin| levels(slices, bin).last().copied()).fold(0.0, f64::max)
}

/// How many shades there are: one a class, and one for the rest.
pub fn shown(slices: &Slices) -> usize {
    slices.classes.len().min(SHADES + 1)
}

/// What a shade stands for.
pub fn name_of(slices: &Slices, shade: usize) -> String {
    if shade == SHADES { "other".to_owned() } else { slices.classes[shade].clone() }
}

/// Failed requests a second of one shade.
pub fn rate_of(slices: &Slices, bin: usize, shade: usize) -> f64 {
    let errors = &slices.bins[bin].errors;
    let count = if shade == SHADES { errors[SHADES..].iter().sum() } else { errors[shade] };
    slices.rate(bin, count)
}

/// Rates of the shades of one bin, each on top of the ones before it.
fn levels(slices: &Slices, bin: usize) -> Vec<f64> {
    let on_top = |sum: &mut f64, shade: usize| {
        *sum += rate_of(slices, bin, shade);
        Some(*sum)
    };
    (0..shown(slices)).scan(0.0, on_top).collect()
}

/// On a phone the classes are named above the plot, two in a row; answers where the plot begins.
fn name_above(svg: &mut Svg, frame: &Frame, slices: &Slices, shades: usize, top: f64) -> f64 {
    let half = frame.size.width() / 2.0;
    for shade in 0..shades {
        let at = (half * (shade % 2) as f64, top + 4.0 + 15.0 * (shade / 2) as f64);
        name(svg, frame, slices, shade, at, half - 24.0);
    }
    top + 15.0 * shades.div_ceil(2) as f64 + 4.0
}

fn name(svg: &mut Svg, frame: &Frame, slices: &Slices, shade: usize, (x, y): (f64, f64), room: f64) {
    svg.rect((x, y - 4.0), (8.0, 8.0), &format!("e{shade}"));
    svg.text((x + 13.0, y + 4.0), Anchor::Start, "t", &fitted(&name_of(slices, shade), frame.size.font(), room));
}
