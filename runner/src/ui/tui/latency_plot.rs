//! Latency over time: p50, p90 and p99 as braille curves, four by two dots a cell, on a logarithmic axis unless asked otherwise;
//! where faults were in place the ground is shaded, objectives are dashed lines, the baseline dotted ones.
//!
//! Each column of dots shows the largest value of its slices: a peak is drawn, never averaged away.

use std::ops::Range;

use brunt_report::render::format;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{put, put_styled};
use super::look::{Glyphs, Look, Tone};
use super::state::State;
use crate::ui::snapshot::{Point, Snapshot};

/// Columns for the numbers at the axis.
const LABELS: u16 = 9;
/// The bits of the dots of a braille cell, by column and row.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

type Percentile = fn(&Point) -> Option<f64>;

/// The curves, the uppermost last: it is drawn above the others.
const CURVES: [(Percentile, Tone, &str); 3] = [
    (|point| point.p50_ms, Tone::Low, "."),
    (|point| point.p90_ms, Tone::Mid, "o"),
    (|point| point.p99_ms, Tone::High, "*"),
];

/// The slices of the time axis behind each of so many columns.
pub fn slices_of(snapshot: &Snapshot, state: &State, columns: usize) -> Vec<Range<usize>> {
    let (from, to) = state.axis(snapshot.at_s);
    let width = if snapshot.slice_s > 0.0 { snapshot.slice_s } else { 1.0 };
    let at = |column: usize| (from + (to - from) * column as f64 / columns.max(1) as f64) / width;
    let number = |column: usize| (at(column).floor() as usize).min(snapshot.points.len());
    // More columns than slices: each slice fills several.
    (0..columns)
        .map(|column| number(column)..number(column + 1).max(number(column) + 1).min(snapshot.points.len()))
        .collect()
}

/// Draws the plot.
pub fn draw(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 || area.width < LABELS + 4 {
        return;
    }
    let inner = Rect { x: area.x + LABELS, width: area.width - LABELS, height: area.height - 1, ..area };
    let stretches = slices_of(snapshot, state, usize::from(inner.width) * 2);
    let Some(scale) = Scale::of(snapshot, state, &stretches, inner.height) else {
        put(buffer, area, 2, area.height / 2, &[("no reply yet".to_owned(), Tone::Dim)], look);
        return;
    };
    shade_faults(snapshot, state, look, inner, buffer);
    let limits = snapshot.objectives.iter().filter_map(|objective| objective.latency_limit_ms);
    for limit in limits {
        across(&scale, limit, look.pick("╌", "-"), look.style(Tone::Warn), inner, buffer);
    }
    if let Some(base) = snapshot.base.as_ref().filter(|_| state.ghost) {
        for (value, tone) in [(base.p50_ms, Tone::Low), (base.p99_ms, Tone::High)] {
            if let Some(value) = value {
                across(&scale, value, look.pick("·", "."), look.style(tone), inner, buffer);
            }
        }
    }
    for (of, tone, letter) in CURVES {
        let values: Vec<Option<f64>> = stretches.iter().map(|stretch| largest(snapshot, stretch, of)).collect();
        curve(&values, &scale, (look, tone, letter), inner, buffer);
    }
    label(&scale, look, area, buffer);
    label_time(snapshot, state, look, area, buffer);
}

fn largest(snapshot: &Snapshot, stretch: &Range<usize>, of: Percentile) -> Option<f64> {
    snapshot.points.get(stretch.clone())?.iter().filter_map(of).reduce(f64::max)
}

/// The value axis.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
    rows: u16,
}

impl Scale {
    /// From just below the smallest to just above the largest value that is seen.
    fn of(snapshot: &Snapshot, state: &State, stretches: &[Range<usize>], rows: u16) -> Option<Self> {
        let seen = |of: Percentile| stretches.iter().filter_map(move |stretch| largest(snapshot, stretch, of));
        let low = seen(CURVES[0].0).reduce(f64::min)?;
        let high = seen(CURVES[2].0).reduce(f64::max)?;
        let limits = snapshot.objectives.iter().filter_map(|objective| objective.latency_limit_ms);
        let high = limits.fold(high, f64::max) * 1.15;
        if state.log_axis {
            let low = (low * 0.8).max(0.001);
            return Some(Self { low: low.min(high / 10.0), high, log: true, rows });
        }
        Some(Self { low: 0.0, high, log: false, rows })
    }

    /// 0 at the bottom, 1 at the top.
    fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// The row of dots from the top, four to a line.
    fn dot(&self, value: f64) -> u16 {
        let dots = self.rows * 4 - 1;
        ((1.0 - self.share(value)) * f64::from(dots)).round() as u16
    }

    /// The value at the middle of a line.
    fn value(&self, row: u16) -> f64 {
        let share = 1.0 - (f64::from(row) * 4.0 + 1.5) / f64::from(self.rows * 4 - 1);
        if self.log { self.low * (self.high / self.low).powf(share) } else { self.low + (self.high - self.low) * share }
    }
}

fn across(scale: &Scale, value: f64, glyph: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let row = scale.dot(value) / 4;
    put_styled(buffer, area, 0, row, &glyph.repeat(usize::from(area.width)), style);
}

/// Where a fault was in place.
fn shade_faults(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let (from, to) = state.axis(snapshot.at_s);
    let column =
        |at: f64| (((at - from) / (to - from) * f64::from(area.width)).round().max(0.0) as u16).min(area.width);
    for fault in &snapshot.faults {
        let Some(begin) = fault.from_s else { continue };
        let end = fault.to_s.unwrap_or(snapshot.at_s);
        if end < from || begin > to {
            continue;
        }
        let (first, last) = (column(begin), column(end).max(column(begin) + 1).min(area.width));
        for y in 0..area.height {
            let line = look.pick("░", ":").repeat(usize::from(last.saturating_sub(first)));
            put_styled(buffer, area, first, y, &line, look.style(Tone::Fault).patch(look.style(Tone::Dim)));
        }
    }
}

/// Draws a curve; gaps where nothing is known, and verticals between neighbours so that a step is seen as one.
fn curve(
    values: &[Option<f64>],
    scale: &Scale,
    (look, tone, letter): (Look, Tone, &str),
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut before: Option<u16> = None;
    for (x, value) in values.iter().enumerate() {
        let Some(dot) = value.map(|value| scale.dot(value)) else {
            before = None;
            continue;
        };
        let from = before.unwrap_or(dot);
        for y in from.min(dot)..=from.max(dot) {
            dot_at(x, y, (look, tone, letter), area, buffer);
        }
        before = Some(dot);
    }
}

fn dot_at(x: usize, y: u16, (look, tone, letter): (Look, Tone, &str), area: Rect, buffer: &mut Buffer) {
    let place = (area.x + u16::try_from(x / 2).unwrap_or(0), area.y + y / 4);
    let Some(cell) = buffer.cell_mut(place) else { return };
    if look.glyphs == Glyphs::Ascii {
        cell.set_symbol(letter);
        restyle(cell, look.style(tone));
        return;
    }
    let known = cell.symbol().chars().next().map_or(0, u32::from);
    let bits = if (0x2800..0x2900).contains(&known) { known - 0x2800 } else { 0 };
    let bit = DOTS[x % 2][usize::from(y % 4)];
    if let Some(glyph) = char::from_u32(0x2800 + (bits | bit)) {
        cell.set_char(glyph);
        restyle(cell, look.style(tone));
    }
}

/// Sets a style as a whole instead of adding to the one that is there: dim curves would be hard to see.
fn restyle(cell: &mut ratatui::buffer::Cell, style: Style) {
    cell.modifier = ratatui::style::Modifier::empty();
    cell.fg = ratatui::style::Color::Reset;
    cell.set_style(style);
}

fn label(scale: &Scale, look: Look, area: Rect, buffer: &mut Buffer) {
    let every = if scale.rows > 12 { 3 } else { 2 };
    for row in (0..scale.rows).step_by(every) {
        let text = format!("{:>w$} ", format::ms(rounded(scale.value(row))), w = usize::from(LABELS) - 2);
        put(buffer, area, 0, row, &[(text, Tone::Dim)], look);
    }
    for row in 0..scale.rows {
        put(buffer, area, LABELS - 1, row, &[(look.pick("│", "|").to_owned(), Tone::Dim)], look);
    }
}

/// Two digits are enough at an axis.
fn rounded(value: f64) -> f64 {
    let unit = 10f64.powf(value.abs().max(1e-3).log10().floor() - 1.0);
    (value / unit).round() * unit
}

fn label_time(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let (from, to) = state.axis(snapshot.at_s);
    let y = area.height - 1;
    put(buffer, area, LABELS, y, &[(super::frame::clock(from), Tone::Dim)], look);
    let middle = LABELS + (area.width - LABELS) / 2;
    put(buffer, area, middle.saturating_sub(2), y, &[(super::frame::clock(f64::midpoint(from, to)), Tone::Dim)], look);
    super::frame::put_right(buffer, area, y, &[(super::frame::clock(to), Tone::Dim)], look);
}
