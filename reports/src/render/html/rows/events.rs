//! The event log.

use crate::render::html::rows::dash;
use crate::render::{format, words};
use crate::results::{Event, OperatorData, Results};

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

/// What a person did, in sentences: `from 12 s to 15 s: held the timeline`.
pub fn by_hand(results: &Results) -> Vec<String> {
    let sentence = |act: &OperatorData| {
        let at = format::seconds(act.at_s);
        match act.until_s {
            Some(until) => format!("from {at} to {}: {}", format::seconds(until), words::by_hand(act)),
            None => format!("at {at}: {}", words::by_hand(act)),
        }
    };
    results.operator.iter().map(sentence).collect()
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
