//! summary.md: what a pull request shows. Short enough for a comment; the rest is in report.html.

use crate::render::{crew, format, words};
use crate::results::{CrewData, FaultData, GateData, GuardrailData, InstanceData, Results};

/// More rows than this make a comment that nobody reads; the rest is counted.
const ROWS: usize = 20;

/// Renders the run as GitHub-flavoured Markdown.
pub fn render(results: &Results) -> String {
    let summary = &results.summary;
    let mut out =
        format!("## {}: {}\n\n{}\n", words::verdict(summary.verdict), text(&summary.scenario), text(&summary.sentence));
    gates(&mut out, &words::gates_worst_first(summary));
    guardrails(&mut out, &summary.guardrails);
    faults(&mut out, &summary.faults);
    findings(&mut out, results);
    out.push_str(&format!("\n{}\n", text(&words::generator(results))));
    for reason in summary.health.reasons.iter().chain(&summary.health.warnings) {
        out.push_str(&format!("- {}\n", text(reason)));
    }
    if let Some(crew) = &results.crew {
        workers(&mut out, crew);
    }
    out.push_str(&format!(
        "\nRepeat with {} · schedule {} · brunt {} · {} · started {}\n",
        code(&words::repeat(results)),
        code(summary.schedule_digest.get(..12).unwrap_or(&summary.schedule_digest)),
        text(&summary.brunt_version),
        format::seconds(summary.duration_s),
        text(&summary.started_at),
    ));
    out
}

fn gates(out: &mut String, gates: &[&GateData]) {
    if gates.is_empty() {
        return;
    }
    out.push_str("\n| gate | | measured | limit | margin | samples |\n|---|---|---:|---:|---:|---:|\n");
    for gate in gates.iter().take(ROWS) {
        let (actual, limit) = words::sides(gate);
        let line = gate.source_line.map(|line| format!(", line {line}")).unwrap_or_default();
        out.push_str(&format!(
            "| **{}** {} in {}{line} | {} | {actual} | {} {limit} | {} | {} |\n",
            text(&gate.id),
            text(&words::measured(gate)),
            text(&gate.window),
            words::gate_verdict(gate.verdict),
            words::bound(gate),
            words::margin(gate).unwrap_or_else(|| format::NONE.to_owned()),
            format::count(gate.samples),
        ));
    }
    rest(out, gates.len(), "gates");
}

fn guardrails(out: &mut String, guardrails: &[GuardrailData]) {
    if guardrails.is_empty() {
        return;
    }
    out.push_str("\n| guardrail | | stops the run | worst |\n|---|---|---|---:|\n");
    for guard in guardrails.iter().take(ROWS) {
        out.push_str(&format!(
            "| **{}** {} | {} | {} | {} |\n",
            text(&guard.id),
            text(&words::guarded(guard)),
            words::guardrail_outcome(guard),
            words::guard_limit(guard),
            words::guard_actual(guard),
        ));
    }
    rest(out, guardrails.len(), "guardrails");
}

fn faults(out: &mut String, faults: &[FaultData]) {
    if faults.is_empty() {
        return;
    }
    out.push_str(
        "\n| fault | effect | detected after | degraded for | recovery | rollback |\n|---|---|---:|---:|---|---|\n",
    );
    for fault in faults.iter().take(ROWS) {
        out.push_str(&format!(
            "| **{}** {} | {} | {} | {} | {} | {} |\n",
            text(&fault.id),
            text(&words::about(fault)),
            text(&words::verification(fault)),
            words::detection(fault),
            words::degraded(fault),
            words::recovery(fault),
            words::rollback(fault),
        ));
    }
    rest(out, faults.len(), "faults");
}

fn workers(out: &mut String, data: &CrewData) {
    out.push_str(&format!(
        "\n{}.\n\n| {} |\n|---|---|---:|---:|---:|---:|---:|\n",
        text(&crew::sentence(data)),
        crew::HEADS.join(" | ")
    ));
    let rows = crew::rows(data);
    for row in rows.iter().take(ROWS) {
        // No name in a cluster holds what would have to be escaped.
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    rest(out, rows.len(), "workers");
}

fn findings(out: &mut String, results: &Results) {
    let findings = words::top_findings(&results.summary);
    if findings.is_empty() {
        return;
    }
    out.push('\n');
    for finding in findings {
        let at = finding.at_s.map(|at| format!(" (at {})", format::seconds(at))).unwrap_or_default();
        out.push_str(&format!("- {}: {}{at}\n", words::severity(finding.severity), text(&finding.text)));
        if let Some(instance) = &finding.instance {
            last_lines(out, instance);
        }
    }
}

/// Folded away, and as they are: a fence that no run of backticks inside can close. Indented, so that it belongs to its
/// finding.
fn last_lines(out: &mut String, instance: &InstanceData) {
    let lines: Vec<String> = instance.last_lines.iter().map(|line| words::printable(line)).collect();
    if lines.is_empty() {
        out.push_str(&format!("  ({})\n", text(&words::last_words(instance))));
        return;
    }
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let summary = text(&words::last_words(instance));
    out.push_str(&format!("\n  <details><summary>{summary}</summary>\n\n  {fence}text\n"));
    lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    out.push_str(&format!("  {fence}\n\n  </details>\n\n"));
}

fn rest(out: &mut String, all: usize, what: &str) {
    if all > ROWS {
        out.push_str(&format!("\n... and {} more {what} in the report.\n", all - ROWS));
    }
}

/// Text that stays text: no table cell is broken, no markup, no HTML, and nobody is notified by a name in a scenario.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in words::printable(raw).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A zero-width space: the name reads the same and is no mention.
            '@' => out.push_str("@\u{200b}"),
            _ => out.push(c),
        }
    }
    out
}

/// A code span around anything: the fence is longer than every run of backticks inside.
fn code(raw: &str) -> String {
    let clean = words::printable(raw);
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{clean}{fence}") } else { format!("{fence} {clean} {fence}") }
}
