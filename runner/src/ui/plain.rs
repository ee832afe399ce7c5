//! `key=value` lines (logfmt): `at=12.250s event=fault.active fault=slow-payment text="in place on ..."`.
//!
//! Keys and their order are stable; new keys are added at the end. A value with a space, a quote or an equals sign stands
//! in quotes, with `\"`, `\\` and `\n` inside.

use brunt_report::results::Event;

use super::{Live, subject_key};

/// One event.
pub fn event(event: &Event) -> String {
    let mut line = format!("at={:.3}s event={}", event.at_s, value(&event.kind));
    if let Some(key) = subject_key(&event.kind) {
        line.push_str(&format!(" {key}={}", value(&event.subject)));
    }
    if !event.text.is_empty() {
        line.push_str(&format!(" text={}", value(&event.text)));
    }
    line
}

/// How it goes.
pub fn status(live: &Live) -> String {
    let optional = |number: Option<f64>, unit: &str| number.map_or_else(|| "-".into(), |n| format!("{n:.2}{unit}"));
    format!(
        "at={:.3}s status=running requests={} errors={} dropped={} in_flight={} rate={:.1}/s error_rate={} p50={} p99={}",
        live.at.as_secs_f64(),
        live.requests,
        live.errors,
        live.dropped,
        live.in_flight,
        live.per_second,
        optional(live.error_rate.map(|rate| rate * 100.0), "%"),
        optional(live.p50_ms, "ms"),
        optional(live.p99_ms, "ms"),
    )
}

fn value(text: &str) -> String {
    let bare = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            // Anything else that moves the cursor comes from a service's output, and is not wanted in a log.
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
