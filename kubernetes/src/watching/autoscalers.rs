//! Horizontal pod autoscalers that decide about the owner of a target's pods: how many they want, and what keeps them from it.

use std::collections::BTreeMap;

use brunt_scenario::plan::{Owner, OwnerKind};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use super::beside::Boiled;

/// The condition that says whether it can decide at all.
const DECIDES: &str = "ScalingActive";

/// One of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// In one word: `FailedGetResourceMetric`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// An autoscaler, boiled down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AutoscalerNow {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// About whom it decides: `deployment/payments`.
    pub scales: String,
    /// How few it may want.
    pub min: u32,
    /// How many it may want.
    pub max: u32,
    /// How many there are, as it has counted.
    pub current: u32,
    /// How many it wants; `None` before it has decided.
    pub desired: Option<u32>,
    /// By kind: `AbleToScale`, `ScalingActive`, `ScalingLimited`.
    pub conditions: BTreeMap<String, Condition>,
}

impl Boiled<HorizontalPodAutoscaler> for AutoscalerNow {
    fn of(object: HorizontalPodAutoscaler) -> Self {
        let (meta, spec) = (object.metadata, object.spec.unwrap_or_default());
        let status = object.status.unwrap_or_default();
        let conditions: BTreeMap<String, Condition> = status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .map(|one| {
                let (reason, message) = (one.reason.unwrap_or_default(), one.message.unwrap_or_default());
                (one.type_, Condition { status: one.status, reason, message })
            })
            .collect();
        let count = |number: i32| u32::try_from(number).unwrap_or(0);
        let current = count(status.current_replicas.unwrap_or(0));
        let decides = conditions.get(DECIDES).is_some_and(|one| one.status == "True");
        // The field is never absent: zero stands in it until there is a decision.
        let desired = Some(count(status.desired_replicas)).filter(|wanted| *wanted > 0 || decides || current == 0);
        let scaled = spec.scale_target_ref;
        let scales = match OwnerKind::of_api(&scaled.kind) {
            Some(kind) => Owner { kind, name: scaled.name }.to_string(),
            None => format!("{}/{}", scaled.kind, scaled.name),
        };
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            scales,
            min: count(spec.min_replicas.unwrap_or(1)),
            max: count(spec.max_replicas),
            current,
            desired: desired.filter(|_| !conditions.is_empty()),
            conditions,
        }
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn key(&self) -> &str {
        &self.scales
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now(status: Value) -> AutoscalerNow {
        let object = json!({
            "metadata": {"name": "payments", "namespace": "shop", "uid": "u"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "payments"}, "minReplicas": 2, "maxReplicas": 9},
            "status": status
        });
        AutoscalerNow::of(serde_json::from_value(object).unwrap())
    }

    fn conditions(scaling_active: &str) -> Value {
        json!([{"type": "ScalingActive", "status": scaling_active, "reason": "FailedGetResourceMetric", "message": "no"}])
    }

    #[test]
    fn it_is_known_by_what_it_scales_with_its_bounds_and_its_decision() {
        let now = now(json!({"currentReplicas": 3, "desiredReplicas": 5, "conditions": conditions("True")}));
        assert_eq!((now.scales.as_str(), now.min, now.max), ("deployment/payments", 2, 9));
        assert_eq!((now.current, now.desired), (3, Some(5)));
    }

    #[test]
    fn one_that_has_decided_nothing_wants_nothing_and_not_zero() {
        let failing = json!({"currentReplicas": 3, "desiredReplicas": 0, "conditions": conditions("False")});
        let now = now(failing);
        assert_eq!(now.desired, None);
        assert_eq!(now.conditions["ScalingActive"].reason, "FailedGetResourceMetric");
        assert_eq!(self::now(json!({"desiredReplicas": 0})).desired, None, "nobody has looked at it yet");
    }

    #[test]
    fn one_that_is_switched_off_by_a_scale_to_zero_wants_zero() {
        let off = json!({"currentReplicas": 0, "desiredReplicas": 0, "conditions": conditions("False")});
        assert_eq!(now(off).desired, Some(0));
    }
}
