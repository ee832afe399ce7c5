//! Every page as text, at the sizes that terminals have.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use super::sample::running;
use crate::ui::snapshot::{self, FaultStep, Snapshot};
use crate::ui::tui::frame;
use crate::ui::tui::look::{Glyphs, Look};
use crate::ui::tui::state::{PAGES, State, Typing};

const UNICODE: Look = Look { color: true, glyphs: Glyphs::Unicode };
const ASCII: Look = Look { color: false, glyphs: Glyphs::Ascii };

fn buffer(snapshot: &Snapshot, state: &State, look: Look, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend takes everything");
    terminal.draw(|frame| frame::draw(snapshot, state, look, frame.area(), frame.buffer_mut())).expect("the same");
    terminal.backend().buffer().clone()
}

fn text(snapshot: &Snapshot, state: &State, look: Look, size: (u16, u16)) -> String {
    let buffer = buffer(snapshot, state, look, size);
    let row = |y: u16| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..size.1).map(row).collect::<Vec<_>>().join("\n")
}

fn on_page(page: usize) -> State {
    State { page, ..State::default() }
}

#[test]
fn the_overview_at_three_sizes() {
    for size in [(60, 16), (100, 30), (160, 50)] {
        let name = format!("overview_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, text(&running(), &on_page(0), UNICODE, size));
    }
}

#[test]
fn every_other_page() {
    for (page, title) in PAGES.iter().enumerate().skip(1) {
        let name = format!("page_{}", title.to_lowercase());
        insta::assert_snapshot!(name, text(&running(), &on_page(page), UNICODE, (100, 16)));
    }
}

#[test]
fn what_a_row_says_in_full() {
    let state = State { details: true, ..on_page(3) };
    insta::assert_snapshot!(text(&running(), &state, UNICODE, (80, 20)));
}

#[test]
fn every_page_in_ascii_has_nothing_but_ascii() {
    for page in 0..PAGES.len() {
        let shown = text(&running(), &on_page(page), ASCII, (100, 30));
        assert!(shown.is_ascii(), "page {page}:\n{shown}");
    }
    let help = State { help: true, ..State::default() };
    assert!(text(&running(), &help, ASCII, (100, 30)).is_ascii());
    insta::assert_snapshot!(text(&running(), &on_page(0), ASCII, (100, 30)));
}

#[test]
fn without_colours_no_cell_has_one_and_with_them_some_have() {
    let look = Look { color: false, ..UNICODE };
    let colored = |look| {
        let cells = (0..PAGES.len()).flat_map(|page| buffer(&running(), &on_page(page), look, (120, 40)).content);
        cells.into_iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colored(look), 0);
    assert!(colored(UNICODE) > 0);
}

#[test]
fn colours_are_the_sixteen_of_the_theme() {
    let shown = buffer(&running(), &on_page(0), UNICODE, (120, 40));
    assert!(shown.content.iter().all(|cell| !matches!(cell.fg, Color::Rgb(..) | Color::Indexed(_))));
}

#[test]
fn the_keys_fit_on_the_smallest_terminal_and_on_a_large_one() {
    let state = State { help: true, ..State::default() };
    insta::assert_snapshot!("help_100x30", text(&running(), &state, UNICODE, (100, 30)));
    let small = text(&running(), &state, UNICODE, (60, 16));
    for key in ["space", "Ctrl-C", "Shift-Tab", "Enter", "?"] {
        assert!(small.contains(key), "{key} is not on\n{small}");
    }
}

#[test]
fn a_held_timeline_says_for_how_long() {
    let held = Snapshot { state: snapshot::State::Held(180.0), ..running() };
    assert!(text(&held, &on_page(0), UNICODE, (100, 30)).lines().next().expect("a head").contains("HELD 00:12"));
}

#[test]
fn a_rollback_ticks_off_what_has_come_off() {
    let mut snapshot = Snapshot { state: snapshot::State::RollingBack("asked to stop".to_owned()), ..running() };
    snapshot.faults[0].step = FaultStep::Removed;
    snapshot.faults[0].to_s = Some(191.5);
    let shown = text(&snapshot, &on_page(0), UNICODE, (100, 30));
    assert!(shown.contains("ROLLING BACK: asked to stop"), "{shown}");
    assert!(shown.contains("pay-slow  ✔ removed"), "{shown}");
}

#[test]
fn a_note_is_seen_while_it_is_typed() {
    let state = State { typing: Some((Typing::Note, "deploy began".to_owned())), ..State::default() };
    let shown = text(&running(), &state, UNICODE, (80, 24));
    assert!(shown.lines().last().expect("a footer").contains("note: deploy began"), "{shown}");
}

#[test]
fn the_question_before_an_abort_says_what_follows() {
    let state = State { asks_abort: true, ..State::default() };
    let shown = text(&running(), &state, UNICODE, (100, 24));
    assert!(shown.lines().last().expect("a footer").contains("Every fault comes off"), "{shown}");
}

#[test]
fn a_run_without_data_has_every_page() {
    for page in 0..PAGES.len() {
        for size in [(60, 16), (160, 50)] {
            let shown = text(&Snapshot::default(), &on_page(page), UNICODE, size);
            assert!(shown.contains("WARM-UP"), "{shown}");
        }
    }
    insta::assert_snapshot!("empty", text(&Snapshot::default(), &on_page(0), UNICODE, (80, 24)));
}

#[test]
fn a_terminal_that_is_too_small_says_so_and_none_makes_it_panic() {
    assert!(text(&running(), &on_page(0), UNICODE, (59, 16)).starts_with("brunt needs 60x16"));
    let help = State { help: true, ghost: true, ..State::default() };
    for width in 1..130 {
        for height in 1..40 {
            let page = usize::from(width * 7 + height) % PAGES.len();
            let state = State { page, details: height % 2 == 0, ..help.clone() };
            buffer(&running(), &State { help: width % 2 == 0, ..state }, UNICODE, (width, height));
        }
    }
}

#[test]
fn a_zoomed_axis_shows_that_part_of_the_run() {
    let state = State { window_s: Some(20.0), back_s: 30.0, ..State::default() };
    let shown = text(&running(), &state, UNICODE, (100, 30));
    assert!(shown.contains("02:22") && shown.contains("02:42"), "{shown}");
}
