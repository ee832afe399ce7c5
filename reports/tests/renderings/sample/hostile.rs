//! Everything that a scenario or a server may name is an attack.

use super::shop::shop;
use super::trouble::{ended_by_itself, guardrail};
use brunt_report::results::Results;

/// Everything that a scenario or a server may name is an attack.
pub fn hostile() -> Results {
    const EVIL: &str = "<script>alert('x')</script>\"|`]]>&amp;\u{1b}[31m\u{202e}";
    let mut results = shop();
    let summary = &mut results.summary;
    let named = |text: &mut String| *text = format!("{EVIL}{text}");
    named(&mut summary.scenario);
    named(&mut summary.sentence);
    summary.labels.insert(EVIL.to_owned(), EVIL.to_owned());
    for gate in &mut summary.gates {
        named(&mut gate.id);
        named(&mut gate.note);
        named(&mut gate.metric);
    }
    for fault in &mut summary.faults {
        for text in [&mut fault.id, &mut fault.target, &mut fault.kind, &mut fault.reason, &mut fault.mechanism] {
            named(text);
        }
        fault.instances.iter_mut().for_each(named);
        fault.residue.iter_mut().for_each(named);
    }
    summary.findings.insert(0, ended_by_itself());
    summary.findings.iter_mut().for_each(|finding| named(&mut finding.text));
    for instance in summary.findings.iter_mut().filter_map(|finding| finding.instance.as_mut()) {
        instance.status.iter_mut().for_each(named);
        named(&mut instance.log);
        instance.last_lines.iter_mut().for_each(named);
        instance.last_lines.push("```` </details>".to_owned());
    }
    summary.guardrails = vec![guardrail("errors", "error_rate", (0.6, "fraction"), Some((0.021, 12.9)), None)];
    for guard in &mut summary.guardrails {
        named(&mut guard.id);
        named(&mut guard.metric);
    }
    for error in &mut summary.errors {
        named(&mut error.class);
        named(&mut error.step);
        error.examples.iter_mut().for_each(named);
    }
    summary.health.warnings.push(EVIL.to_owned());
    summary.windows =
        std::mem::take(&mut summary.windows).into_iter().map(|(n, w)| (format!("{n}{EVIL}"), w)).collect();
    for event in &mut results.events {
        named(&mut event.text);
        named(&mut event.subject);
    }
    for slo in &mut results.slos {
        named(&mut slo.id);
    }
    for slice in results.series.iter_mut().flat_map(|series| &mut series.slices) {
        slice.errors = std::mem::take(&mut slice.errors).into_iter().map(|(n, c)| (format!("{n}{EVIL}"), c)).collect();
    }
    for series in &mut results.series {
        named(&mut series.step);
        named(&mut series.journey);
    }
    for probe in &mut results.probes {
        named(&mut probe.id);
    }
    results.spans.iter_mut().for_each(|span| span.window.push_str(EVIL));
    named(&mut results.plan.source);
    results.plan.load.iter_mut().for_each(named);
    named(&mut results.environment.command);
    results
}
