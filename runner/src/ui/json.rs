//! The lines of [`super::plain`] as JSON objects, one a line; units stand in the names.

use brunt_report::results::Event;
use serde_json::{Map, Value, json};

use super::{Live, subject_key};

/// One event: `{"at_s":12.25,"event":"fault.active","fault":"slow-payment","text":"..."}`.
pub fn event(event: &Event) -> String {
    let mut line = Map::new();
    line.insert("at_s".into(), json!(event.at_s));
    line.insert("event".into(), json!(event.kind));
    if let Some(key) = subject_key(&event.kind) {
        line.insert(key.into(), json!(event.subject));
    }
    line.insert("text".into(), json!(event.text));
    Value::Object(line).to_string()
}

/// How it goes; a value that does not exist is null.
pub fn status(live: &Live) -> String {
    json!({
        "at_s": live.at.as_secs_f64(),
        "status": "running",
        "requests": live.requests,
        "errors": live.errors,
        "dropped": live.dropped,
        "in_flight": live.in_flight,
        "rate_per_s": live.per_second,
        "error_rate": live.error_rate,
        "p50_ms": live.p50_ms,
        "p99_ms": live.p99_ms,
    })
    .to_string()
}
