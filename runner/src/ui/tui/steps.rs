//! Page 2: each step, now beside the baseline.

use super::look::Tone;
use super::table::{Row, Table, number, text};
use crate::ui::snapshot::Snapshot;
use brunt_report::recorder::live::tables::StepStatus;
use brunt_report::render::format;

const COLUMNS: [&str; 8] = ["step", " rate", " errors", " p50", " p90", " p99", " base p99", " change"];

/// The page.
pub fn table(snapshot: &Snapshot) -> Table<'static> {
    let rows = snapshot.steps.iter().enumerate().map(|(index, step)| row(index, step)).collect();
    Table { columns: &COLUMNS, rows, empty: "no steps" }
}

fn row(index: usize, step: &StepStatus) -> Row {
    let now = &step.recent;
    let base = step.base.as_ref().and_then(|base| base.p99_ms);
    let ms = |value: Option<f64>| number(format::maybe(value, "ms"), value, Tone::Plain);
    let change = now.p99_ms.zip(base).filter(|(_, base)| *base > 0.0).map(|(now, base)| now / base);
    let rate = now.error_rate();
    let share = format::maybe(rate, "fraction");
    Row {
        index,
        cells: vec![
            text(format!("{}/{}", step.series.journey, step.series.step), Tone::Plain),
            number(format::per_second(now.completed_per_s()), Some(now.completed_per_s()), Tone::Plain),
            number(share, rate, if rate.is_some_and(|rate| rate > 0.0) { Tone::Bad } else { Tone::Plain }),
            ms(now.p50_ms),
            ms(now.p90_ms),
            ms(now.p99_ms),
            ms(base),
            number(super::overview::times(change), change, super::overview::tone_of_change(change)),
        ],
        details: vec![
            format!("{}/{}: the last 5 s are in the table", step.series.journey, step.series.step),
            format!("since warm-up: {}", in_words(&step.total)),
            step.base.as_ref().map_or("no baseline yet".to_owned(), |base| format!("baseline: {}", in_words(base))),
        ],
    }
}

fn in_words(span: &brunt_report::recorder::live::LiveSpan) -> String {
    let ms = |value| format::maybe(value, "ms");
    format!(
        "{}, {} failed, p50 {}, p90 {}, p99 {}, max {}",
        format::counted(span.completed, "request"),
        format::count(span.errors),
        ms(span.p50_ms),
        ms(span.p90_ms),
        ms(span.p99_ms),
        ms(span.max_ms),
    )
}
