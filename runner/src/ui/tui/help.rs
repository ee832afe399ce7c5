//! The keys, above the page.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::action::TABLE;
use super::frame::{fitted, put, width};
use super::look::{Look, Tone};

/// Columns for the keys.
const KEYS: usize = 10;

/// Draws the table of actions, in as many columns as it takes.
pub fn draw(look: Look, area: Rect, buffer: &mut Buffer) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(Style::reset());
            }
        }
    }
    super::frame::rule(
        buffer,
        area,
        0,
        &[("keys".to_owned(), Tone::Strong), ("  any key: back".to_owned(), Tone::Dim)],
        look,
    );
    let rows = usize::from(area.height.saturating_sub(1)).max(1);
    let columns = TABLE.len().div_ceil(rows);
    let each = usize::from(area.width) / columns.max(1);
    for (index, binding) in TABLE.iter().enumerate() {
        let (column, row) = (index / rows, index % rows);
        let part = Rect {
            x: area.x + u16::try_from(column * each).unwrap_or(0),
            width: u16::try_from(each.saturating_sub(1)).unwrap_or(0),
            ..area
        };
        let y = u16::try_from(row + 1).unwrap_or(0);
        let keys = look.text(binding.keys);
        let gap = " ".repeat(KEYS.saturating_sub(width(&keys)));
        // Where there is little room the beginning says enough.
        let help = match binding.help.find([':', ';', ',', '(']) {
            Some(end) if width(binding.help) + KEYS + 2 > each => &binding.help[..end],
            _ => binding.help,
        };
        let help = fitted(help, each.saturating_sub(KEYS + 2));
        put(buffer, part, 1, y, &[(keys + &gap, Tone::Strong), (help, Tone::Plain)], look);
    }
}
