//! The head of every page: which run this is, where it stands, and its timeline.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::{clock, fitted, put, put_right, width};
use super::lane;
use super::look::{Look, Tone};
use super::state::State;
use crate::ui::snapshot::{self, Snapshot};

/// How many lines it takes.
pub fn height(area: Rect) -> u16 {
    if area.height >= 20 { 3 } else { 2 }
}

/// Draws it.
pub fn draw(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let expected = snapshot.expected_s.map_or_else(String::new, |end| format!(" / ~{}", clock(end)));
    let mut right = vec![(format!("{}{expected}  ", clock(snapshot.at_s)), Tone::Plain)];
    if state.frozen.is_some() {
        right.push((look.pick("❄ FROZEN  ", "* FROZEN  ").to_owned(), Tone::Warn));
    }
    let (word, tone) = standing(snapshot);
    right.push((format!("{} {word} ", look.pick("●", "*")), tone));
    // A reason may be long; the name of the run stays readable.
    let room = usize::from(area.width).saturating_sub(22);
    if let Some((word, _)) = right.last_mut() {
        *word = fitted(word, room);
    }
    let from = put_right(buffer, area, 0, &right, look);
    let seed = format!(" {} seed {}", look.pick("·", "-"), snapshot.seed);
    let room = usize::from(from).saturating_sub(2);
    let title = look.text(&snapshot.title);
    let with_seed = width(&title) + width(&seed) <= room;
    let seed = if with_seed { seed } else { String::new() };
    put(buffer, area, 1, 0, &[(fitted(&title, room), Tone::Strong), (seed, Tone::Dim)], look);
    lane::draw(
        snapshot,
        look,
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 },
        buffer,
    );
}

/// Where the run stands, in a word or two.
fn standing(snapshot: &Snapshot) -> (String, Tone) {
    match &snapshot.state {
        snapshot::State::WarmUp => ("WARM-UP".to_owned(), Tone::Good),
        snapshot::State::Waiting => ("WAITING for the steady state".to_owned(), Tone::Warn),
        snapshot::State::Running => ("RUNNING".to_owned(), Tone::Good),
        snapshot::State::Held(since) => (format!("HELD {}", clock(snapshot.at_s - since)), Tone::Warn),
        snapshot::State::Draining => ("LAST REQUESTS".to_owned(), Tone::Good),
        snapshot::State::RollingBack(why) => (format!("ROLLING BACK: {why}"), Tone::Bad),
        snapshot::State::Ending => ("ENDING".to_owned(), Tone::Good),
    }
}
