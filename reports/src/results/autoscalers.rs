//! Autoscalers that decide about the targets' owners: what they decided, and what kept them from deciding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::facts::{AutoscalerFacts, ConditionFacts, DECIDES, DecisionFacts};
use crate::spans::merged;

/// A horizontal pod autoscaler of what the pods of a target belong to. Instants are those at which brunt heard of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerData {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The targets whose owner it scales.
    pub targets: Vec<String>,
    /// About whom it decides: `deployment/payments`.
    pub scales: String,
    /// How few it may want, as it said last.
    pub min: u32,
    /// How many it may want, as it said last.
    pub max: u32,
    /// What was so at first, and every change.
    pub decisions: Vec<DecisionData>,
    /// Its conditions: those at first, and every change.
    pub conditions: Vec<ConditionData>,
    /// When the API knew it no more; null if it still did.
    pub gone_s: Option<f64>,
}

/// How many replicas an autoscaler has counted and wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionData {
    /// null if it was so when brunt first looked.
    pub at_s: Option<f64>,
    /// How many there are, by its own count.
    pub current: u32,
    /// How many it wants; null if it has decided nothing.
    pub desired: Option<u32>,
}

/// A condition of an autoscaler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionData {
    /// null if it was so when brunt first looked.
    pub at_s: Option<f64>,
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`.
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// In one word: `FailedGetResourceMetric`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// All autoscalers in the order in which brunt first heard of them.
pub fn autoscaler_data(autoscalers: &[AutoscalerFacts]) -> Vec<AutoscalerData> {
    autoscalers.iter().map(data).collect()
}

fn data(autoscaler: &AutoscalerFacts) -> AutoscalerData {
    let decision =
        |one: &DecisionFacts| DecisionData { at_s: one.at.map(seconds), current: one.current, desired: one.desired };
    let condition = |one: &ConditionFacts| ConditionData {
        at_s: one.at.map(seconds),
        kind: one.kind.clone(),
        status: one.status.clone(),
        reason: one.reason.clone(),
        message: one.message.clone(),
    };
    AutoscalerData {
        namespace: autoscaler.namespace.clone(),
        name: autoscaler.name.clone(),
        uid: autoscaler.uid.clone(),
        targets: autoscaler.targets.clone(),
        scales: autoscaler.scales.clone(),
        min: autoscaler.min,
        max: autoscaler.max,
        decisions: autoscaler.decisions.iter().map(decision).collect(),
        conditions: autoscaler.conditions.iter().map(condition).collect(),
        gone_s: autoscaler.gone.map(seconds),
    }
}

/// Spans in which there were not as many replicas as it wanted.
pub fn unsatisfied(autoscaler: &AutoscalerData, end_s: f64) -> Vec<[f64; 2]> {
    let end_s = autoscaler.gone_s.unwrap_or(end_s);
    let ends = autoscaler.decisions.iter().skip(1).map(|next| next.at_s.unwrap_or(0.0)).chain([end_s]);
    let unsatisfied = |(decision, to): (&DecisionData, f64)| {
        let from = decision.at_s.unwrap_or(0.0);
        let lacks = decision.desired.is_some_and(|wanted| wanted != decision.current);
        (lacks && from < to).then_some((from, to))
    };
    let spans = merged(autoscaler.decisions.iter().zip(ends).filter_map(unsatisfied).collect());
    spans.into_iter().map(<[f64; 2]>::from).collect()
}

/// How many it wanted, one after the other: `[3, 5, 3]`.
pub fn wanted(autoscaler: &AutoscalerData) -> Vec<u32> {
    let mut wanted: Vec<u32> = autoscaler.decisions.iter().filter_map(|one| one.desired).collect();
    wanted.dedup();
    wanted
}

/// Why it cannot decide, as it said last; `None` if it can.
pub fn cannot_decide(autoscaler: &AutoscalerData) -> Option<&ConditionData> {
    let last = autoscaler.conditions.iter().rfind(|one| one.kind == DECIDES);
    last.filter(|one| one.status != "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn autoscaler(decisions: &[(Option<f64>, u32, Option<u32>)]) -> AutoscalerData {
        AutoscalerData {
            namespace: "shop".into(),
            name: "payments".into(),
            uid: "u".into(),
            targets: vec!["payments".into()],
            scales: "deployment/payments".into(),
            min: 1,
            max: 9,
            decisions: decisions
                .iter()
                .map(|&(at_s, current, desired)| DecisionData { at_s, current, desired })
                .collect(),
            conditions: Vec::new(),
            gone_s: None,
        }
    }

    #[test]
    fn it_is_unsatisfied_from_its_decision_until_it_has_counted_as_many() {
        let scaled = autoscaler(&[
            (None, 3, Some(3)),
            (Some(2.0), 3, Some(5)),
            (Some(4.0), 4, Some(5)),
            (Some(6.0), 5, Some(5)),
            (Some(8.0), 5, Some(3)),
        ]);
        assert_eq!(unsatisfied(&scaled, 9.0), [[2.0, 6.0], [8.0, 9.0]]);
        assert_eq!(wanted(&scaled), [3, 5, 3]);
    }

    #[test]
    fn one_that_has_decided_nothing_is_not_unsatisfied() {
        let undecided = autoscaler(&[(None, 3, None), (Some(2.0), 2, None)]);
        assert!(unsatisfied(&undecided, 9.0).is_empty() && wanted(&undecided).is_empty());
    }

    #[test]
    fn what_it_said_last_of_whether_it_decides_counts() {
        let said = |at_s, status: &str| ConditionData {
            at_s,
            kind: DECIDES.into(),
            status: status.into(),
            reason: "FailedGetResourceMetric".into(),
            message: String::new(),
        };
        let mut failing = autoscaler(&[]);
        failing.conditions = vec![said(None, "True"), said(Some(1.0), "False")];
        assert_eq!(cannot_decide(&failing).map(|one| one.reason.as_str()), Some("FailedGetResourceMetric"));
        failing.conditions.push(said(Some(2.0), "True"));
        assert_eq!(cannot_decide(&failing), None);
    }
}
