//! How pods of a cluster are found, and what they belong to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ProcessMatch;
use crate::units::CountOrShare;

/// How pods are found. All given conditions must hold; without one besides context and namespace it is the namespace itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PodMatch {
    /// A context of the kubeconfig; `None`: the current one.
    pub context: Option<String>,
    /// Their namespace; `None`: that of the context.
    pub namespace: Option<String>,
    /// A label selector, as the API takes it.
    pub selector: Option<String>,
    /// A field selector, as the API takes it.
    pub fields: Option<String>,
    /// What made them.
    pub owner: Option<Owner>,
    /// The node on which they run.
    pub node: Option<String>,
    /// One of their containers.
    pub container: Option<String>,
    /// Processes in that container, for faults on those.
    #[serde(default)]
    pub process: Option<ProcessMatch>,
    /// The zone of the nodes on which they run, by the label `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
}

impl PodMatch {
    /// Nothing says which pods: the namespace itself is meant.
    pub fn is_whole_namespace(&self) -> bool {
        self.namespace.is_some() && self.node.is_none() && self.zone.is_none() && self.means_all_pods()
    }

    /// A deployment is named, whose pods are meant.
    pub fn names_a_deployment(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::Deployment)
    }

    /// Nothing but the zone says which nodes are meant.
    pub fn is_whole_zone(&self) -> bool {
        self.zone.is_some() && self.node.is_none() && self.means_all_pods()
    }

    fn means_all_pods(&self) -> bool {
        let unnamed = self.container.is_none() && self.process.is_none();
        self.selector.is_none() && self.fields.is_none() && self.owner.is_none() && unnamed
    }
}

/// What makes pods, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// What it is.
    pub kind: OwnerKind,
    /// Its name.
    pub name: String,
}

/// What can make pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// Its pods belong to one of its replica sets.
    Deployment,
    /// Pods with names that come again.
    StatefulSet,
    /// A pod for each node.
    DaemonSet,
    /// One generation of a deployment, or one that stands alone.
    ReplicaSet,
    /// Pods that end.
    Job,
}

impl OwnerKind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::ReplicaSet, Self::Job];

    /// As people write it: `deployment`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::ReplicaSet => "replicaset",
            Self::Job => "job",
        }
    }

    /// By the name that the API gives it: `Deployment`.
    pub fn of_api(kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.word().eq_ignore_ascii_case(kind))
    }
}

impl Owner {
    /// Reads `deployment/payment`; `None` for an unknown kind, or without a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let kind = OwnerKind::ALL.iter().copied().find(|known| known.word() == kind)?;
        let named = !name.is_empty() && !name.contains('/');
        named.then(|| Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

/// What the API should say of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expect {
    /// So many of its pods are ready.
    PodsReady(CountOrShare),
    /// So many replicas of its owner are available.
    ReplicasAvailable(CountOrShare),
    /// Its deployment is rolled out.
    RolledOut,
    /// Its job is complete.
    JobDone,
}

/// As a sentence goes on after the name of the target.
impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wanted, state) = match self {
            Self::PodsReady(wanted) => (wanted, "pods ready"),
            Self::ReplicasAvailable(wanted) => (wanted, "replicas available"),
            Self::RolledOut => return f.write_str("is rolled out"),
            Self::JobDone => return f.write_str("is complete"),
        };
        match wanted {
            CountOrShare::All => write!(f, "has all {state}"),
            some => write!(f, "has at least {some} {state}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_kind_and_a_name() {
        let payment = Owner { kind: OwnerKind::Deployment, name: "payment".into() };
        assert_eq!(Owner::parse("deployment/payment"), Some(payment.clone()));
        assert_eq!(payment.to_string(), "deployment/payment");
        for kind in OwnerKind::ALL {
            let owner = Owner { kind: *kind, name: "x".into() };
            assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        }
        for wrong in ["payment", "deployment/", "pod/x", "deployment/a/b", "/x", "Deployment/x"] {
            assert_eq!(Owner::parse(wrong), None, "{wrong}");
        }
        assert_eq!(OwnerKind::of_api("StatefulSet"), Some(OwnerKind::StatefulSet));
        assert_eq!(OwnerKind::of_api("Node"), None);
    }
}
