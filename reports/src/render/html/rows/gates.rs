//! Gates and guardrails, with everything that a verdict hangs on.

use crate::render::html::rows::dash;
use crate::render::{format, words};
use crate::results::{GateData, GateVerdict, GuardrailData, GuardrailOutcome, Results};

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

/// One guardrail.
pub struct GuardrailRow {
    /// Its id.
    pub id: String,
    /// What it looks at.
    pub about: String,
    /// Line of the scenario.
    pub line: Option<usize>,
    /// What it came to.
    pub outcome: &'static str,
    /// The same as a class.
    pub class: &'static str,
    /// The value that stopped the run, or that came nearest.
    pub actual: String,
    /// Since when it was broken, if it stopped the run.
    pub since: Option<String>,
    /// `above 60 % for 10 s`.
    pub limit: String,
}

/// Guardrails, in the order of the scenario.
pub fn guardrails(results: &Results) -> Vec<GuardrailRow> {
    let row = |guard: &GuardrailData| GuardrailRow {
        id: guard.id.clone(),
        about: words::guarded(guard),
        line: guard.source_line,
        outcome: words::guardrail_outcome(guard),
        class: match guard.outcome {
            GuardrailOutcome::Held => "good",
            GuardrailOutcome::Tripped => "bad",
            GuardrailOutcome::Unknown => "doubtful",
        },
        actual: words::guard_actual(guard),
        since: guard.broken_since_s.map(format::seconds),
        limit: words::guard_limit(guard),
    };
    results.summary.guardrails.iter().map(row).collect()
}
