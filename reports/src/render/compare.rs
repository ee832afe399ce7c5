//! Two runs beside each other: a short table for the terminal, and a page with the charts on the same scales.

pub mod html;
pub mod text;

use crate::compare::windows::{Figure, WindowPair};
use crate::compare::{Comparison, Pair};
use crate::render::{format, words};
use crate::results::{FaultData, GateData, GateVerdict, Results};

/// What two runs cannot say, wherever they are compared.
pub const CAVEAT: &str = "Two runs show a difference, not its cause, nor that it is more than two runs of the same thing differ \
                          by. Judging sets of runs is not built yet.";

/// `1.05x`, or `+2.1 points` for a share.
pub fn change(figure: &Figure) -> String {
    match (figure.change, figure.unit) {
        (None, _) => format::NONE.to_owned(),
        (Some(change), "fraction") => points(change),
        (Some(change), _) => format!("{change:.2}x"),
    }
}

/// `0.98x to 1.12x`; a dash where the windows are too short to tell.
pub fn interval(figure: &Figure) -> String {
    match (figure.interval, figure.unit) {
        (None, _) => format::NONE.to_owned(),
        (Some([low, high]), "fraction") => format!("{} to {}", points(low), points(high)),
        (Some([low, high]), _) => format!("{low:.2}x to {high:.2}x"),
    }
}

fn points(difference: f64) -> String {
    let points = difference * 100.0;
    let places = if points.abs() < 1.0 { 2 } else { 1 };
    let text = format!("{points:+.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{} points", if ["+0", "-0"].contains(&text) { "0" } else { text })
}

/// A figure in one of the runs.
pub fn side(value: Option<f64>, unit: &str) -> String {
    format::maybe(value, unit)
}

/// `3,141 and 3,120 requests`.
pub fn counts(window: &WindowPair) -> String {
    let count = |count: Option<u64>| count.map_or_else(|| "no such window".to_owned(), format::count);
    format!("{} and {} requests", count(window.first), count(window.second))
}

/// `FAIL, exit code 99`.
pub fn verdict(run: &Results) -> String {
    format!("{}, exit code {}", words::verdict(run.summary.verdict), run.summary.exit_code)
}

/// `453 ms > 150 ms`.
pub fn gate(gate: Option<&GateData>) -> (String, &'static str) {
    let Some(gate) = gate else { return ("not in this run".to_owned(), "") };
    let class = match gate.verdict {
        GateVerdict::Pass => "good",
        GateVerdict::Fail => "bad",
        GateVerdict::Inconclusive | GateVerdict::NotReached => "doubtful",
    };
    (format!("{}: {}", words::gate_verdict(gate.verdict), words::comparison(gate)), class)
}

/// `recovered in 350 ms, degraded for 5.9 s`.
pub fn fault(fault: Option<&FaultData>) -> (String, &'static str) {
    let Some(fault) = fault else { return ("not in this run".to_owned(), "") };
    if fault.injecting_at_s.is_none() {
        return ("not injected".to_owned(), "doubtful");
    }
    let effect = if fault.verified { String::new() } else { format!("; {}", words::verification(fault)) };
    let degraded = match words::degraded(fault) {
        never if never == "never" => "the steady state held".to_owned(),
        none if none == format::NONE => String::new(),
        span => format!("degraded for {span}"),
    };
    let recovery = if fault.recovered.is_none() { String::new() } else { words::recovery(fault) };
    let said: Vec<&str> = [recovery.as_str(), degraded.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
    let said = if said.is_empty() { "recovery not measured".to_owned() } else { said.join(", ") };
    let bad = fault.recovered == Some(false) || fault.rollback_verified == Some(false);
    (format!("{said}{effect}"), if bad { "bad" } else { "" })
}

/// One row of a table with a side for each run.
pub struct Row {
    /// Its id.
    pub id: String,
    /// What it is, in words.
    pub about: String,
    /// In the first run, and its class.
    pub first: (String, &'static str),
    /// In the second run.
    pub second: (String, &'static str),
}

/// All gates.
pub fn gates(comparison: &Comparison<'_>) -> Vec<Row> {
    let row = |pair: &Pair<&GateData>| Row {
        id: pair.id.clone(),
        about: pair
            .first
            .or(pair.second)
            .map(|gate| format!("{} in {}", words::measured(gate), gate.window))
            .unwrap_or_default(),
        first: gate(pair.first),
        second: gate(pair.second),
    };
    comparison.gates.iter().map(row).collect()
}

/// All faults.
pub fn faults(comparison: &Comparison<'_>) -> Vec<Row> {
    let row = |pair: &Pair<&FaultData>| Row {
        id: pair.id.clone(),
        about: pair.first.or(pair.second).map(words::about).unwrap_or_default(),
        first: fault(pair.first),
        second: fault(pair.second),
    };
    comparison.faults.iter().map(row).collect()
}
