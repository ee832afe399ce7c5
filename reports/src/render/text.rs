//! What a person sees in the terminal when a run has ended.

use std::fmt::Write as _;

use crate::render::{crew, format, words};
use crate::results::{GateVerdict, GuardrailOutcome, Results, Severity, Verdict};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Colours by ANSI escapes, from the terminal's own theme.
    pub color: bool,
    /// Marks and dashes in ASCII only.
    pub ascii: bool,
}

/// Where a colour stands for: the terminal's theme decides what it looks like.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Good,
    Bad,
    Doubtful,
    Faint,
    Strong,
}

/// Renders the end of a run, several lines, each ended by a newline.
pub fn render(results: &Results, style: Style) -> String {
    let page = Page { results, style };
    let mut out = String::new();
    page.verdict(&mut out);
    page.windows(&mut out);
    page.gates(&mut out);
    page.guardrails(&mut out);
    page.faults(&mut out);
    page.pods(&mut out);
    page.findings(&mut out);
    page.generator(&mut out);
    page.workers(&mut out);
    if style.ascii { in_ascii(&out) } else { out }
}

struct Page<'a> {
    results: &'a Results,
    style: Style,
}

impl Page<'_> {
    fn verdict(&self, out: &mut String) {
        let summary = &self.results.summary;
        let ink = match summary.verdict {
            Verdict::Pass => Ink::Good,
            Verdict::Fail | Verdict::Aborted => Ink::Bad,
            Verdict::Invalid | Verdict::Inconclusive => Ink::Doubtful,
        };
        line(
            out,
            &format!(
                "{}  {}  {}",
                self.paint(words::verdict(summary.verdict), ink),
                self.paint(&words::printable(&summary.scenario), Ink::Strong),
                self.paint(&format!("{}, seed {}", format::seconds(summary.duration_s), summary.seed), Ink::Faint),
            ),
        );
        line(out, &words::printable(&summary.sentence));
    }

    fn windows(&self, out: &mut String) {
        let windows = words::windows_in_order(&self.results.summary.windows);
        if windows.is_empty() {
            return;
        }
        let mut table = Table::new(&["window", "requests", "rate", "p50", "p95", "p99", "max", "errors"], 1);
        for (name, window) in windows {
            let latency = &window.latency_ms;
            table.row([
                words::printable(name),
                format::count(window.requests),
                format::per_second(window.completed_per_s),
                format::maybe(latency.p50, "ms"),
                format::maybe(latency.p95, "ms"),
                format::maybe(latency.p99, "ms"),
                format::maybe(latency.max, "ms"),
                format::maybe(window.error_rate, "fraction"),
            ]);
        }
        out.push('\n');
        for (index, text) in table.lines().into_iter().enumerate() {
            line(out, &if index == 0 { self.paint(&text, Ink::Faint) } else { text });
        }
    }

    fn gates(&self, out: &mut String) {
        let gates = words::gates_worst_first(&self.results.summary);
        if gates.is_empty() {
            return;
        }
        let mut table = Table::new(&["gate", "", ""], 3);
        for gate in &gates {
            let about = format!("{} in {}", words::measured(gate), gate.window);
            table.row([words::printable(&gate.id), words::comparison(gate), words::printable(&about)]);
        }
        out.push('\n');
        let mut lines = table.lines().into_iter();
        line(out, &self.paint(&format!("  {}", lines.next().unwrap_or_default()), Ink::Faint));
        for (gate, text) in gates.iter().zip(lines) {
            line(out, &format!("{} {text}", self.mark(gate.verdict)));
            if gate.verdict != GateVerdict::Pass && !gate.note.is_empty() {
                line(out, &self.paint(&format!("    {}", words::printable(&gate.note)), Ink::Faint));
            }
        }
    }

    fn guardrails(&self, out: &mut String) {
        let guardrails = &self.results.summary.guardrails;
        if guardrails.is_empty() {
            return;
        }
        let mut table = Table::new(&["guardrail", "", "stops the run", "worst"], 4);
        for guard in guardrails {
            table.row([
                words::printable(&guard.id),
                words::printable(&words::guarded(guard)),
                words::guard_limit(guard),
                words::guard_actual(guard),
            ]);
        }
        out.push('\n');
        let mut lines = table.lines().into_iter();
        line(out, &self.paint(&format!("  {}", lines.next().unwrap_or_default()), Ink::Faint));
        for (guard, text) in guardrails.iter().zip(lines) {
            let mark = match guard.outcome {
                GuardrailOutcome::Held => self.mark(GateVerdict::Pass),
                GuardrailOutcome::Tripped => self.mark(GateVerdict::Fail),
                GuardrailOutcome::Unknown => self.mark(GateVerdict::Inconclusive),
            };
            line(out, &format!("{mark} {text}"));
        }
    }

    fn faults(&self, out: &mut String) {
        let faults = &self.results.summary.faults;
        if faults.is_empty() {
            return;
        }
        let mut table = Table::new(&["fault", "", "effect", "detected", "degraded", "recovery"], 6);
        for fault in faults {
            table.row([
                words::printable(&fault.id),
                words::printable(&words::about(fault)),
                words::printable(&words::verification(fault)),
                words::detection(fault),
                words::degraded(fault),
                words::recovery(fault),
            ]);
        }
        out.push('\n');
        for (index, text) in table.lines().into_iter().enumerate() {
            line(out, &if index == 0 { self.paint(&format!("  {text}"), Ink::Faint) } else { format!("  {text}") });
        }
        for fault in faults.iter().filter(|fault| fault.rollback_verified == Some(false)) {
            let left = if fault.residue.is_empty() { String::new() } else { format!(": {}", fault.residue.join("; ")) };
            let text = words::printable(&format!("{} could not be undone{left}", fault.id));
            line(out, &self.paint(&format!("! {text}"), Ink::Bad));
        }
    }

    /// Pods that went, and what came in their place.
    fn pods(&self, out: &mut String) {
        let went = self.results.pods.iter().filter(|pod| pod.ending_s.or(pod.gone_s).is_some());
        let mut table =
            Table::new(&["pod", "left after", "last request", "replaced", "ready", "first request to the new one"], 1);
        let mut any = false;
        for pod in went {
            any = true;
            table.row([
                words::printable(&pod.name),
                format::maybe(pod.endpoint_removal_lag_s, "s"),
                format::maybe(pod.last_request_lag_s, "s"),
                format::maybe(pod.time_to_replace_s, "s"),
                format::maybe(pod.time_to_ready_s, "s"),
                format::maybe(pod.time_to_first_request_s, "s"),
            ]);
        }
        if !any {
            return;
        }
        out.push('\n');
        for (index, text) in table.lines().into_iter().enumerate() {
            line(out, &if index == 0 { self.paint(&format!("  {text}"), Ink::Faint) } else { format!("  {text}") });
        }
    }

    fn findings(&self, out: &mut String) {
        let findings = words::top_findings(&self.results.summary);
        if findings.is_empty() {
            return;
        }
        out.push('\n');
        for finding in findings {
            let ink = match finding.severity {
                Severity::Error => Ink::Bad,
                Severity::Warning => Ink::Doubtful,
                Severity::Info => Ink::Faint,
            };
            let at = finding.at_s.map(|at| format!(" (at {})", format::seconds(at))).unwrap_or_default();
            let severity = self.paint(words::severity(finding.severity), ink);
            line(out, &format!("{severity}: {}{at}", words::printable(&finding.text)));
            if let Some(instance) = &finding.instance {
                line(out, &self.paint(&format!("  {}", words::printable(&words::last_words(instance))), Ink::Faint));
                for said in &instance.last_lines {
                    line(out, &self.paint(&format!("  | {}", words::printable(said)), Ink::Faint));
                }
            }
        }
    }

    fn generator(&self, out: &mut String) {
        let health = &self.results.summary.health;
        out.push('\n');
        let ink = if health.valid { Ink::Faint } else { Ink::Doubtful };
        line(out, &self.paint(&words::generator(self.results), ink));
        for text in health.reasons.iter().chain(&health.warnings) {
            line(out, &self.paint(&format!("  {}", words::printable(text)), Ink::Doubtful));
        }
    }

    fn workers(&self, out: &mut String) {
        let Some(data) = &self.results.crew else { return };
        let mut table = Table::new(&crew::HEADS, 2);
        crew::rows(data).into_iter().for_each(|row| table.row(row));
        out.push('\n');
        line(out, &words::printable(&crew::sentence(data)));
        for (index, text) in table.lines().into_iter().enumerate() {
            line(out, &if index == 0 { self.paint(&text, Ink::Faint) } else { words::printable(&text) });
        }
    }

    fn mark(&self, verdict: GateVerdict) -> String {
        match verdict {
            GateVerdict::Pass => self.paint("✔", Ink::Good),
            GateVerdict::Fail => self.paint("✗", Ink::Bad),
            GateVerdict::Inconclusive => self.paint("?", Ink::Doubtful),
            GateVerdict::NotReached => self.paint("·", Ink::Faint),
        }
    }

    fn paint(&self, text: &str, ink: Ink) -> String {
        paint(self.style, text, ink)
    }
}

pub(super) fn paint(style: Style, text: &str, ink: Ink) -> String {
    if !style.color || text.is_empty() {
        return text.to_owned();
    }
    let code = match ink {
        Ink::Good => "1;32",
        Ink::Bad => "1;31",
        Ink::Doubtful => "1;33",
        Ink::Faint => "2",
        Ink::Strong => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Columns as wide as their widest cell: the first `left` flush left, the others flush right.
pub(super) struct Table {
    left: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str], left: usize) -> Self {
        Self { left, rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.add(cells.into());
    }

    /// As many cells as the head has.
    pub(super) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut text = String::new();
        for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let padded = if column < self.left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            write!(text, "{gap}{padded}").expect("writing to a string cannot fail");
        }
        text.trim_end().to_owned()
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// For terminals and logs that know nothing else. What has no substitute becomes `?`, a cell a cell, so columns stay.
pub(super) fn in_ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '✔' => '+',
            '✗' => 'x',
            '·' | '–' => '-',
            _ if c.is_ascii() => c,
            _ => '?',
        })
        .collect()
}
