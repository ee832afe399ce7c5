//! Faults, findings, events and probes as the plain data of results.json.

use std::collections::BTreeMap;

use brunt_scenario::plan::Plan;

use super::{Event, FaultData, Finding, GuardrailData, ProbeData, Severity, guardrails, seconds};
use crate::facts::{Effect, Facts, FaultFacts, ProbeFacts};
use crate::gates::reach::fault_in;
use crate::measured::Measured;
use crate::recorder::fault_ids;
use crate::render::format;
use crate::resilience::{Recovery, Resilience};

/// Every fault of the plan in the order of its timeline, reached or not.
pub fn fault_data(plan: &Plan, facts: &Facts, resilience: &BTreeMap<String, Resilience>) -> Vec<FaultData> {
    let reached = facts.faults.iter().map(|fault| reached_fault(fault, resilience.get(&fault.id)));
    let ids = fault_ids(plan);
    let place = |id: &str| ids.iter().position(|known| known == id).unwrap_or(usize::MAX);
    let missed =
        ids.iter().filter(|id| !facts.faults.iter().any(|fault| fault.id == **id)).map(|id| missed_fault(plan, id));
    let mut all: Vec<FaultData> = reached.chain(missed).collect();
    all.sort_by_key(|fault| place(&fault.id));
    all
}

fn reached_fault(fault: &FaultFacts, of: Option<&Resilience>) -> FaultData {
    let (verified, reason) = match &fault.effect {
        Effect::Verified(how) => (true, how.clone()),
        Effect::NotExercised(why) => (false, format!("not exercised: {why}")),
        Effect::Absent(why) => (false, format!("the effect is absent: {why}")),
        Effect::NotInjected => (false, "not injected".to_owned()),
    };
    let (recovery_time_s, recovered) = match of.map(|of| &of.recovery) {
        Some(Recovery::After(seconds)) => (Some(*seconds), Some(true)),
        Some(Recovery::NotWithin(_)) => (None, Some(false)),
        Some(Recovery::NotMeasured(_)) | None => (None, None),
    };
    FaultData {
        id: fault.id.clone(),
        kind: fault.kind.clone(),
        target: fault.target.clone(),
        instances: fault.instances.clone(),
        mechanism: fault.mechanism.clone(),
        verified,
        reason,
        rollback_verified: fault.rollback_verified,
        injecting_at_s: fault.injecting_at.map(seconds),
        active_at_s: fault.active_at.map(seconds),
        removing_at_s: fault.removing_at.map(seconds),
        removed_at_s: fault.removed_at.map(seconds),
        time_to_detect_s: of.and_then(|of| of.time_to_detect_s),
        degraded_for_s: of.and_then(|of| of.degraded_for_s),
        recovery_time_s,
        recovered,
        residue: fault.residue.clone(),
    }
}

fn missed_fault(plan: &Plan, id: &str) -> FaultData {
    let planned = plan.timeline.iter().find_map(|item| fault_in(item, id));
    let facts = FaultFacts {
        id: id.to_owned(),
        kind: planned.map_or_else(String::new, |fault| fault.kind.to_owned()),
        target: planned.map_or_else(String::new, |fault| fault.target.clone()),
        instances: Vec::new(),
        mechanism: String::new(),
        instant: false,
        injecting_at: None,
        active_at: None,
        removing_at: None,
        removed_at: None,
        effect: Effect::NotInjected,
        rollback_verified: None,
        residue: Vec::new(),
    };
    reached_fault(&facts, None)
}

/// What the runner found, and what the numbers show: a guardrail that tripped, a fault that no traffic met, a recovery that
/// did not come. The worst first, in the order in which they are listed here.
pub fn findings(facts: &Facts, measured: &Measured, guardrails: &[GuardrailData]) -> Vec<Finding> {
    let mut all = facts.findings.clone();
    all.extend(guardrails::findings(guardrails, facts));
    all.extend(facts.faults.iter().filter_map(not_exercised));
    for (fault, of) in &measured.resilience {
        if let Recovery::NotWithin(within) = of.recovery {
            let text =
                format!("The steady state did not hold again within {} after `{fault}`.", format::seconds(within));
            let at =
                facts.recovers.iter().find(|recover| recover.faults.contains(fault)).map(|recover| seconds(recover.to));
            all.push(Finding { severity: Severity::Error, text, at_s: at, instance: None });
        }
    }
    // What ended by itself explains most of the rest.
    all.sort_by_key(|finding| (finding.severity, finding.instance.is_none()));
    all
}

fn not_exercised(fault: &FaultFacts) -> Option<Finding> {
    let Effect::NotExercised(why) = &fault.effect else { return None };
    let text = format!("No traffic exercised `{}` ({} on {}): {why}", fault.id, fault.kind, fault.target);
    Some(Finding { severity: Severity::Error, text, at_s: fault.active_at.map(seconds), instance: None })
}

/// The runner's events in order of time.
pub fn events_in_order(facts: &Facts) -> Vec<Event> {
    let mut events = facts.events.clone();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    events
}

/// Probes as they fared.
pub fn probe_data(facts: &Facts) -> Vec<ProbeData> {
    let data = |probe: &ProbeFacts| ProbeData {
        id: probe.id.clone(),
        asked: probe.asked,
        failed: probe.failed,
        last_failure: probe.last_failure.clone(),
    };
    facts.probes.iter().map(data).collect()
}
