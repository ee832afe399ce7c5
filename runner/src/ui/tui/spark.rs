//! A small curve of one line: the largest value of each stretch, so that a peak is never lost between two columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::put_styled;
use super::look::{Look, Tone};

/// Draws values, `None` where nothing is known, on a scale from zero to `top`.
pub fn draw(values: &[Option<f64>], top: f64, tone: Tone, look: Look, area: Rect, buffer: &mut Buffer) {
    let levels = look.pick(["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"], ["_", "_", ".", ".", "-", "-", "=", "#"]);
    let shown = |value: &Option<f64>| match value {
        None => " ",
        Some(value) if *value <= 0.0 || top <= 0.0 => levels[0],
        Some(value) => levels[((value / top * 7.0).round() as usize).clamp(1, 7)],
    };
    let line: String = values.iter().map(shown).collect();
    put_styled(buffer, area, 0, 0, &line, look.style(tone));
}
