//! One frame: head, page, footer, and what lies above them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::look::{Look, Tone};
use super::state::State;
use super::table::Table;
use super::{errors, faults, footer, head, help, instances, log, overview, steps};
use crate::ui::snapshot::Snapshot;

/// The smallest terminal that is drawn on.
const LEAST: (u16, u16) = (60, 16);

/// Draws everything.
pub fn draw(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("brunt needs {}x{}, this is {}x{}", LEAST.0, LEAST.1, area.width, area.height);
        put(buffer, area, 0, 0, &[(text, Tone::Plain)], look);
        return;
    }
    let head = head::height(area);
    head::draw(snapshot, state, look, Rect { height: head, ..area }, buffer);
    let page = Rect { y: area.y + head, height: area.height - head - 1, ..area };
    match table_of(snapshot, state.page) {
        Some(table) => table.draw(state, look, page, buffer),
        None => overview::draw(snapshot, state, look, page, buffer),
    }
    footer::draw(state, look, Rect { y: area.y + area.height - 1, height: 1, ..area }, buffer);
    if state.help {
        help::draw(look, Rect { height: area.height - 1, ..area }, buffer);
    }
}

/// The rows of a page, if it is one of rows.
pub fn table_of(snapshot: &Snapshot, page: usize) -> Option<Table<'static>> {
    match page {
        1 => Some(steps::table(snapshot)),
        2 => Some(instances::table(snapshot)),
        3 => Some(faults::table(snapshot)),
        4 => Some(errors::table(snapshot)),
        5 => Some(log::table(snapshot)),
        _ => None,
    }
}

/// Writes pieces of a line behind each other, as far as there is room; what is cut off is shown to be. Returns the column
/// behind the last one.
pub fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, pieces: &[(String, Tone)], look: Look) -> u16 {
    let mut at = x;
    for (text, tone) in pieces {
        let (text, style) = (look.text(text), look.style(*tone));
        let room = usize::from(area.width.saturating_sub(at));
        if room == 0 && at > x && !text.trim().is_empty() {
            put_styled(buffer, area, at - 1, y, look.pick("…", "~"), style);
            break;
        }
        let text = if width(&text) > room { fitted(text.trim_end(), room) } else { text };
        at = put_styled(buffer, area, at, y, &look.text(&text), style);
    }
    at
}

/// The same in one style; the text is written as it is.
pub fn put_styled(buffer: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    if x >= area.width || y >= area.height {
        return x;
    }
    let (end, _) = buffer.set_stringn(area.x + x, area.y + y, text, usize::from(area.width - x), style);
    end - area.x
}

/// Writes a line that ends at the right edge.
pub fn put_right(buffer: &mut Buffer, area: Rect, y: u16, pieces: &[(String, Tone)], look: Look) -> u16 {
    let width: usize = pieces.iter().map(|(text, _)| width(&look.text(text))).sum();
    let x = area.width.saturating_sub(u16::try_from(width).unwrap_or(u16::MAX));
    put(buffer, area, x, y, pieces, look);
    x
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    ratatui::text::Line::raw(text).width()
}

/// A text that takes so many columns at most; what is cut off is shown to be.
pub fn fitted(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if width(&kept) + 2 > columns {
            break;
        }
        kept.push(letter);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// `03:12`, or `1:03:12`: an instant or a span as a clock shows it.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole % 3600 / 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// A ruled line with a title in it.
pub fn rule(buffer: &mut Buffer, area: Rect, y: u16, title: &[(String, Tone)], look: Look) {
    let line = look.pick("─", "-").repeat(usize::from(area.width));
    put_styled(buffer, area, 0, y, &line, look.style(Tone::Dim));
    if title.is_empty() {
        return;
    }
    let mut pieces = vec![(" ".to_owned(), Tone::Plain)];
    pieces.extend(title.iter().cloned());
    pieces.push((" ".to_owned(), Tone::Plain));
    put(buffer, area, 1, y, &pieces, look);
}
