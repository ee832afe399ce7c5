//! Page 5: failed requests by class and step.

use super::frame::clock;
use super::look::Tone;
use super::table::{Row, Table, number, text};
use crate::ui::snapshot::Snapshot;
use brunt_report::render::format;

const COLUMNS: [&str; 6] = ["class", "step", " count", " first", " last", "example"];

/// The page.
pub fn table(snapshot: &Snapshot) -> Table<'static> {
    let rows = snapshot.errors.iter().enumerate().map(|(index, error)| Row {
        index,
        cells: vec![
            text(error.class.clone(), Tone::Bad),
            text(format!("{}/{}", error.journey, error.step), Tone::Plain),
            number(format::count(error.count), Some(error.count as f64), Tone::Plain),
            number(clock(error.first_s), Some(error.first_s), Tone::Plain),
            number(clock(error.last_s), Some(error.last_s), Tone::Plain),
            text(error.examples.first().cloned().unwrap_or_default(), Tone::Dim),
        ],
        details: error.examples.iter().map(|example| format!("- {example}")).collect(),
    });
    Table { columns: &COLUMNS, rows: rows.collect(), empty: "no request has failed since warm-up" }
}
