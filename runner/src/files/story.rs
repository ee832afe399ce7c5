//! What can be told of a run that was killed: results made of its events alone. Nothing was judged, so it is invalid.

use std::collections::BTreeMap;

use brunt_report::results::{
    Environment, Event, FaultData, Finding, Health, LagData, PlanData, Results, RoundData, SCHEMA, Severity, SpanData,
    Summary, Verdict,
};

use super::events::Header;

/// Results without measurements.
pub fn results(header: Header, events: Vec<Event>) -> Results {
    let last_s = events.last().map_or(0.0, |event| event.at_s);
    let faults = faults(&events);
    let spans = faults.iter().flat_map(|fault| bands(fault, last_s)).collect();
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
        load_changes: Vec::new(),
        operator: Vec::new(),
        served: Vec::new(),
        events,
        probes: Vec::new(),
        pods: Vec::new(),
        nodes: Vec::new(),
        autoscalers: Vec::new(),
        plan: PlanData {
            source: header.source,
            description: header.description,
            resolved_yaml: header.resolved_yaml,
            ..PlanData::default()
        },
        crew: None,
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
                faults.push(FaultData::unreached(&event.subject));
                faults.len() - 1
            }
        };
        let fault = &mut faults[at];
        let (text, round) = round_of(&event.text);
        if event.kind == "fault.injecting" {
            // "network.latency on payments-net"
            if let Some((kind, target)) = text.split_once(" on ") {
                fault.kind = kind.to_owned();
                fault.target = target.to_owned();
            }
        }
        match round {
            None => {
                let mut only = fault.each_round().remove(0);
                tell(&mut only, event, text);
                *fault = of_rounds(fault, &[only]);
            }
            Some((number, of)) => {
                if !fault.rounds.iter().any(|round| round.round == number) {
                    fault.rounds.push(RoundData { round: number, ..FaultData::unreached("").each_round().remove(0) });
                }
                fault.rounds_planned = Some(of);
                let mut rounds = std::mem::take(&mut fault.rounds);
                rounds.iter_mut().filter(|round| round.round == number).for_each(|round| tell(round, event, text));
                *fault = FaultData { rounds: rounds.clone(), ..of_rounds(fault, &rounds) };
            }
        }
    }
    faults
}

/// `process.kill on payments, round 2 of 3`: what is said of a round, and which it is of how many.
fn round_of(text: &str) -> (&str, Option<(u32, u32)>) {
    let numbers = |tail: &str| tail.split_once(" of ").and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
    match text.rsplit_once(", round ") {
        Some((text, tail)) if numbers(tail).is_some() => (text, numbers(tail)),
        _ => (text, None),
    }
}

fn tell(round: &mut RoundData, event: &Event, text: &str) {
    match event.kind.as_str() {
        "fault.injecting" => round.injecting_at_s = Some(event.at_s),
        "fault.active" => round.active_at_s = Some(event.at_s),
        "fault.verified" => {
            round.verified = true;
            text.clone_into(&mut round.reason);
        }
        "fault.removing" => round.removing_at_s = Some(event.at_s),
        "fault.removed" => round.removed_at_s = Some(event.at_s),
        _ => {}
    }
}

/// A fault as its rounds tell it: from the first beginning to the last end.
fn of_rounds(fault: &FaultData, rounds: &[RoundData]) -> FaultData {
    let (first, last) = (rounds.first(), rounds.last());
    let in_place = rounds.iter().any(|round| round.removed_at_s.is_none());
    FaultData {
        verified: rounds.iter().all(|round| round.verified),
        reason: last.map_or_else(String::new, |round| round.reason.clone()),
        injecting_at_s: first.and_then(|round| round.injecting_at_s),
        active_at_s: first.and_then(|round| round.active_at_s),
        removing_at_s: last.and_then(|round| round.removing_at_s),
        removed_at_s: last.and_then(|round| round.removed_at_s).filter(|_| !in_place),
        ..fault.clone()
    }
}

fn bands(fault: &FaultData, last_s: f64) -> Vec<SpanData> {
    let of = |round: RoundData| {
        let (from_s, to_s) = (round.injecting_at_s?, round.removed_at_s.unwrap_or(last_s));
        Some(SpanData { window: format!("fault:{}", fault.id), from_s, to_s })
    };
    fault.each_round().into_iter().filter_map(of).collect()
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

    #[test]
    fn the_rounds_of_a_killed_run_are_told_apart() {
        let events = [
            event(8.0, "fault.injecting", "process.kill on payments, round 1 of 3"),
            event(8.1, "fault.active", "in place on payments-1, round 1 of 3"),
            event(9.0, "fault.removed", "the target is whole again, round 1 of 3"),
            event(12.0, "fault.injecting", "process.kill on payments, round 2 of 3"),
        ];
        let faults = faults(&events);
        let slow = &faults[0];
        assert_eq!((slow.target.as_str(), slow.rounds_planned, slow.rounds.len()), ("payments", Some(3), 2));
        assert_eq!((slow.injecting_at_s, slow.removed_at_s), (Some(8.0), None), "round 2 is still in place");
        let bands: Vec<(f64, f64)> = bands(slow, 13.0).iter().map(|band| (band.from_s, band.to_s)).collect();
        assert_eq!(bands, [(8.0, 9.0), (12.0, 13.0)]);
    }
}
