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

/// Names that are too long, run from right to left, or are drawn in colours: nothing wrong with them.
pub fn worded() -> Results {
    const LONG: &str =
        "the-payment-service-of-the-northern-region-answers-slowly-while-its-database-is-being-vacuumed-nightly";
    const RIGHT_TO_LEFT: &str = "שירות התשלומים איטי";
    const DRAWN: &str = "🛒 checkout — größe 年";
    let mut results = shop();
    let summary = &mut results.summary;
    summary.scenario = format!("{LONG}-{LONG}");
    summary.labels.insert("team".to_owned(), DRAWN.to_owned());
    for (old, new) in [("slow-payment", LONG), ("payment-killed", RIGHT_TO_LEFT)] {
        let renamed = |name: &str| name.replace(old, new);
        summary.windows = std::mem::take(&mut summary.windows).into_iter().map(|(n, w)| (renamed(&n), w)).collect();
        results.spans.iter_mut().for_each(|span| span.window = renamed(&span.window));
        for fault in summary.faults.iter_mut().filter(|fault| fault.id == old) {
            fault.id = new.to_owned();
            fault.instances =
                vec![format!("{LONG} (pid 4)"), RIGHT_TO_LEFT.to_owned(), DRAWN.to_owned(), "4".to_owned()];
            fault.target = new.to_owned();
        }
        for gate in &mut summary.gates {
            gate.window = renamed(&gate.window);
            gate.id = renamed(&gate.id);
        }
        for steps in summary.steps.values_mut().flat_map(|steps| steps.values_mut()) {
            steps.windows = std::mem::take(&mut steps.windows).into_iter().map(|(n, w)| (renamed(&n), w)).collect();
        }
        for series in &mut results.series {
            let histograms = std::mem::take(&mut series.histograms);
            series.histograms = histograms.into_iter().map(|(n, h)| (renamed(&n), h)).collect();
        }
        for served in &mut results.served {
            served.windows = std::mem::take(&mut served.windows).into_iter().map(|(n, w)| (renamed(&n), w)).collect();
            served.instance = served.instance.replace("gateway-1", LONG);
        }
        for event in &mut results.events {
            event.subject = renamed(&event.subject);
        }
    }
    summary.errors[0].class = DRAWN.to_owned();
    summary.errors[0].examples = vec![LONG.repeat(4), RIGHT_TO_LEFT.to_owned()];
    for slice in results.series.iter_mut().flat_map(|series| &mut series.slices) {
        let errors = std::mem::take(&mut slice.errors);
        slice.errors = errors.into_iter().map(|(n, c)| (if n == "reset" { LONG.to_owned() } else { n }, c)).collect();
    }
    results.slos[0].id = LONG.to_owned();
    results.probes[0].id = RIGHT_TO_LEFT.to_owned();
    results.probes[1].last_failure = Some(LONG.repeat(3));
    results.environment.cpu = LONG.to_owned();
    results
}
