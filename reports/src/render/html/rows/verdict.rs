//! What the report begins with: findings, and the facts that say whether it held, what broke and when it recovered.

use crate::render::html::rows::{Fact, fact};
use crate::render::{format, objectives, words};
use crate::results::{FaultData, Finding, GateVerdict, Results};

/// One of the findings that the report begins with.
pub struct FindingRow {
    /// From 1; the mark in the timeline has the same.
    pub number: usize,
    /// error, warning or note.
    pub severity: &'static str,
    /// A sentence.
    pub text: String,
    /// When, if at an instant: then it links to the timeline.
    pub at: Option<String>,
    /// What stands above the last lines of an instance.
    pub last_words: Option<String>,
    /// These.
    pub last_lines: Vec<String>,
}

/// The findings that link to their moment.
pub fn findings(results: &Results) -> Vec<FindingRow> {
    let row = |(index, finding): (usize, &Finding)| FindingRow {
        number: index + 1,
        severity: words::severity(finding.severity),
        text: finding.text.clone(),
        at: finding.at_s.map(format::seconds),
        last_words: finding.instance.as_ref().map(words::last_words),
        last_lines: finding.instance.as_ref().map(|instance| instance.last_lines.clone()).unwrap_or_default(),
    };
    words::top_findings(&results.summary).into_iter().enumerate().map(row).collect()
}

/// Did it hold, what broke, when did it recover, can it be trusted.
pub fn facts(results: &Results) -> Vec<Fact> {
    let summary = &results.summary;
    let (gates, bad_gates) = gates_fact(results);
    let (faults, bad_faults) = faults_fact(&summary.faults);
    let (recovery, bad_recovery) = recovery_fact(&summary.faults);
    let lost = lost_s(results);
    let steady = match (results.slos.is_empty(), lost > 0.0) {
        (true, _) => "not defined".to_owned(),
        (_, true) => format!("lost for {}", format::seconds(lost)),
        _ if results.series.is_empty() => "not measured".to_owned(),
        _ => "held throughout".to_owned(),
    };
    let window = summary.windows.get("run").or_else(|| summary.windows.get("baseline"));
    let requests = window.map_or_else(
        || "none".to_owned(),
        |run| match run.error_rate {
            Some(rate) if rate > 0.0 => format!("{}, {} failed", format::count(run.requests), format::percent(rate)),
            Some(_) => format!("{}, none failed", format::count(run.requests)),
            None => "none".to_owned(),
        },
    );
    vec![
        fact("Gates", gates, bad_gates),
        fact("Faults", faults, bad_faults),
        fact("Steady state", steady, false),
        fact("Recovery", recovery, bad_recovery),
        fact("Requests", requests, false),
        fact("Measurement", measurement(results).to_owned(), !summary.health.valid),
    ]
}

fn measurement(results: &Results) -> &'static str {
    let health = &results.summary.health;
    match (health.valid, health.scheduled.max(health.started)) {
        (false, _) => "not valid",
        (true, 0) => "no data",
        (true, _) => "valid",
    }
}

/// Whether the figures can be trusted, in a sentence.
pub fn trust(results: &Results) -> &'static str {
    match measurement(results) {
        "valid" => "The generator kept its schedule; its figures can be trusted.",
        "no data" => "Nothing was sent, so there is nothing to trust or to doubt.",
        _ => "The figures of this run cannot be trusted.",
    }
}

fn gates_fact(results: &Results) -> (String, bool) {
    let gates = &results.summary.gates;
    let counted = |verdict| gates.iter().filter(|gate| gate.verdict == verdict).count();
    let failed = counted(GateVerdict::Fail);
    let undecided = counted(GateVerdict::Inconclusive) + counted(GateVerdict::NotReached);
    match (gates.len(), failed, undecided) {
        (0, ..) => ("none".to_owned(), false),
        (all, 0, 0) => (if all == 1 { "the one gate held".to_owned() } else { format!("all {all} held") }, false),
        (all, 0, undecided) => (format!("{undecided} of {all} undecided"), true),
        (all, failed, _) => (format!("{failed} of {all} failed"), true),
    }
}

fn faults_fact(faults: &[FaultData]) -> (String, bool) {
    let injected = faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count();
    let verified = faults.iter().filter(|fault| fault.injecting_at_s.is_some() && fault.verified).count();
    match (faults.len(), injected) {
        (0, _) => ("none".to_owned(), false),
        (all, 0) => (format!("none of {all} injected"), true),
        (all, injected) if injected < all => (format!("{injected} of {all} injected, {verified} verified"), true),
        (_, injected) if verified < injected => (format!("{verified} of {injected} verified"), true),
        (1, _) => ("1, verified".to_owned(), false),
        (_, injected) => (format!("{injected}, all verified"), false),
    }
}

fn recovery_fact(faults: &[FaultData]) -> (String, bool) {
    let lost = faults.iter().filter(|fault| fault.recovered == Some(false)).count();
    let times = faults.iter().filter(|fault| fault.recovered == Some(true)).filter_map(|fault| fault.recovery_time_s);
    let (count, slowest) = times.fold((0, 0.0), |(count, slowest), time| (count + 1, f64::max(slowest, time)));
    match (lost, count) {
        (0, 0) => ("not measured".to_owned(), false),
        (0, 1) => (format!("in {}", format::seconds(slowest)), false),
        (0, _) => (format!("slowest in {}", format::seconds(slowest)), false),
        (1, _) => ("1 fault did not recover".to_owned(), true),
        (lost, _) => (format!("{lost} faults did not recover"), true),
    }
}

/// How long any objective was lost: overlapping spans count once.
fn lost_s(results: &Results) -> f64 {
    let mut spans = objectives::all_lost(results);
    spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut until = f64::NEG_INFINITY;
    spans.iter().fold(0.0, |sum, &[from, to]| {
        let new = (to - from.max(until)).max(0.0);
        until = until.max(to);
        sum + new
    })
}
