//! Runs that went wrong.

use brunt_report::results::*;

use super::maker::Maker;
use super::shop::{event, gate, shop};

/// A guardrail ended it in the middle of the first fault: nothing after it happened.
pub fn aborted() -> Results {
    let mut results = shop();
    let end = 13.2;
    results.events.retain(|event| event.at_s < end);
    results.events.push(event(end, "guardrail.tripped", "too-slow", "latency.p95 of order was 452 ms"));
    results.events.push(event(end + 0.02, "fault.removed", "slow-payment", "rolled back"));
    for series in &mut results.series {
        series.slices.retain(|slice| slice.at_s < end);
        series.histograms.retain(|name, _| name == "baseline" || name == "warmup");
    }
    results.spans.retain(|span| span.from_s < end && span.window != "run");
    results.spans.iter_mut().for_each(|span| span.to_s = span.to_s.min(end));
    results.slos[0].broken = vec![[11.0, end]];
    results.slos[1].broken.clear();
    let summary = &mut results.summary;
    summary.duration_s = end;
    summary.verdict = Verdict::Aborted;
    summary.exit_code = 4;
    summary.sentence =
        "A guardrail stopped the run after 13.2 s; every fault was rolled back: `too-slow`: latency.p95 of \
                        buy/order over the last 1 s was 452 ms, the limit is at most 400 ms, broken since 12.2 s."
            .to_owned();
    summary.guardrails = vec![
        guardrail("too-slow", "latency.p95", (400.0, "ms"), Some((452.0, end)), Some(12.2)),
        guardrail("errors", "error_rate", (0.6, "fraction"), Some((0.021, 12.9)), None),
        guardrail("lag", "send_lag.p99", (10.0, "ms"), None, None),
    ];
    summary.windows.retain(|name, _| !name.contains("kill") && !name.starts_with("recovery"));
    for gate in summary.gates.iter_mut().filter(|gate| gate.window != "baseline") {
        gate.verdict = GateVerdict::NotReached;
        gate.actual = None;
        gate.interval = None;
        gate.samples = 0;
    }
    summary.faults[0].removed_at_s = Some(end + 0.02);
    summary.faults[0].removing_at_s = Some(end);
    summary.faults[0].recovered = None;
    summary.faults[0].recovery_time_s = None;
    let killed = &mut summary.faults[1];
    (killed.injecting_at_s, killed.active_at_s, killed.removing_at_s, killed.removed_at_s) = (None, None, None, None);
    (killed.time_to_detect_s, killed.degraded_for_s, killed.recovery_time_s, killed.recovered) =
        (None, None, None, None);
    killed.verified = false;
    killed.reason = "not reached".to_owned();
    killed.instances.clear();
    summary.findings = vec![Finding {
        severity: Severity::Error,
        text: "Guardrail `too-slow` stopped the run.".to_owned(),
        at_s: Some(end),
        instance: None,
    }];
    summary.errors.clear();
    results
}

pub fn guardrail(
    id: &str,
    metric: &str,
    (limit, unit): (f64, &str),
    seen: Option<(f64, f64)>,
    broken_since_s: Option<f64>,
) -> GuardrailData {
    let outcome = match (broken_since_s, seen) {
        (Some(_), _) => GuardrailOutcome::Tripped,
        (None, Some(_)) => GuardrailOutcome::Held,
        (None, None) => GuardrailOutcome::Unknown,
    };
    GuardrailData {
        id: id.to_owned(),
        outcome,
        metric: metric.to_owned(),
        journey: broken_since_s.map(|_| "buy".to_owned()),
        step: broken_since_s.map(|_| "order".to_owned()),
        bound: "max".to_owned(),
        limit,
        unit: unit.to_owned(),
        over_s: 1.0,
        for_s: if broken_since_s.is_some() { 1.0 } else { 0.0 },
        actual: seen.map(|(value, _)| value),
        at_s: seen.map(|(_, at)| at),
        broken_since_s,
        source_line: Some(61),
    }
}

/// An instance that ended by itself, with what it said last.
pub fn ended_by_itself() -> Finding {
    Finding {
        severity: Severity::Error,
        text: "service `payments`, instance 2, exited by itself: exit status 7".to_owned(),
        at_s: Some(14.2),
        instance: Some(InstanceData {
            service: "payments".to_owned(),
            index: 2,
            status: Some("exit status 7".to_owned()),
            log: "services/payments-2.log".to_owned(),
            last_lines: vec!["listening on 127.0.0.1:41237".to_owned(), "fatal: no such table: payments".to_owned()],
        }),
    }
}

/// Nothing answered, nothing was sent: no samples at all.
pub fn empty() -> Results {
    let mut results = Maker::new(0.0, 0.25, &[("baseline".to_owned(), 0.0, 0.0)]).finish("nothing-was-sent");
    let summary = &mut results.summary;
    summary.verdict = Verdict::Inconclusive;
    summary.exit_code = 5;
    summary.sentence = "No request was sent.".to_owned();
    let mut no_data = gate("default", "error_rate", "run", 0.0, 0.01, "fraction");
    (no_data.actual, no_data.samples, no_data.source_line) = (None, 0, None);
    no_data.verdict = GateVerdict::Inconclusive;
    no_data.note = "no samples".to_owned();
    summary.gates = vec![no_data];
    summary.health.in_flight_max = 0;
    summary.health.generator_cpu = 0.0;
    summary.health.send_lag_ms = LagData::default();
    summary.health.queued_ms = LagData::default();
    results
}

/// The generator could not keep up, a fault was never exercised, another never recovered and could not be undone.
pub fn invalid() -> Results {
    let mut results = shop();
    let summary = &mut results.summary;
    summary.verdict = Verdict::Invalid;
    summary.exit_code = 6;
    summary.sentence = "The generator could not keep up: 91.2 % of the schedule was started.".to_owned();
    summary.health.valid = false;
    summary.health.started = summary.health.scheduled * 912 / 1000;
    summary.health.dropped = summary.health.scheduled - summary.health.started;
    summary.health.send_lag_ms = LagData { p50: Some(3.2), p99: Some(41.0), max: Some(380.0) };
    summary.health.generator_cpu = 0.98;
    summary.health.reasons = vec![
        "91.2 % of the schedule was started, at least 99.5 % are needed: raise max_in_flight or --workers".to_owned(),
        "send lag p99 41 ms in fault:slow-payment, at most 10 ms is trusted: give brunt a core of its own".to_owned(),
    ];
    summary.health.warnings = vec!["generator cpu 98 %".to_owned()];
    summary.faults[0].verified = false;
    summary.faults[0].reason = "not exercised: no message passed the link".to_owned();
    summary.faults[1].rollback_verified = Some(false);
    summary.faults[1].recovered = Some(false);
    summary.faults[1].recovery_time_s = None;
    summary.faults[1].residue = vec!["payments-2 did not come back within 10 s".to_owned()];
    summary.findings.insert(0, ended_by_itself());
    results.slos[1].broken = vec![[19.4, 25.0]];
    // As many classes as the chart has shades for, with the longest names that there are.
    let classes = ["connect.refused", "connect.timeout", "status.5xx", "reset"];
    let slices = results.series.iter_mut().flat_map(|series| &mut series.slices);
    for (slice, class) in slices.filter(|slice| !slice.errors.is_empty()).zip(classes.into_iter().cycle()) {
        let count = slice.errors.values().sum();
        slice.errors = [(class.to_owned(), count)].into();
    }
    results
}

/// A person held the timeline, took a fault off, put it on again and wrote something down.
pub fn touched() -> Results {
    let mut results = shop();
    let act = |kind, at_s, until_s, fault: Option<&str>, text: &str| OperatorData {
        kind,
        at_s,
        until_s,
        fault: fault.map(str::to_owned),
        text: text.to_owned(),
    };
    results.operator = vec![
        act(OperatorKind::Note, 4.2, None, None, "dashboards <look> fine"),
        act(OperatorKind::Hold, 5.0, Some(8.5), None, ""),
        act(OperatorKind::FaultRemoved, 13.0, None, Some("slow-payment"), ""),
        act(OperatorKind::FaultInjected, 14.0, Some(16.0), Some("slow-payment"), ""),
    ];
    for gate in results.summary.gates.iter_mut().filter(|gate| gate.window == "fault:slow-payment") {
        gate.verdict = GateVerdict::Inconclusive;
        gate.note = "a person took `slow-payment` off at 13 s".to_owned();
    }
    results
}
