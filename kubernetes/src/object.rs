//! An object of a cluster that a fault hits, as it was when it was picked.

use std::fmt;

use brunt_scenario::plan::{Owner, ProcessMatch};
use serde::{Deserialize, Serialize};

use crate::Identity;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pod.
    Pod,
    /// A deployment.
    Deployment,
    /// A node.
    Node,
    /// A job: the pods that send a run's load.
    Job,
    /// A namespace, with all that is in it.
    Namespace,
}

impl Kind {
    /// As kubectl has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Deployment => "deployment",
            Self::Node => "node",
            Self::Job => "job",
            Self::Namespace => "namespace",
        }
    }
}

/// See the module. The order is that of the identities from which the seed picks: by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its namespace; nodes and namespaces have none.
    pub namespace: Option<String>,
    /// Its name, which another one may have later.
    pub name: String,
    /// Its UID, which no other one ever has.
    pub uid: String,
    /// The cluster that has it.
    pub cluster: Identity,
    /// Of a pod: where it runs.
    pub node: Option<String>,
    /// Of a pod: what made it and makes another one; `None` means that nothing does.
    pub owner: Option<Owner>,
    /// Of a pod: how many seconds it has to end by itself.
    pub grace: u64,
    /// Of a pod: the one of its containers that is meant.
    #[serde(default)]
    pub container: Option<String>,
    /// Of a pod: which processes in that container are meant.
    #[serde(default)]
    pub process: Option<ProcessMatch>,
    /// Of a pod whose containers see each other's processes: the id of that container, which is another one once it was started
    /// again.
    #[serde(default)]
    pub container_id: Option<String>,
    /// Of a pod: how many thousandths of a processor all of its containers together may use, if each of them has a limit.
    #[serde(default)]
    pub processors: Option<u64>,
}

impl Object {
    /// One of which no more is known than what it is.
    pub fn new(kind: Kind, namespace: Option<String>, name: String, uid: String, cluster: Identity) -> Self {
        Self {
            kind,
            namespace,
            name,
            uid,
            cluster,
            node: None,
            owner: None,
            grace: 0,
            container: None,
            process: None,
            container_id: None,
            processors: None,
        }
    }

    /// What it is and where: `pod shop/payment-0`.
    pub fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind.word(), self.name),
            None => format!("{} {}", self.kind.word(), self.name),
        }
    }

    /// For kubectl, after its verb: `--context lab --namespace shop pod/payment-0`.
    pub fn by_hand(&self) -> String {
        let namespace = self.namespace.as_ref().map_or_else(String::new, |name| format!(" --namespace {name}"));
        format!("{}{namespace} {}/{}", self.cluster.option().trim_start(), self.kind.word(), self.name)
            .trim()
            .to_owned()
    }

    /// Its namespace, or none.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

/// As it stands in plans and results: `payment-0 (of statefulset/payment, on worker-2, uid 1a2b)`.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        if self.kind == Kind::Pod {
            match &self.owner {
                Some(owner) => write!(f, "of {owner}, ")?,
                None => f.write_str("of nothing that would make another one, ")?,
            }
        }
        if let Some(node) = &self.node {
            write!(f, "on {node}, ")?;
        }
        if let Some(container) = &self.container {
            write!(f, "container {container}, ")?;
        }
        if let Some(wanted) = &self.process {
            write!(f, "processes with {}, ", wanted.in_words())?;
        }
        write!(f, "uid {})", self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_told_by_all_that_tells_it_apart() {
        let cluster = Identity { context: Some("lab".into()), files: Vec::new(), uid: "c0".into() };
        let pod = Object {
            kind: Kind::Pod,
            namespace: Some("shop".into()),
            name: "payment-0".into(),
            uid: "1a2b".into(),
            cluster,
            node: Some("worker-2".into()),
            owner: Owner::parse("statefulset/payment"),
            grace: 30,
            container: None,
            process: None,
            container_id: None,
            processors: None,
        };
        assert_eq!(pod.to_string(), "payment-0 (of statefulset/payment, on worker-2, uid 1a2b)");
        assert_eq!(pod.place(), "pod shop/payment-0");
        assert_eq!(pod.by_hand(), "--context lab --namespace shop pod/payment-0");
        let alone = Object { owner: None, node: None, ..pod };
        assert_eq!(alone.to_string(), "payment-0 (of nothing that would make another one, uid 1a2b)");
    }
}
