//! Nodes that carry pods of a target: whether their kubelets answer, what they are short of, and whether new pods may come.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeCondition};

use super::beside::Boiled;

/// What may be wrong with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// By its own account.
    NotReady,
    /// It is not heard of.
    Unknown,
    /// Memory is low.
    MemoryPressure,
    /// Disk space is low.
    DiskPressure,
    /// There are too many processes.
    PidPressure,
    /// Its network is not set up.
    NetworkUnavailable,
    /// It takes no new pods: somebody has said so.
    Cordoned,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NotReady,
        Self::Unknown,
        Self::MemoryPressure,
        Self::DiskPressure,
        Self::PidPressure,
        Self::NetworkUnavailable,
        Self::Cordoned,
    ];

    /// As an event and a table name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Unknown => "not heard of",
            Self::MemoryPressure => "memory pressure",
            Self::DiskPressure => "disk pressure",
            Self::PidPressure => "pid pressure",
            Self::NetworkUnavailable => "network unavailable",
            Self::Cordoned => "cordoned",
        }
    }
}

/// A node, boiled down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeNow {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// What is wrong with it, and why: `NodeStatusUnknown: Kubelet stopped posting node status.`
    pub troubles: BTreeMap<Trouble, String>,
}

impl Boiled<Node> for NodeNow {
    fn of(node: Node) -> Self {
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let mut troubles: BTreeMap<Trouble, String> =
            conditions.iter().filter_map(|one| Some((trouble(one)?, why(one)))).collect();
        if node.spec.is_some_and(|spec| spec.unschedulable == Some(true)) {
            troubles.insert(Trouble::Cordoned, "it takes no new pods".to_owned());
        }
        let (name, uid) = (node.metadata.name.unwrap_or_default(), node.metadata.uid.unwrap_or_default());
        Self { name, uid, troubles }
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn key(&self) -> &str {
        &self.name
    }
}

fn trouble(condition: &NodeCondition) -> Option<Trouble> {
    match (condition.type_.as_str(), condition.status.as_str()) {
        ("Ready", "False") => Some(Trouble::NotReady),
        ("Ready", "Unknown") => Some(Trouble::Unknown),
        ("MemoryPressure", "True") => Some(Trouble::MemoryPressure),
        ("DiskPressure", "True") => Some(Trouble::DiskPressure),
        ("PIDPressure", "True") => Some(Trouble::PidPressure),
        ("NetworkUnavailable", "True") => Some(Trouble::NetworkUnavailable),
        // What nobody hears of has no pressure that is known; that it is not heard of stands under `Ready`.
        _ => None,
    }
}

fn why(condition: &NodeCondition) -> String {
    let said = [&condition.reason, &condition.message].map(|text| text.clone().unwrap_or_default());
    said.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now(conditions: Value, unschedulable: bool) -> BTreeMap<Trouble, String> {
        let node = json!({
            "metadata": {"name": "n2", "uid": "u"},
            "spec": {"unschedulable": unschedulable},
            "status": {"conditions": conditions}
        });
        NodeNow::of(serde_json::from_value(node).unwrap()).troubles
    }

    #[test]
    fn a_node_that_is_well_has_no_trouble() {
        let well = json!([{"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}]);
        assert!(now(well, false).is_empty());
    }

    #[test]
    fn a_node_that_is_not_heard_of_is_told_apart_from_one_that_is_not_ready() {
        let silent = json!([
            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting."},
            {"type": "DiskPressure", "status": "Unknown"}
        ]);
        let why = "NodeStatusUnknown: Kubelet stopped posting.".to_owned();
        assert_eq!(now(silent, false), BTreeMap::from([(Trouble::Unknown, why)]));
        let unready = json!([{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]);
        assert_eq!(now(unready, false), BTreeMap::from([(Trouble::NotReady, "KubeletNotReady".to_owned())]));
    }

    #[test]
    fn pressure_and_a_cordon_are_troubles_of_their_own() {
        let short = json!([
            {"type": "Ready", "status": "True"},
            {"type": "MemoryPressure", "status": "True"},
            {"type": "PIDPressure", "status": "True"}
        ]);
        let found: Vec<Trouble> = now(short, true).into_keys().collect();
        assert_eq!(found, [Trouble::MemoryPressure, Trouble::PidPressure, Trouble::Cordoned]);
    }
}
