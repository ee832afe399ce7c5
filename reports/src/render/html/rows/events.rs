//! The event log.

use crate::render::html::rows::dash;
use crate::results::{Event, Results};

/// More rows of the event log than this are left to results.json.
const EVENTS: usize = 400;

/// One instant.
pub struct EventRow {
    /// When.
    pub at: String,
    /// What.
    pub kind: String,
    /// Of what.
    pub subject: String,
    /// In words.
    pub text: String,
}

/// What happened when.
pub fn events(results: &Results) -> Vec<EventRow> {
    let row = |event: &Event| EventRow {
        at: format!("{:.3} s", event.at_s),
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        text: event.text.clone(),
    };
    let mut rows: Vec<EventRow> = results.events.iter().take(EVENTS).map(row).collect();
    if results.events.len() > EVENTS {
        let text = format!("{} more events are in results.json", results.events.len() - EVENTS);
        rows.push(EventRow { at: dash(), kind: dash(), subject: dash(), text });
    }
    rows
}
