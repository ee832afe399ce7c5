//! Page 3: who served what, warm-up left out; is the load even, and is one slower than its siblings?

use super::look::Tone;
use super::table::{Row, Table, number, text};
use crate::ui::snapshot::Snapshot;
use brunt_report::render::format;
use brunt_report::results::ServedData;

const COLUMNS: [&str; 8] = ["instance", "target", " requests", " share", " errors", " p50", " p99", " max"];

/// The page.
pub fn table(snapshot: &Snapshot) -> Table<'static> {
    let total = |target: &str| {
        let of_target = snapshot.instances.iter().filter(|served| served.target == target);
        of_target.filter_map(|served| served.windows.get("run")).map(|run| run.requests).sum::<u64>()
    };
    let all = snapshot.instances.iter().enumerate();
    let rows = all.map(|(index, served)| row(index, served, total(&served.target))).collect();
    Table { columns: &COLUMNS, rows, empty: "no instance has served anything yet" }
}

fn row(index: usize, served: &ServedData, total: u64) -> Row {
    let run = served.windows.get("run");
    let requests = run.map_or(0, |run| run.requests);
    let share = requests as f64 / total.max(1) as f64;
    let rate = run.map(|run| run.error_rate);
    let ms = |value: Option<f64>| number(format::maybe(value, "ms"), value, Tone::Plain);
    let mut details = vec![format!(
        "{} of {}, at {}",
        served.instance,
        served.target,
        served.address.as_deref().unwrap_or("no address")
    )];
    details.extend(served.windows.iter().map(|(name, window)| {
        let (requests, errors) = (format::counted(window.requests, "request"), format::count(window.errors));
        let ms = |value| format::maybe(value, "ms");
        format!("{name}: {requests}, {errors} failed, p50 {}, p99 {}", ms(window.p50_ms), ms(window.p99_ms))
    }));
    Row {
        index,
        cells: vec![
            text(served.instance.clone(), Tone::Plain),
            text(served.target.clone(), Tone::Dim),
            number(format::count(requests), Some(requests as f64), Tone::Plain),
            number(format::percent((share * 1000.0).round() / 1000.0), Some(share), Tone::Plain),
            number(
                format::maybe(rate, "fraction"),
                rate,
                if rate.is_some_and(|rate| rate > 0.0) { Tone::Bad } else { Tone::Plain },
            ),
            ms(run.and_then(|run| run.p50_ms)),
            ms(run.and_then(|run| run.p99_ms)),
            ms(run.and_then(|run| run.max_ms)),
        ],
        details,
    }
}
