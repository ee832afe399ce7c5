//! Page 6: everything that happened, the newest first.

use super::frame::clock;
use super::look::Tone;
use super::table::{Row, Table, text};
use crate::ui::snapshot::Snapshot;
use brunt_report::results::Event;

const COLUMNS: [&str; 4] = ["at", "event", "of", "text"];

/// The page.
pub fn table(snapshot: &Snapshot) -> Table<'static> {
    let rows = snapshot.events.iter().enumerate().rev().map(|(index, event)| Row {
        index,
        cells: vec![
            text(clock(event.at_s), Tone::Dim),
            text(event.kind.clone(), tone(event)),
            text(event.subject.clone(), Tone::Plain),
            text(event.text.clone(), Tone::Plain),
        ],
        details: vec![format!("{:.3} s  {}  {}", event.at_s, event.kind, event.subject), event.text.clone()],
    });
    Table { columns: &COLUMNS, rows: rows.collect(), empty: "nothing has happened yet" }
}

/// How much an event wants to be seen.
pub fn tone(event: &Event) -> Tone {
    let last = event.kind.rsplit('.').next().unwrap_or_default();
    match last {
        "broken" | "failed" | "absent" | "stuck" | "unverifiable" | "tripped" | "exited" => Tone::Bad,
        "signal" | "refused" | "hold" | "note" => Tone::Warn,
        "holds" | "verified" | "held" | "removed" => Tone::Good,
        _ if event.kind.starts_with("fault") => Tone::Fault,
        _ => Tone::Plain,
    }
}
