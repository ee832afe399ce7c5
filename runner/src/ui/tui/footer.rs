//! The last line: pages and keys, or what is being typed or asked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, TABLE};
use super::frame::{put, put_right, put_styled, width};
use super::look::{Look, Tone};
use super::state::{PAGES, State, Typing};

/// Draws it.
pub fn draw(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    if state.asks_abort {
        let question = " End the run? Every fault comes off and the report is written.  y: yes   any other key: no";
        put(buffer, area, 0, 0, &[(question.to_owned(), Tone::Warn)], look);
        return;
    }
    if let Some((what, line)) = &state.typing {
        let what = if *what == Typing::Note { "note" } else { "filter" };
        let at = put(buffer, area, 0, 0, &[(format!(" {what}: "), Tone::Strong), (line.clone(), Tone::Plain)], look);
        let at = put_styled(buffer, area, at, 0, " ", look.selected());
        put(buffer, area, at, 0, &[("  Enter: take it   Esc: leave it".to_owned(), Tone::Dim)], look);
        return;
    }
    let short = usize::from(area.width) < 96;
    let mut x = 0;
    for (number, page) in PAGES.iter().enumerate() {
        // In a narrow terminal only the page that is shown has its name.
        let name = if short && number != state.page { "" } else { page };
        let label = format!(" {}{}{name} ", number + 1, if name.is_empty() { "" } else { " " });
        let style = if number == state.page { look.selected() } else { look.style(Tone::Plain) };
        x = put_styled(buffer, area, x, 0, &label, style);
    }
    if !state.filters[state.page].is_empty() {
        x = put(buffer, area, x, 0, &[(format!("  /{}", state.filters[state.page]), Tone::Warn)], look);
    }
    let mut keys = Vec::new();
    for binding in TABLE.iter().filter(|binding| !binding.short.is_empty()) {
        let key = binding.keys.split(' ').next().unwrap_or_default();
        keys.push((binding.action, format!(" {key} "), format!("{} ", binding.short)));
    }
    let room = usize::from(area.width.saturating_sub(x));
    // What one finds in the help goes first, the help last.
    for less in [Action::Note, Action::ToggleFault, Action::Hold, Action::Abort] {
        if keys.iter().map(|(_, key, word)| width(key) + width(word)).sum::<usize>() > room {
            keys.retain(|(action, ..)| *action != less);
        }
    }
    let keys: Vec<(String, Tone)> =
        keys.into_iter().flat_map(|(_, key, word)| [(key, Tone::Strong), (word, Tone::Dim)]).collect();
    put_right(buffer, area, 0, &keys, look);
}
