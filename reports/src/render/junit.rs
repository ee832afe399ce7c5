//! junit.xml: what a CI system lists. One suite a run, so one a cell of a matrix; a case for each gate,
//! each guardrail, for each fault as it was injected and removed, for each probe, and two for the run itself, `measurement-valid` and `run-completed`.
//!
//! A run that did not pass always has a case that is not green, and one that passed has none: a dashboard that only reads
//! this file must not contradict the exit code.

use std::time::Duration;

pub use quick_junit::TestSuite;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus};

use crate::render::{format, words};
use crate::results::{FaultData, GateData, GateVerdict, GuardrailData, GuardrailOutcome, ProbeData, Results, Verdict};

/// Renders the run as JUnit XML.
pub fn render(results: &Results) -> String {
    merged(vec![suite(results)])
}

/// The suites of several runs in one file.
pub fn merged(suites: Vec<TestSuite>) -> String {
    let mut report = Report::new("brunt");
    report.add_test_suites(suites);
    report.to_string().expect("serialising to memory cannot fail: names are cleaned when they become an XmlString")
}

/// The suite of a run that has no results: it could not begin (an error), or its turn never came (skipped).
pub fn suite_without_results(name: &str, begun: bool, why: &str) -> TestSuite {
    let mut status = if begun { TestCaseStatus::non_success(NonSuccessKind::Error) } else { TestCaseStatus::skipped() };
    status.set_type(if begun { "not begun" } else { "not run" });
    status.set_message(why);
    let mut case = TestCase::new("run-completed", status);
    case.set_classname(format!("{name}.run"));
    let mut suite = TestSuite::new(name);
    suite.add_test_case(case);
    suite
}

/// The suite of one run.
pub fn suite(results: &Results) -> TestSuite {
    let summary = &results.summary;
    let mut suite = TestSuite::new(summary.scenario.as_str());
    // As plain text: the attribute is the run's own start, and needs no calendar to be copied.
    suite.extra.insert("timestamp".into(), summary.started_at.as_str().into());
    suite.set_time(Duration::try_from_secs_f64(summary.duration_s).unwrap_or_default());
    for (name, value) in [
        ("verdict", words::verdict(summary.verdict).to_lowercase()),
        ("sentence", summary.sentence.clone()),
        ("exit_code", summary.exit_code.to_string()),
        ("seed", summary.seed.to_string()),
        ("scenario_sha256", summary.scenario_sha256.clone()),
        ("schedule_digest", summary.schedule_digest.clone()),
        ("brunt_version", summary.brunt_version.clone()),
    ] {
        suite.add_property(Property::new(name, value));
    }
    for (name, value) in &summary.labels {
        suite.add_property(Property::new(format!("label.{name}"), value.as_str()));
    }
    suite.add_test_cases(summary.gates.iter().map(|gate| case(results, "gates", &gate.id, gate_status(gate))));
    let guarded = |guard: &GuardrailData| case(results, "guardrails", &guard.id, guardrail_status(guard));
    suite.add_test_cases(summary.guardrails.iter().map(guarded));
    for fault in &summary.faults {
        suite.add_test_case(case(results, "faults", &format!("{} injected", fault.id), injected(fault)));
        suite.add_test_case(case(results, "faults", &format!("{} removed", fault.id), removed(fault)));
    }
    suite.add_test_cases(results.probes.iter().map(|probe| case(results, "probes", &probe.id, probe_status(probe))));
    suite.add_test_case(case(results, "run", "measurement-valid", measurement_valid(results)));
    let red = suite.failures + suite.errors > 0;
    suite.add_test_case(case(results, "run", "run-completed", completed(results, red)));
    suite
}

fn case(results: &Results, group: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.{group}", results.summary.scenario));
    case
}

fn gate_status(gate: &GateData) -> TestCaseStatus {
    let mut status = match (gate.verdict, gate.if_inconclusive.as_str()) {
        (GateVerdict::Pass, _) | (GateVerdict::Inconclusive, "pass") => TestCaseStatus::success(),
        (GateVerdict::Fail, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (GateVerdict::Inconclusive, "warn") | (GateVerdict::NotReached, _) => TestCaseStatus::skipped(),
        (GateVerdict::Inconclusive, _) => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let measured = words::measured(gate);
    status.set_type(words::gate_verdict(gate.verdict));
    status.set_message(match gate.verdict {
        GateVerdict::NotReached => format!("{measured} in {}: the window was not reached", gate.window),
        _ => format!("{measured} in {}: {}", gate.window, words::comparison(gate)),
    });
    let mut lines = vec![format!("samples: {}", format::count(gate.samples))];
    lines.extend(words::interval(gate).map(|interval| format!("95 % interval: {interval}")));
    if !gate.note.is_empty() {
        lines.push(gate.note.clone());
    }
    lines.extend(gate.source_line.map(|line| format!("line {line} of the scenario")));
    status.set_description(lines.join("\n"));
    status
}

fn guardrail_status(guard: &GuardrailData) -> TestCaseStatus {
    let message = format!("{} {}: {}", words::guarded(guard), words::guard_limit(guard), words::guard_actual(guard));
    let mut status = match guard.outcome {
        GuardrailOutcome::Held => return TestCaseStatus::success(),
        GuardrailOutcome::Tripped => TestCaseStatus::non_success(NonSuccessKind::Failure),
        GuardrailOutcome::Unknown => TestCaseStatus::skipped(),
    };
    status.set_type(words::guardrail_outcome(guard));
    status.set_message(message);
    let line = guard.source_line.map(|line| format!("line {line} of the scenario"));
    let since = guard.broken_since_s.map(|since| format!("broken since {}", format::seconds(since)));
    status.set_description(since.into_iter().chain(line).collect::<Vec<_>>().join("\n"));
    status
}

fn injected(fault: &FaultData) -> TestCaseStatus {
    if fault.injecting_at_s.is_none() {
        let mut status = TestCaseStatus::skipped();
        status.set_message(if fault.reason.is_empty() { "never injected" } else { &fault.reason });
        return status;
    }
    if fault.verified {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("not verified");
    status.set_message(format!("{} on {}: {}", fault.kind, fault.target, words::verification(fault)));
    status
}

fn removed(fault: &FaultData) -> TestCaseStatus {
    if fault.injecting_at_s.is_none() {
        let mut status = TestCaseStatus::skipped();
        status.set_message("never injected");
        return status;
    }
    if fault.rollback_verified != Some(false) {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type("rollback incomplete");
    status.set_message(format!("{} on {} could not be undone", fault.kind, fault.target));
    status.set_description(fault.residue.join("\n"));
    status
}

/// A probe that fails while something is broken is what it is for; only one that never held is a failure of its own.
fn probe_status(probe: &ProbeData) -> TestCaseStatus {
    if probe.asked == 0 {
        let mut status = TestCaseStatus::skipped();
        status.set_message("never asked");
        return status;
    }
    if probe.failed < probe.asked {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(format!("failed {} of {} times", format::count(probe.failed), format::count(probe.asked)));
    status.set_description(probe.last_failure.as_deref().unwrap_or_default());
    status
}

fn measurement_valid(results: &Results) -> TestCaseStatus {
    let summary = &results.summary;
    if summary.health.valid && summary.verdict != Verdict::Invalid {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("invalid");
    status.set_message(summary.health.reasons.first().unwrap_or(&summary.sentence).as_str());
    status.set_description(summary.health.reasons.join("\n"));
    status
}

/// The last resort: whatever kept the run from passing and has no case of its own stands here.
fn completed(results: &Results, red: bool) -> TestCaseStatus {
    let summary = &results.summary;
    let fine = match summary.verdict {
        Verdict::Pass => true,
        Verdict::Aborted => false,
        Verdict::Fail | Verdict::Invalid | Verdict::Inconclusive => red,
    };
    if fine {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(words::verdict(summary.verdict).to_lowercase());
    status.set_message(summary.sentence.as_str());
    status
}
