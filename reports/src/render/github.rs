//! Annotations for GitHub Actions: workflow commands on standard output that put a failed gate beside its line in the scenario.

use crate::render::words;
use crate::results::{GateVerdict, Results, Severity};

/// Renders one workflow command a line: gates that did not pass, then findings. Empty when there is nothing to say.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    for gate in words::gates_worst_first(&results.summary) {
        let level = match (gate.verdict, gate.if_inconclusive.as_str()) {
            (GateVerdict::Pass, _) | (GateVerdict::Inconclusive, "pass") => continue,
            (GateVerdict::Fail, _) => "error",
            (GateVerdict::Inconclusive, "warn") => "warning",
            (GateVerdict::Inconclusive, _) => "error",
            (GateVerdict::NotReached, _) => "notice",
        };
        let place = gate.source_line.map(|line| format!("file={},line={line},", property(&results.plan.source)));
        let mut message = format!("{} in {}: {}", words::measured(gate), gate.window, words::comparison(gate));
        if !gate.note.is_empty() {
            message = format!("{message} ({})", gate.note);
        }
        let title = format!("gate {}: {}", gate.id, words::gate_verdict(gate.verdict));
        command(&mut out, level, &place.unwrap_or_default(), &title, &message);
    }
    for finding in words::top_findings(&results.summary) {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        command(&mut out, level, "", &results.summary.scenario, &finding.text);
    }
    out
}

fn command(out: &mut String, level: &str, place: &str, title: &str, message: &str) {
    out.push_str(&format!("::{level} {place}title={}::{}\n", property(title), data(message)));
}

/// Escapes as the runner's own toolkit does (actions/toolkit, `packages/core/src/command.ts`).
fn data(raw: &str) -> String {
    raw.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(raw: &str) -> String {
    data(raw).replace(':', "%3A").replace(',', "%2C")
}
