//! What the API of a cluster tells of the autoscalers of the targets' owners: it becomes events and their decisions.

use std::collections::BTreeMap;

use brunt_kubernetes::watching::{AutoscalerNow, Condition};
use brunt_report::facts::{AutoscalerFacts, ConditionFacts, DECIDES, DecisionFacts};
use brunt_scenario::units::Offset;

use super::clusters::Say;

/// The condition whose words are those of the last decision.
const DONE: &str = "AbleToScale";

/// The autoscalers of all targets.
#[derive(Debug, Default)]
pub(super) struct Autoscalers {
    /// In the order in which they were first heard of.
    all: Vec<AutoscalerFacts>,
    /// By UID. Where targets have one owner, only the first one's word counts, as the others' is the same.
    by_uid: BTreeMap<String, usize>,
}

impl Autoscalers {
    pub(super) fn into_facts(self) -> Vec<AutoscalerFacts> {
        self.all
    }

    pub(super) fn now(&mut self, target: &str, now: &AutoscalerNow, at: Offset) -> Vec<Say> {
        let at = self.by_uid.contains_key(&now.uid).then_some(at);
        let index = *self.by_uid.entry(now.uid.clone()).or_insert_with(|| {
            self.all.push(AutoscalerFacts {
                namespace: now.namespace.clone(),
                name: now.name.clone(),
                uid: now.uid.clone(),
                ..AutoscalerFacts::default()
            });
            self.all.len() - 1
        });
        let known = &mut self.all[index];
        if !known.targets.iter().any(|one| one == target) {
            known.targets.push(target.to_owned());
        }
        if known.targets[0] != target {
            return Vec::new();
        }
        (known.scales, known.min, known.max) = (now.scales.clone(), now.min, now.max);
        let says = decided(known, now, at).into_iter().chain(conditions(known, now, at));
        says.map(|(kind, text)| (kind, now.name.clone(), text)).collect()
    }

    pub(super) fn gone(&mut self, target: &str, uid: &str, at: Offset) -> Vec<Say> {
        let Some(known) = self.by_uid.get(uid).map(|index| &mut self.all[*index]) else { return Vec::new() };
        if known.targets[0] != target || known.gone.is_some() {
            return Vec::new();
        }
        known.gone = Some(at);
        vec![("autoscaler.gone", known.name.clone(), "the cluster has it no more".to_owned())]
    }
}

/// What it wants now, and how many it has counted.
fn decided(known: &mut AutoscalerFacts, now: &AutoscalerNow, at: Option<Offset>) -> Option<(&'static str, String)> {
    let last = known.decisions.last().copied();
    if last.is_some_and(|last| (last.current, last.desired) == (now.current, now.desired)) {
        return None;
    }
    known.decisions.push(DecisionFacts { at, current: now.current, desired: now.desired });
    let last = last?;
    let Some(wanted) = now.desired.filter(|_| now.desired != last.desired) else {
        let wants = now.desired.map_or_else(|| "has decided nothing".to_owned(), |wanted| format!("wants {wanted}"));
        return Some(("autoscaler.counted", format!("{} has {} pods, and it {wants}", now.scales, now.current)));
    };
    let before = last.desired.map_or_else(String::new, |before| format!(" instead of {before}"));
    let why = now.conditions.get(DONE).map_or_else(String::new, |done| format!(": {}: {}", done.reason, done.message));
    Some(("autoscaler.decided", format!("wants {wanted} pods of {}{before}{why}", now.scales)))
}

/// Conditions that have another status or another reason than before. What was so before brunt looked is told only where it
/// keeps it from deciding.
fn conditions(known: &mut AutoscalerFacts, now: &AutoscalerNow, at: Option<Offset>) -> Vec<(&'static str, String)> {
    let mut says = Vec::new();
    for (kind, Condition { status, reason, message }) in &now.conditions {
        let last = known.conditions.iter().rfind(|one| one.kind == *kind);
        if last.is_some_and(|last| last.status == *status && last.reason == *reason) {
            continue;
        }
        if at.is_some() || kind == DECIDES && status != "True" {
            says.push(("autoscaler.condition", format!("{kind} is {status}: {reason}: {message}")));
        }
        known.conditions.push(ConditionFacts {
            at,
            kind: kind.clone(),
            status: status.clone(),
            reason: reason.clone(),
            message: message.clone(),
        });
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Offset {
        Offset::from_secs_f64(seconds)
    }

    fn autoscaler(current: u32, desired: Option<u32>, active: &str) -> AutoscalerNow {
        let condition = |status: &str, reason: &str| Condition {
            status: status.into(),
            reason: reason.into(),
            message: "in a sentence".into(),
        };
        let conditions = BTreeMap::from([
            ("AbleToScale".to_owned(), condition("True", "SucceededRescale")),
            ("ScalingActive".to_owned(), condition(active, "FailedGetResourceMetric")),
        ]);
        let (name, uid) = ("payments".to_owned(), "u".to_owned());
        AutoscalerNow {
            name,
            uid,
            scales: "deployment/payments".into(),
            current,
            desired,
            conditions,
            ..Default::default()
        }
    }

    fn story(told: Vec<(f64, AutoscalerNow)>) -> (Vec<(&'static str, String)>, AutoscalerFacts) {
        let mut all = Autoscalers::default();
        let mut said = Vec::new();
        for (seconds, now) in told {
            said.extend(all.now("payments", &now, at(seconds)).into_iter().map(|(kind, _, text)| (kind, text)));
        }
        (said, all.into_facts().remove(0))
    }

    #[test]
    fn a_decision_is_told_with_its_reason_and_then_what_came_of_it() {
        let (said, facts) = story(vec![
            (0.0, autoscaler(3, Some(3), "True")),
            (2.0, autoscaler(3, Some(5), "True")),
            (3.0, autoscaler(3, Some(5), "True")),
            (4.0, autoscaler(5, Some(5), "True")),
        ]);
        let wanted = [
            (
                "autoscaler.decided",
                "wants 5 pods of deployment/payments instead of 3: SucceededRescale: in a sentence".to_owned(),
            ),
            ("autoscaler.counted", "deployment/payments has 5 pods, and it wants 5".to_owned()),
        ];
        assert_eq!(said, wanted);
        let decisions: Vec<_> = facts.decisions.iter().map(|one| (one.at, one.current, one.desired)).collect();
        assert_eq!(decisions, [(None, 3, Some(3)), (Some(at(2.0)), 3, Some(5)), (Some(at(4.0)), 5, Some(5))]);
    }

    #[test]
    fn one_that_cannot_decide_says_so_at_once_and_when_it_can_again() {
        let (said, facts) = story(vec![
            (0.0, autoscaler(3, None, "False")),
            (1.0, autoscaler(3, None, "False")),
            (2.0, autoscaler(3, Some(3), "True")),
        ]);
        let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["autoscaler.condition", "autoscaler.decided", "autoscaler.condition"]);
        assert_eq!(said[0].1, "ScalingActive is False: FailedGetResourceMetric: in a sentence");
        assert_eq!(facts.conditions.len(), 3, "{:#?}", facts.conditions);
        assert_eq!(facts.conditions[2].at, Some(at(2.0)));
    }
}
