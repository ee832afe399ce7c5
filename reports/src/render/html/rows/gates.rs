//! Gates, with everything that a verdict hangs on.

use crate::render::html::rows::dash;
use crate::render::{format, words};
use crate::results::{GateData, GateVerdict, Results};

/// One gate.
pub struct GateRow {
    /// Its id.
    pub id: String,
    /// What it measures, where.
    pub about: String,
    /// Line of the scenario.
    pub line: Option<usize>,
    /// Its verdict in words.
    pub verdict: &'static str,
    /// Its verdict as a class.
    pub class: &'static str,
    /// Measured.
    pub actual: String,
    /// `at most 150 ms`.
    pub limit: String,
    /// How the limit came about.
    pub note: String,
    /// Distance to the limit.
    pub margin: String,
    /// 95 % interval.
    pub interval: String,
    /// How many samples.
    pub samples: String,
}

/// Gates, failed first.
pub fn gates(results: &Results) -> Vec<GateRow> {
    let row = |gate: &GateData| {
        let (actual, limit) = words::sides(gate);
        GateRow {
            id: gate.id.clone(),
            about: format!("{} in {}", words::measured(gate), gate.window),
            line: gate.source_line,
            verdict: words::gate_verdict(gate.verdict),
            class: match gate.verdict {
                GateVerdict::Pass => "good",
                GateVerdict::Fail => "bad",
                GateVerdict::Inconclusive | GateVerdict::NotReached => "doubtful",
            },
            actual,
            limit: format!("{} {limit}", words::bound(gate)),
            note: gate.note.clone(),
            margin: words::margin(gate).unwrap_or_else(dash),
            interval: words::interval(gate).unwrap_or_else(dash),
            samples: format::count(gate.samples),
        }
    };
    words::gates_worst_first(&results.summary).into_iter().map(row).collect()
}
