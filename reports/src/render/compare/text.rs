//! Two runs in the terminal: who they are, what forbids to compare them, then a table.

use std::fmt::Write as _;

use super::{CAVEAT, change, counts, faults, gates, interval, side, verdict};
use crate::compare::Comparison;
use crate::render::words;
use crate::results::Results;

/// More windows than this are left to the page.
const WINDOWS: usize = 8;

/// Renders the table. `names` is how the two runs were given on the command line.
pub fn render(comparison: &Comparison<'_>, names: [&str; 2]) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{}", words::printable(text.trim_end())).expect("a string takes it");
    for (which, run, name) in [("first", comparison.first, names[0]), ("second", comparison.second, names[1])] {
        line(format!("{which:<7} {}  {name}", about(run)));
    }
    line(String::new());
    for difference in &comparison.differences {
        let mark = if difference.forbids { "NOT COMPARABLE" } else { "differs" };
        line(format!("{mark}: {}: {}", difference.what, difference.sentence));
    }
    if !comparison.differences.is_empty() {
        line(String::new());
    }
    line(format!("{:<34} {:>12} {:>12} {:>14}   {}", "window", "first", "second", "change", "95 % interval"));
    for window in comparison.windows.iter().take(WINDOWS) {
        line(format!("{}  ({})", window.name, counts(window)));
        for figure in &window.figures {
            let (first, second) = (side(figure.first, figure.unit), side(figure.second, figure.unit));
            let mark = if figure.stands_out() { "*" } else { " " };
            line(format!(
                "  {:<32} {first:>12} {second:>12} {:>14} {mark} {}",
                figure.name,
                change(figure),
                interval(figure)
            ));
        }
    }
    if comparison.windows.len() > WINDOWS {
        line(format!("{} more windows: --out DIR writes a page with all of them", comparison.windows.len() - WINDOWS));
    }
    for (title, rows) in [("gate", gates(comparison)), ("fault", faults(comparison))] {
        if rows.is_empty() {
            continue;
        }
        line(String::new());
        line(title.to_owned());
        for row in rows {
            line(format!("  {}", row.id));
            line(format!("    first   {}", row.first.0));
            line(format!("    second  {}", row.second.0));
        }
    }
    line(String::new());
    line("Intervals hold what varied within the runs; * marks a change beyond that. None for latencies where fewer than ten".to_owned());
    line("blocks of time fit into a window.".to_owned());
    line(CAVEAT.to_owned());
    out
}

fn about(run: &Results) -> String {
    format!("{:<28} {}  seed {}", verdict(run), run.summary.started_at, run.summary.seed)
}
