//! What is hit in the trials, as it is before and should be afterwards.

use std::collections::BTreeMap;

use brunt_tests::cluster::{Cluster, SHOP_IMAGE};
use serde_json::{Value, json};

use super::trial::Plan;

/// The namespace of the deployments. Those that get a quota have names that begin with it.
pub const NAMESPACE: &str = "undo";
/// Before the fault, by it, and by somebody else meanwhile.
const REPLICAS: [u32; 3] = [2, 1, 3];

/// What the cluster changes by itself in what is compared, and is not looked at. Status, resource version, generation and
/// managed fields are not compared at all.
pub const DRIFTS: [&str; 2] =
    ["the annotation deployment.kubernetes.io/revision", "taints of nodes that begin with node.kubernetes.io/"];

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Scale,
    Cordon,
    Quota,
    Drain,
}

pub const KINDS: [Kind; 4] = [Kind::Scale, Kind::Cordon, Kind::Quota, Kind::Drain];

impl Kind {
    pub fn fault(self) -> &'static str {
        match self {
            Self::Scale => "deployment.scale",
            Self::Cordon => "node.cordon",
            Self::Quota => "namespace.quota",
            Self::Drain => "node.drain",
        }
    }

    /// The fault's parameters, with a comma in front.
    pub fn with(self) -> String {
        match self {
            Self::Scale => format!(", with: {{ replicas: {} }}", REPLICAS[1]),
            _ => String::new(),
        }
    }

    /// As the API calls what is hit.
    fn object_kind(self) -> &'static str {
        match self {
            Self::Scale => "Deployment",
            Self::Cordon | Self::Drain => "Node",
            Self::Quota => "Namespace",
        }
    }

    fn name(number: usize) -> String {
        format!("{NAMESPACE}-{number}")
    }

    /// What a target says.
    pub fn target(self, number: usize) -> String {
        let name = Self::name(number);
        match self {
            Self::Scale => format!("namespace: {NAMESPACE}, owner: deployment/{name}"),
            Self::Cordon | Self::Drain => format!("namespace: {NAMESPACE}, node: {name}"),
            Self::Quota => format!("namespace: {name}"),
        }
    }

    fn object(self, number: usize) -> Value {
        let name = Self::name(number);
        let meta = json!({ "name": name, "labels": { "app": name }, "annotations": { "owner": "the test" } });
        let template = json!({
            "metadata": { "labels": { "app": name } },
            "spec": { "schedulerName": "none", "containers": [{ "name": "none", "image": SHOP_IMAGE }] },
        });
        match self {
            Self::Scale => json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": meta,
                "spec": {
                    "replicas": REPLICAS[0],
                    "selector": { "matchLabels": { "app": name } },
                    "template": template,
                },
            }),
            _ => json!({ "apiVersion": "v1", "kind": self.object_kind(), "metadata": meta }),
        }
    }

    /// What somebody else does while the fault acts.
    pub fn meddle(self, cluster: &Cluster, number: usize) {
        let name = Self::name(number);
        match self {
            Self::Scale => {
                let to = format!("--replicas={}", REPLICAS[2]);
                cluster.kubectl(&["scale", "deployment", &name, "--namespace", NAMESPACE, &to]);
            }
            Self::Quota => {
                let more = ["--type=merge", "--patch", r#"{"spec":{"hard":{"pods":"7"}}}"#];
                let all = cluster.kubectl(&["get", "resourcequota", "--namespace", &name, "--output=name"]);
                cluster.kubectl(&[&["patch", all.trim(), "--namespace", &name], &more[..]].concat());
            }
            Self::Cordon | Self::Drain => {}
        }
        let kind = self.object_kind();
        cluster.kubectl(&["annotate", kind, &name, "--namespace", NAMESPACE, "person=was-here"]);
    }

    /// The same, of what is expected.
    pub fn meddle_with(self, expected: &mut Value) {
        expected["annotations"]["person"] = json!("was-here");
        match self {
            Self::Scale => expected["spec"]["replicas"] = json!(REPLICAS[2]),
            Self::Quota => expected["quotas"] = json!([{ "hard": { "pods": "7" } }]),
            Self::Cordon | Self::Drain => {}
        }
    }

    /// Whether brunt must leave alone what somebody else has made of it, and say so.
    pub fn is_taken_over(self) -> bool {
        matches!(self, Self::Scale | Self::Quota)
    }
}

/// The objects of the trials. Dropping it takes them away: nodes without a machine would spread the pods of other stories.
pub struct Objects<'cluster> {
    cluster: &'cluster Cluster,
    /// By the number of the trial.
    all: BTreeMap<usize, Kind>,
}

impl<'cluster> Objects<'cluster> {
    pub fn create(cluster: &'cluster Cluster, plans: &[&Plan]) -> Self {
        cluster.kubectl(&["create", "namespace", NAMESPACE]);
        let objects = Self { cluster, all: plans.iter().map(|plan| (plan.number, plan.kind)).collect() };
        let (namespaced, others): (Vec<&&Plan>, _) = plans.iter().partition(|plan| plan.kind == Kind::Scale);
        let of = |plans: &[&&Plan]| plans.iter().map(|plan| plan.kind.object(plan.number)).collect::<Vec<_>>();
        for (namespace, plans) in [(NAMESPACE, namespaced), ("default", others)] {
            if !plans.is_empty() {
                cluster.create(namespace, &of(&plans));
            }
        }
        objects
    }

    /// What must be as before of each: spec, labels, annotations; and the quotas of a namespace.
    pub fn look(&self) -> BTreeMap<usize, Value> {
        let kinds = ["deployments", "nodes", "namespaces", "resourcequotas"];
        let items: Vec<Value> = kinds
            .iter()
            .flat_map(|what| self.cluster.get(&[what, "--all-namespaces"])["items"].as_array().cloned())
            .flatten()
            .collect();
        let found = |kind: Kind, number: usize| {
            let (wanted, name) = (kind.object_kind(), Kind::name(number));
            let is = |item: &&Value| item["kind"] == wanted && item["metadata"]["name"] == *name;
            let object = items.iter().find(is).unwrap_or_else(|| panic!("there is no {wanted} {name} any more"));
            let quota = |item: &&Value| item["kind"] == "ResourceQuota" && item["metadata"]["namespace"] == *name;
            let mut kept = lasting(object);
            kept["quotas"] = items.iter().filter(quota).map(|quota| quota["spec"].clone()).collect();
            kept
        };
        self.all.iter().map(|(number, kind)| (*number, found(*kind, *number))).collect()
    }
}

impl Drop for Objects<'_> {
    fn drop(&mut self) {
        for kind in ["Node", "Namespace"] {
            let of_it = self.all.iter().filter(|(_, one)| one.object_kind() == kind);
            let mut names: Vec<String> = of_it.map(|(number, _)| Kind::name(*number)).collect();
            if kind == "Namespace" {
                names.push(NAMESPACE.to_owned());
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = self
                .cluster
                .command(&[&["delete", kind, "--wait=false", "--ignore-not-found"], &names[..]].concat())
                .output();
        }
    }
}

/// Without [`DRIFTS`].
fn lasting(object: &Value) -> Value {
    let meta = &object["metadata"];
    let mut kept = json!({ "spec": object["spec"], "labels": meta["labels"], "annotations": meta["annotations"] });
    if let Some(annotations) = kept["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(spec) = kept["spec"].as_object_mut() {
        let taints = spec.remove("taints").unwrap_or_default();
        let own = |taint: &&Value| !taint["key"].as_str().unwrap_or_default().starts_with("node.kubernetes.io/");
        let left: Vec<Value> = taints.as_array().into_iter().flatten().filter(own).cloned().collect();
        spec.insert("taints".into(), json!(left));
    }
    kept
}
