//! Rows that can be selected, filtered and sorted: what the pages of steps, instances, faults, errors and the log have in common.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::{fitted, put, put_styled, width};
use super::look::{Look, Tone};
use super::state::State;

/// A cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What stands in it.
    pub text: String,
    /// How.
    pub tone: Tone,
    /// What it is sorted by, the largest first; texts without one are sorted by their letters.
    pub by: Option<f64>,
}

/// A text.
pub fn text(text: impl Into<String>, tone: Tone) -> Cell {
    Cell { text: text.into(), tone, by: None }
}

/// A number in words.
pub fn number(text: String, value: Option<f64>, tone: Tone) -> Cell {
    Cell { text, tone, by: Some(value.unwrap_or(f64::NEG_INFINITY)) }
}

/// A row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its number in the snapshot.
    pub index: usize,
    /// In the order of the columns.
    pub cells: Vec<Cell>,
    /// All that is known of it, a line each.
    pub details: Vec<String>,
}

/// A table on its page.
pub struct Table<'a> {
    /// Titles; those that begin with a space stand to the right of their column, as numbers do.
    pub columns: &'a [&'a str],
    /// Everything; what is shown of it is a matter of the state.
    pub rows: Vec<Row>,
    /// What to say without rows.
    pub empty: &'a str,
}

impl Table<'_> {
    /// The rows that are shown, in their order.
    pub fn shown(&self, state: &State) -> Vec<&Row> {
        let wanted = state.filters[state.page].to_lowercase();
        let matches = |row: &&Row| row.cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted));
        let mut rows: Vec<&Row> = self.rows.iter().filter(matches).collect();
        if let Some(column) = self.sorted_by(state) {
            rows.sort_by(|one, other| match (one.cells[column].by, other.cells[column].by) {
                (Some(one), Some(other)) => other.total_cmp(&one),
                _ => one.cells[column].text.cmp(&other.cells[column].text),
            });
        }
        rows
    }

    fn sorted_by(&self, state: &State) -> Option<usize> {
        (state.sorts[state.page] % (self.columns.len() + 1)).checked_sub(1)
    }

    /// Index of the selected row in the snapshot.
    pub fn selected(&self, state: &State) -> Option<usize> {
        let shown = self.shown(state);
        Some(shown.get(state.rows[state.page].min(shown.len().checked_sub(1)?))?.index)
    }

    /// Draws it.
    pub fn draw(&self, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
        let shown = self.shown(state);
        let selected = state.rows[state.page].min(shown.len().saturating_sub(1));
        let details = shown.get(selected).filter(|_| state.details).map(|row| &row.details);
        let below = details.map_or(0, |lines| lines_of(lines, area).min(area.height.saturating_sub(4)));
        let list = Rect { height: area.height - below, ..area };
        self.draw_list(&shown, selected, state, look, list, buffer);
        if let Some(lines) = details {
            draw_details(lines, look, Rect { y: area.y + list.height, height: below, ..area }, buffer);
        }
    }

    fn draw_list(&self, shown: &[&Row], selected: usize, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
        let widths = self.widths(shown, look, area.width);
        let mut x = 1;
        for (index, (title, width)) in self.columns.iter().zip(&widths).enumerate() {
            let arrow = if self.sorted_by(state) == Some(index) { look.pick("▾", "v") } else { "" };
            let cell = aligned(&format!("{}{arrow}", title.trim_start()), *width, title.starts_with(' '));
            x = put_styled(buffer, area, x, 0, &cell, look.style(Tone::Dim)) + 2;
        }
        let room = usize::from(area.height.saturating_sub(1));
        if shown.is_empty() {
            let filter = &state.filters[state.page];
            let why = if filter.is_empty() { self.empty.to_owned() } else { format!("nothing contains \"{filter}\"") };
            put(buffer, area, 1, 2, &[(why, Tone::Dim)], look);
        }
        let first = (selected + 1).saturating_sub(room);
        for (line, row) in shown.iter().enumerate().skip(first).take(room) {
            let y = u16::try_from(line - first + 1).unwrap_or(u16::MAX);
            let mut x = 1;
            for (column, (cell, width)) in row.cells.iter().zip(&widths).enumerate() {
                let right = self.columns[column].starts_with(' ');
                let text = aligned(&fitted(&look.text(&cell.text), *width), *width, right);
                x = put_styled(buffer, area, x, y, &look.text(&text), look.style(cell.tone)) + 2;
            }
            if line == selected {
                buffer.set_style(Rect { y: area.y + y, height: 1, ..area }, look.selected());
            }
        }
    }

    /// As wide as the widest cell; the last column takes what is left.
    fn widths(&self, shown: &[&Row], look: Look, room: u16) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = shown.iter().map(|row| width(&look.text(&row.cells[column].text)));
            cells.max().unwrap_or(0).max(width(self.columns[column].trim_start()) + 1)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let mut left = usize::from(room).saturating_sub(2);
        for width in &mut widths {
            *width = (*width).min(left);
            left = left.saturating_sub(*width + 2);
        }
        widths
    }
}

fn aligned(text: &str, columns: usize, right: bool) -> String {
    let gap = " ".repeat(columns.saturating_sub(width(text)));
    if right { gap + text } else { text.to_owned() + &gap }
}

fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    for word in line.split(' ') {
        let last = all.len() - 1;
        if !all[last].is_empty() && width(&all[last]) + 1 + width(word) > columns {
            all.push(format!("  {word}"));
        } else {
            let gap = if all[last].is_empty() { "" } else { " " };
            all[last] = format!("{}{gap}{word}", all[last]);
        }
    }
    all
}

fn lines_of(lines: &[String], area: Rect) -> u16 {
    let room = usize::from(area.width).saturating_sub(4);
    u16::try_from(lines.iter().map(|line| wrapped(line, room).len()).sum::<usize>() + 1).unwrap_or(u16::MAX)
}

fn draw_details(lines: &[String], look: Look, area: Rect, buffer: &mut Buffer) {
    super::frame::rule(buffer, area, 0, &[("details".to_owned(), Tone::Strong)], look);
    let room = usize::from(area.width).saturating_sub(4);
    let all = lines.iter().flat_map(|line| wrapped(line, room));
    for (y, line) in (1..area.height).zip(all) {
        put(buffer, area, 2, y, &[(line, Tone::Plain)], look);
    }
}
