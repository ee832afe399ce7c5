//! What can be told of a run that was killed: results made of its events alone. Nothing was judged, so it is invalid.

use std::collections::BTreeMap;

use brunt_report::results::{
    Environment, Event, FaultData, Finding, Health, LagData, PlanData, Results, SCHEMA, Severity, SpanData, Summary,
    Verdict,
};

use super::events::Header;

/// Results without measurements.
pub fn results(header: Header, events: Vec<Event>) -> Results {
    let last_s = events.last().map_or(0.0, |event| event.at_s);
    let faults = faults(&events);
    let spans = faults.iter().filter_map(|fault| band(fault, last_s)).collect();
    let findings = findings(&faults, last_s);
    Results {
        schema: SCHEMA.to_owned(),
        summary: Summary {
            verdict: Verdict::Invalid,
            sentence: "The run did not come to its end, and nothing was judged; this is what its events tell."
                .to_owned(),
            exit_code: 5,
            scenario: header.scenario,
            labels: BTreeMap::new(),
            scenario_sha256: header.scenario_sha256,
            schedule_digest: String::new(),
            seed: header.seed,
            started_at: header.started_at,
            duration_s: last_s,
            brunt_version: header.brunt_version,
            windows: BTreeMap::new(),
            steps: BTreeMap::new(),
            gates: Vec::new(),
            guardrails: Vec::new(),
            faults,
            findings,
            errors: Vec::new(),
            health: unknown_health(),
        },
        series: Vec::new(),
        spans,
        slos: Vec::new(),
        events,
        probes: Vec::new(),
        plan: PlanData {
            source: header.source,
            description: header.description,
            resolved_yaml: header.resolved_yaml,
            ..PlanData::default()
        },
        environment: Environment::default(),
    }
}

fn unknown_health() -> Health {
    Health {
        send_lag_ms: LagData::default(),
        queued_ms: LagData::default(),
        generator_cpu: 0.0,
        in_flight_max: 0,
        scheduled: 0,
        started: 0,
        dropped: 0,
        valid: false,
        reasons: vec!["brunt ended before it could write its results".to_owned()],
        warnings: Vec::new(),
    }
}

/// The faults in the order in which they began, as far as they came.
fn faults(events: &[Event]) -> Vec<FaultData> {
    let mut faults: Vec<FaultData> = Vec::new();
    for event in events.iter().filter(|event| event.kind.starts_with("fault.")) {
        let at = match faults.iter().position(|fault| fault.id == event.subject) {
            Some(at) => at,
            None => {
                faults.push(unknown_fault(&event.subject));
                faults.len() - 1
            }
        };
        let fault = &mut faults[at];
        match event.kind.as_str() {
            "fault.injecting" => {
                fault.injecting_at_s = Some(event.at_s);
                // "network.latency on payments-net"
                if let Some((kind, target)) = event.text.split_once(" on ") {
                    fault.kind = kind.to_owned();
                    fault.target = target.to_owned();
                }
            }
            "fault.active" => fault.active_at_s = Some(event.at_s),
            "fault.verified" => {
                fault.verified = true;
                fault.reason.clone_from(&event.text);
            }
            "fault.removing" => fault.removing_at_s = Some(event.at_s),
            "fault.removed" => fault.removed_at_s = Some(event.at_s),
            _ => {}
        }
    }
    faults
}

fn unknown_fault(id: &str) -> FaultData {
    FaultData {
        id: id.to_owned(),
        kind: String::new(),
        target: String::new(),
        instances: Vec::new(),
        mechanism: String::new(),
        verified: false,
        reason: String::new(),
        rollback_verified: None,
        injecting_at_s: None,
        active_at_s: None,
        removing_at_s: None,
        removed_at_s: None,
        time_to_detect_s: None,
        degraded_for_s: None,
        recovery_time_s: None,
        recovered: None,
        residue: Vec::new(),
    }
}

fn band(fault: &FaultData, last_s: f64) -> Option<SpanData> {
    let from_s = fault.injecting_at_s?;
    Some(SpanData { window: format!("fault:{}", fault.id), from_s, to_s: fault.removed_at_s.unwrap_or(last_s) })
}

fn findings(faults: &[FaultData], last_s: f64) -> Vec<Finding> {
    let mut findings = vec![Finding {
        severity: Severity::Error,
        text: "The record ends here: brunt was killed, or the machine went down.".to_owned(),
        at_s: Some(last_s),
        instance: None,
    }];
    for fault in faults.iter().filter(|fault| fault.removed_at_s.is_none()) {
        let text = format!(
            "Fault `{}` was not seen to be undone. The agent undoes it when its lease runs out; `brunt cleanup` makes sure.",
            fault.id
        );
        findings.push(Finding { severity: Severity::Error, text, at_s: fault.injecting_at_s, instance: None });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_s: f64, kind: &str, text: &str) -> Event {
        Event { at_s, kind: kind.into(), subject: "slow".into(), text: text.into() }
    }

    #[test]
    fn a_killed_run_is_invalid_and_names_the_fault_that_was_in_place() {
        let header = Header {
            schema: super::super::events::SCHEMA.into(),
            scenario: "shop".into(),
            description: String::new(),
            source: "shop.brunt.yaml".into(),
            scenario_sha256: "abc".into(),
            seed: 7,
            started_at: "2026-01-02T03:04:05.678Z".into(),
            brunt_version: "0.1.0".into(),
            resolved_yaml: "version: 1\n".into(),
        };
        let events = vec![
            event(8.0, "fault.injecting", "network.latency on payments-net"),
            event(8.1, "fault.active", "in place on orders-payments#1"),
            event(8.6, "fault.verified", "held 3 messages"),
            event(9.5, "slo.broken", "p95 412 ms"),
        ];
        let results = results(header, events);
        assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Invalid, 5));
        let fault = &results.summary.faults[0];
        assert_eq!((fault.kind.as_str(), fault.target.as_str()), ("network.latency", "payments-net"));
        assert!(fault.verified && fault.removed_at_s.is_none());
        assert_eq!((results.spans[0].from_s, results.spans[0].to_s), (8.0, 9.5));
        assert!(results.summary.findings[1].text.contains("`slow`"), "{:?}", results.summary.findings);
    }
}
