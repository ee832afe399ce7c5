//! The timeline as one line, to scale, and a mark for now below it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::frame::{fitted, put_styled, width};
use super::look::{Look, Tone};
use crate::ui::snapshot::{Snapshot, Span, SpanKind};

/// Draws the lane and, if there is a second line, the mark.
pub fn draw(snapshot: &Snapshot, look: Look, area: Rect, buffer: &mut Buffer) {
    let end = snapshot.expected_s.unwrap_or(snapshot.at_s).max(snapshot.at_s).max(1.0);
    let column = |at: f64| ((at / end * f64::from(area.width)).round() as u16).min(area.width);
    let ground = look.pick("─", "-").repeat(usize::from(area.width));
    put_styled(buffer, area, 0, 0, &ground, look.style(Tone::Dim));
    for span in &snapshot.spans {
        let (from, to) = (column(span.from_s), column(span.to_s).max(column(span.from_s) + 1));
        draw_span(
            span,
            look,
            Rect {
                x: area.x + from.min(area.width),
                width: to.min(area.width).saturating_sub(from),
                height: 1,
                ..area
            },
            buffer,
        );
    }
    let now = column(snapshot.at_s).min(area.width.saturating_sub(1));
    if area.height > 1 {
        let mark = look.pick("▲ now", "^ now");
        put_styled(buffer, area, now.min(area.width.saturating_sub(5)), 1, mark, look.style(Tone::Strong));
    } else if let Some(cell) = buffer.cell_mut((area.x + now, area.y)) {
        cell.modifier.insert(Modifier::REVERSED);
    }
}

fn draw_span(span: &Span, look: Look, area: Rect, buffer: &mut Buffer) {
    let fault = span.kind == SpanKind::Fault;
    let fill = match (fault, span.begun) {
        (true, true) => look.pick("▓", "#"),
        (true, false) => look.pick("░", "="),
        (false, _) => look.pick("─", "-"),
    };
    let tone = match (fault, span.begun, span.over) {
        (true, _, _) => Tone::Fault,
        (false, true, false) => Tone::Plain,
        (false, _, _) => Tone::Dim,
    };
    let mut style = look.style(tone);
    if span.begun && !span.over {
        style = style.add_modifier(Modifier::BOLD);
    }
    put_styled(buffer, area, 0, 0, &fill.repeat(usize::from(area.width)), style);
    if !fault {
        put_styled(buffer, area, 0, 0, look.pick("┼", "+"), look.style(Tone::Dim));
    }
    // A label needs its letters, and a mark of the ground on both sides.
    let room = usize::from(area.width).saturating_sub(if fault { 2 } else { 3 });
    if room < 4 || span.label.is_empty() {
        return;
    }
    let label = look.text(&format!(" {} ", fitted(&span.label, room.saturating_sub(2).max(2))));
    let x = (usize::from(area.width).saturating_sub(width(&label)) / 2).max(usize::from(!fault));
    put_styled(buffer, area, u16::try_from(x).unwrap_or(0), 0, &label, style);
}
