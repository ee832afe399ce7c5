//! Faults, findings, events and probes as the plain data of results.json.

use brunt_scenario::plan::{Fault, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Finding, GuardrailData, LoadChangeData, ProbeData, Severity, guardrails, seconds};
use crate::facts::{Effect, Facts, FaultFacts, LoadChangeFacts, ProbeFacts};
use crate::gates::reach::fault_in;
use crate::measured::Measured;
use crate::recorder::fault_ids;
use crate::render::format;
use crate::resilience::{Recovery, Resilience};

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultData {
    /// Its id.
    pub id: String,
    /// `network.latency`.
    pub kind: String,
    /// The target's name.
    pub target: String,
    /// Who was hit.
    pub instances: Vec<String>,
    /// How it was done.
    pub mechanism: String,
    /// Its effect was seen.
    pub verified: bool,
    /// How it was seen, or why not.
    pub reason: String,
    /// true, false (undo failed), null (nothing to undo).
    pub rollback_verified: Option<bool>,
    /// Just before the first change; null if never injected.
    pub injecting_at_s: Option<f64>,
    /// The change was in place.
    pub active_at_s: Option<f64>,
    /// Just before the first undo.
    pub removing_at_s: Option<f64>,
    /// Just after the last undo.
    pub removed_at_s: Option<f64>,
    /// Injection to the first error or the first request above an SLO's bound; null if none was seen.
    pub time_to_detect_s: Option<f64>,
    /// First to last broken span start; 0 if none broke.
    pub degraded_for_s: Option<f64>,
    /// Removal (instant faults: the act) until the steady state held again; null if it did not within `within`, or if no
    /// `recover` followed.
    pub recovery_time_s: Option<f64>,
    /// Null without a `recover` after it.
    pub recovered: Option<bool>,
    /// What has no inverse.
    pub residue: Vec<String>,
    /// How many rounds `repeat` asked for; left out for a fault that is not repeated. Times above are then from the first
    /// round's beginning to the last one's end, and measures the worst of all rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_planned: Option<u32>,
    /// Every round that was reached, in order; none for a fault that is not repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundData>,
}

impl FaultData {
    /// A fault of which only its id is known: nothing of it has happened.
    pub fn unreached(id: &str) -> Self {
        Self {
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
            rounds_planned: None,
            rounds: Vec::new(),
        }
    }

    /// Its rounds; a fault that is not repeated has one, which is itself.
    pub fn each_round(&self) -> Vec<RoundData> {
        if !self.rounds.is_empty() {
            return self.rounds.clone();
        }
        vec![RoundData {
            round: 1,
            instances: self.instances.clone(),
            verified: self.verified,
            reason: self.reason.clone(),
            rollback_verified: self.rollback_verified,
            injecting_at_s: self.injecting_at_s,
            active_at_s: self.active_at_s,
            removing_at_s: self.removing_at_s,
            removed_at_s: self.removed_at_s,
            time_to_detect_s: self.time_to_detect_s,
            degraded_for_s: self.degraded_for_s,
            recovery_time_s: self.recovery_time_s,
            recovered: self.recovered,
        }]
    }
}

/// One round of a repeated fault; the fields mean what they mean at a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoundData {
    /// From 1.
    pub round: u32,
    /// Who was hit in it.
    pub instances: Vec<String>,
    /// Its effect was seen.
    pub verified: bool,
    /// How it was seen, or why not.
    pub reason: String,
    /// true, false (undo failed), null (nothing to undo).
    pub rollback_verified: Option<bool>,
    /// Just before the first change.
    pub injecting_at_s: Option<f64>,
    /// The change was in place.
    pub active_at_s: Option<f64>,
    /// Just before the first undo.
    pub removing_at_s: Option<f64>,
    /// Just after the last undo.
    pub removed_at_s: Option<f64>,
    /// Injection to the first sign, up to the next round.
    pub time_to_detect_s: Option<f64>,
    /// First to last broken span start; beyond the next round's beginning only if the steady state was not back by then.
    pub degraded_for_s: Option<f64>,
    /// Removal (instant faults: the act) until the steady state held again.
    pub recovery_time_s: Option<f64>,
    /// Null without a `recover` after the fault.
    pub recovered: Option<bool>,
}

/// Every fault of the plan in the order of its timeline, reached or not. `of` stands beside the facts: what each fault, or
/// each round of one, did.
pub fn fault_data(plan: &Plan, facts: &Facts, of: &[Option<Resilience>]) -> Vec<FaultData> {
    fault_ids(plan).iter().map(|id| one_fault(plan, facts, of, id)).collect()
}

fn one_fault(plan: &Plan, facts: &Facts, of: &[Option<Resilience>], id: &str) -> FaultData {
    let planned = plan.timeline.iter().find_map(|item| fault_in(item, id));
    let reached: Vec<(&FaultFacts, Option<&Resilience>)> = facts
        .faults
        .iter()
        .zip(of)
        .filter(|(fault, _)| fault.id == id)
        .map(|(fault, of)| (fault, of.as_ref()))
        .collect();
    let (Some((first, _)), Some((last, _))) = (reached.first(), reached.last()) else {
        return FaultData { reason: "not injected".to_owned(), ..named(id, planned) };
    };
    let rounds: Vec<RoundData> = reached.iter().map(|(fault, of)| round_data(fault, *of)).collect();
    let worst = reached.iter().filter_map(|(_, of)| of.cloned()).reduce(Resilience::worse_of);
    let (recovery_time_s, recovered) = recovery_of(worst.as_ref());
    FaultData {
        kind: first.kind.clone(),
        target: first.target.clone(),
        instances: distinct(reached.iter().flat_map(|(fault, _)| &fault.instances)),
        mechanism: first.mechanism.clone(),
        verified: rounds.iter().all(|round| round.verified),
        reason: reason_of_all(&rounds),
        rollback_verified: worst_rollback(&rounds),
        injecting_at_s: first.injecting_at.map(seconds),
        active_at_s: first.active_at.map(seconds),
        removing_at_s: last.removing_at.map(seconds),
        removed_at_s: last_removal(&rounds),
        time_to_detect_s: worst.as_ref().and_then(|of| of.time_to_detect_s),
        degraded_for_s: worst.as_ref().and_then(|of| of.degraded_for_s),
        recovery_time_s,
        recovered,
        residue: distinct(reached.iter().flat_map(|(fault, _)| &fault.residue)),
        rounds: if first.rounds > 1 { rounds } else { Vec::new() },
        ..named(id, planned)
    }
}

/// A fault of which nothing has happened.
fn named(id: &str, planned: Option<&Fault>) -> FaultData {
    FaultData {
        kind: planned.map_or_else(String::new, |fault| fault.kind.to_owned()),
        target: planned.map_or_else(String::new, |fault| fault.target.clone()),
        rounds_planned: planned.and_then(|fault| fault.repeat).map(|repeat| repeat.times),
        ..FaultData::unreached(id)
    }
}

fn round_data(fault: &FaultFacts, of: Option<&Resilience>) -> RoundData {
    let (verified, reason) = match &fault.effect {
        Effect::Verified(how) => (true, how.clone()),
        Effect::NotExercised(why) => (false, format!("not exercised: {why}")),
        Effect::Absent(why) => (false, format!("the effect is absent: {why}")),
        Effect::NotInjected => (false, "not injected".to_owned()),
    };
    let (recovery_time_s, recovered) = recovery_of(of);
    RoundData {
        round: fault.round,
        instances: fault.instances.clone(),
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
    }
}

fn recovery_of(of: Option<&Resilience>) -> (Option<f64>, Option<bool>) {
    match of.map(|of| &of.recovery) {
        Some(Recovery::After(seconds)) => (Some(*seconds), Some(true)),
        Some(Recovery::NotWithin(_)) => (None, Some(false)),
        Some(Recovery::NotMeasured(_)) | None => (None, None),
    }
}

/// How the effect was seen, or what the first round that was not seen says.
fn reason_of_all(rounds: &[RoundData]) -> String {
    match rounds {
        [only] => only.reason.clone(),
        all => match all.iter().find(|round| !round.verified) {
            Some(round) => format!("round {}: {}", round.round, round.reason),
            None => all.last().map_or_else(String::new, |last| format!("each round; the last one: {}", last.reason)),
        },
    }
}

/// One round that could not be undone is a fault that could not be.
fn worst_rollback(rounds: &[RoundData]) -> Option<bool> {
    let known: Vec<bool> = rounds.iter().filter_map(|round| round.rollback_verified).collect();
    (!known.is_empty()).then(|| known.into_iter().all(|verified| verified))
}

/// `None` while a round is in place.
fn last_removal(rounds: &[RoundData]) -> Option<f64> {
    let all: Option<Vec<f64>> = rounds.iter().map(|round| round.removed_at_s).collect();
    all?.into_iter().reduce(f64::max)
}

/// In the order in which they came.
fn distinct<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(one) {
            seen.push(one.clone());
        }
    }
    seen
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
    let text = format!("No traffic exercised {} ({} on {}): {why}", fault.name(), fault.kind, fault.target);
    Some(Finding { severity: Severity::Error, text, at_s: fault.active_at.map(seconds), instance: None })
}

/// The runner's events in order of time.
pub fn events_in_order(facts: &Facts) -> Vec<Event> {
    let mut events = facts.events.clone();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    events
}

/// Load changes of the timeline.
pub fn load_changes(facts: &Facts) -> Vec<LoadChangeData> {
    let data = |change: &LoadChangeFacts| LoadChangeData {
        at_s: seconds(change.at),
        load: change.load.clone(),
        factor: change.factor,
    };
    facts.load_changes.iter().map(data).collect()
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
