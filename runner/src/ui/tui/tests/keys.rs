//! What keys do, and that the documentation knows each of them.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::sample::running;
use crate::operator::Operator;
use crate::ui::tui::action::{self, TABLE};
use crate::ui::tui::press;
use crate::ui::tui::state::{Asked, FAULTS, State};

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn type_in(state: &mut State, text: &str) -> Vec<Asked> {
    text.chars().filter_map(|letter| press(key(KeyCode::Char(letter)), state, &running())).collect()
}

#[test]
fn no_key_stands_twice_in_the_table() {
    let mut seen = BTreeSet::new();
    for code in TABLE.iter().flat_map(|binding| binding.codes) {
        assert!(seen.insert(format!("{code:?}")), "{code:?} stands twice");
    }
}

#[test]
fn each_row_of_the_table_is_reached_by_its_keys() {
    for binding in TABLE {
        for code in binding.codes {
            assert_eq!(action::of(key(*code)), Some(binding.action));
        }
    }
    assert_eq!(action::of(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)), None);
}

#[test]
fn the_page_in_the_documentation_has_every_key_and_what_it_does() {
    let page = include_str!("../../../../../docs/the-screen.md");
    for binding in TABLE {
        let keys: Vec<String> = binding.keys.split(' ').map(|key| format!("`{key}`")).collect();
        let row = format!("| {} | {} |", keys.join(" "), binding.help);
        assert!(page.contains(&row), "docs/the-screen.md lacks the row\n{row}");
    }
}

#[test]
fn space_holds_and_ctrl_c_interrupts_whatever_is_open() {
    let mut state = State::default();
    assert_eq!(type_in(&mut state, " "), [Asked::Operator(Operator::Hold)]);
    state.asks_abort = true;
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(press(interrupt, &mut state, &running()), Some(Asked::Interrupt));
}

#[test]
fn an_abort_needs_a_yes() {
    let mut state = State::default();
    assert_eq!(type_in(&mut state, "an"), []);
    assert!(!state.asks_abort);
    assert_eq!(type_in(&mut state, "ay"), [Asked::Operator(Operator::Abort)]);
    assert_eq!(type_in(&mut state, "qy"), [Asked::Operator(Operator::Abort)]);
}

#[test]
fn f_changes_nothing_before_the_fault_is_seen_to_be_selected() {
    let mut state = State::default();
    assert_eq!(type_in(&mut state, "f"), []);
    assert_eq!(state.page, FAULTS);
    assert_eq!(type_in(&mut state, "jf"), [Asked::Operator(Operator::Fault(1))]);
}

#[test]
fn the_toggled_fault_is_the_one_that_is_shown_as_selected_also_when_rows_are_filtered() {
    let mut state = State { page: FAULTS, ..State::default() };
    type_in(&mut state, "/kill");
    assert_eq!(press(key(KeyCode::Enter), &mut state, &running()), None);
    assert_eq!(type_in(&mut state, "f"), [Asked::Operator(Operator::Fault(1))]);
}

#[test]
fn a_note_is_taken_with_enter_and_left_with_escape() {
    let mut state = State::default();
    type_in(&mut state, "nfa q");
    assert_eq!(press(key(KeyCode::Esc), &mut state, &running()), None);
    type_in(&mut state, "nno space held");
    let noted = press(key(KeyCode::Enter), &mut state, &running());
    assert_eq!(noted, Some(Asked::Operator(Operator::Note("no space held".to_owned()))));
    type_in(&mut state, "n  ");
    assert_eq!(press(key(KeyCode::Enter), &mut state, &running()), None, "an empty note is none");
}

#[test]
fn a_row_that_is_not_there_cannot_be_selected() {
    let mut state = State { page: FAULTS, ..State::default() };
    type_in(&mut state, "jjjjjjjjj");
    assert_eq!(type_in(&mut state, "kf"), [Asked::Operator(Operator::Fault(1))]);
}

#[test]
fn a_frozen_picture_stays() {
    let mut state = State::default();
    type_in(&mut state, "z");
    assert_eq!(state.frozen.as_deref().map(|shown| shown.at_s), Some(running().at_s));
    type_in(&mut state, "z");
    assert!(state.frozen.is_none());
}

#[test]
fn any_key_leaves_the_help_and_does_nothing_else() {
    let mut state = State::default();
    type_in(&mut state, "?");
    assert!(state.help);
    assert_eq!(type_in(&mut state, " "), []);
    assert!(!state.help);
}
