//! Pods as a list shows them, boiled down to what decides about them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use brunt_scenario::plan::{Owner, OwnerKind, PodMatch};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::ListParams;
use kube::{Api, Client};

use super::workload::{self, Makers};
use super::{Candidate, EXEMPT, nodes, processors};
use crate::own::is_own;
use crate::{Asking, KubernetesError, Object, change};

/// As many as kubectl asks for at a time.
const PAGE: u32 = 500;
/// What a pod that a kubelet has read from a file carries, and no other.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// What a pod has to end by itself, unless it says something else.
const GRACE: i64 = 30;

/// What is known of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Where it runs.
    pub node: Option<String>,
    /// What it belongs to, as a person would name it.
    pub owner: Option<Owner>,
    /// The UID of what made it.
    pub maker: Option<String>,
    /// How many seconds it has to end by itself.
    pub grace: u64,
    /// The names of its containers.
    pub containers: Vec<String>,
    /// How many thousandths of a processor they may use together; without a limit for each there is no such quota.
    pub processors: Option<u64>,
    /// `Running`, `Pending`, ...
    pub phase: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it can be reached.
    pub addresses: Vec<IpAddr>,
    /// A kubelet keeps it by a file of its node.
    pub is_static: bool,
    /// It sees the processes of its node as its own.
    pub host_pids: bool,
    /// Where its containers see each other's processes: the ids of those that run, by their names.
    pub sharing: Option<BTreeMap<String, String>>,
    /// It was asked to end.
    pub ending: bool,
    /// It takes requests.
    pub ready: bool,
    /// It opts out.
    pub exempt: bool,
    /// Why it must not be hit.
    pub protected: Option<String>,
}

impl Facts {
    /// By the whole pod.
    pub fn of(pod: Pod) -> Self {
        let meta = pod.metadata;
        let (spec, status) = (pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        let labels = meta.labels.unwrap_or_default();
        let controller = meta.owner_references.unwrap_or_default().into_iter().find(|one| one.controller == Some(true));
        let owner = controller.as_ref().and_then(|owner| {
            let kind = OwnerKind::of_api(&owner.kind)?;
            // A deployment names its replica sets after itself and the hash of their template.
            let hash = labels.get("pod-template-hash").map(|hash| format!("-{hash}"));
            let deployment = hash.and_then(|hash| owner.name.strip_suffix(&hash).map(str::to_owned));
            Some(match deployment {
                Some(name) if kind == OwnerKind::ReplicaSet => Owner { kind: OwnerKind::Deployment, name },
                _ => Owner { kind, name: owner.name.clone() },
            })
        });
        let ready = status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
        let addresses = status.pod_ips.iter().flatten().filter_map(|ip| ip.ip.parse().ok());
        let addresses: Vec<IpAddr> = addresses.collect();
        let is_static = meta.annotations.is_some_and(|annotations| annotations.contains_key(MIRROR));
        let protected = if is_static {
            Some("it is a static pod: a kubelet keeps it by a file of its node, and the API only mirrors it")
        } else if spec.host_network == Some(true) {
            Some("it has the network of its node (hostNetwork): whatever hits it hits the node")
        } else if addresses.iter().copied().any(is_own) {
            Some("brunt itself runs in it")
        } else {
            None
        };
        let processors = processors::of(&spec);
        let sharing = (spec.share_process_namespace == Some(true)).then(|| ids_of_running(&status));
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            node: spec.node_name,
            owner,
            maker: controller.map(|owner| owner.uid),
            grace: u64::try_from(spec.termination_grace_period_seconds.unwrap_or(GRACE)).unwrap_or(0),
            containers: spec.containers.into_iter().map(|container| container.name).collect(),
            processors,
            phase: status.phase.unwrap_or_default(),
            addresses,
            is_static,
            host_pids: spec.host_pid == Some(true),
            sharing,
            ending: meta.deletion_timestamp.is_some(),
            ready,
            exempt: labels.get(EXEMPT).is_some_and(|value| value == "true"),
            protected: protected.map(str::to_owned),
            labels,
        }
    }

    /// It runs and nobody has asked it to end.
    pub fn is_alive(&self) -> bool {
        self.phase == "Running" && !self.ending
    }

    /// `container`: the one that is meant.
    pub(super) fn candidate(self, container: Option<&str>) -> Candidate {
        let lacks = |name: &&str| !self.containers.iter().any(|one| one == name);
        let down = match (self.is_alive(), self.ending) {
            (true, _) => container.filter(lacks).map(|name| format!("has no container `{name}`")),
            (false, true) => Some("is ending".into()),
            (false, false) => Some(format!("is {}", self.phase)),
        };
        let Self { namespace, name, uid, node, owner, grace, containers, processors, ready, exempt, protected, .. } =
            self;
        Candidate {
            namespace: Some(namespace),
            name,
            uid,
            node,
            owner,
            grace,
            containers,
            processors,
            container_id: None,
            ready,
            exempt,
            protected,
            down,
        }
    }
}

/// As their runtime calls them: `containerd://4f1c` is `4f1c` there.
fn ids_of_running(status: &PodStatus) -> BTreeMap<String, String> {
    let running = status.container_statuses.iter().flatten();
    let running = running.filter(|one| one.state.as_ref().is_some_and(|state| state.running.is_some()));
    let id = |whole: &str| whole.rsplit('/').next().map(str::to_owned).filter(|id| !id.is_empty());
    running.filter_map(|one| Some((one.name.clone(), id(one.container_id.as_deref()?)?))).collect()
}

/// All pods that fit, whatever state they are in.
pub(crate) async fn list(client: &Client, namespace: &str, wanted: &PodMatch) -> Result<Vec<Facts>, KubernetesError> {
    let makers = match &wanted.owner {
        Some(owner) => Some(workload::makers(client, namespace, owner).await?),
        None => None,
    };
    let labels: Vec<String> =
        wanted.selector.iter().chain(makers.as_ref().and_then(|makers| makers.labels.as_ref())).cloned().collect();
    let node = wanted.node.as_ref().map(|node| format!("spec.nodeName={node}"));
    let fields: Vec<String> = wanted.fields.iter().cloned().chain(node).collect();
    let mut all = every(Api::namespaced(client.clone(), namespace), &labels.join(","), &fields.join(",")).await?;
    if let Some(zone) = &wanted.zone {
        let nodes = nodes::of_zone(client, zone).await?;
        all.retain(|pod| pod.node.as_ref().is_some_and(|node| nodes.contains(node)));
    }
    if let Some(Makers { uids, .. }) = &makers {
        all.retain(|pod| made_by(pod, uids));
    }
    Ok(all)
}

fn made_by(pod: &Facts, uids: &BTreeSet<String>) -> bool {
    pod.maker.as_ref().is_some_and(|maker| uids.contains(maker))
}

/// All pods of a node.
pub fn on<'a>(client: &'a Client, node: &'a Object) -> Asking<'a, Vec<Facts>> {
    Box::pin(async move { every(Api::all(client.clone()), "", &format!("spec.nodeName={}", node.name)).await })
}

/// All pods of a namespace.
pub fn of<'a>(client: &'a Client, namespace: &'a str) -> Asking<'a, Vec<Facts>> {
    Box::pin(every(Api::namespaced(client.clone(), namespace), "", ""))
}

/// A pod as it is now, if it is the one that was picked.
pub fn now<'a>(client: &'a Client, pod: &'a Object) -> Asking<'a, Option<Facts>> {
    Box::pin(async move { Ok(change::pod(client, pod).await?.map(Facts::of)) })
}

/// All pods that have these labels and fields, page by page.
async fn every(pods: Api<Pod>, labels: &str, fields: &str) -> Result<Vec<Facts>, KubernetesError> {
    let mut asked = ListParams::default().limit(PAGE);
    // What the API server cannot read it does not name.
    let mut action = "list pods".to_owned();
    if !labels.is_empty() {
        asked = asked.labels(labels);
        action += &format!(" with the labels `{labels}`");
    }
    if !fields.is_empty() {
        asked = asked.fields(fields);
        action += &format!(" with the fields `{fields}`");
    }
    let mut all = Vec::new();
    loop {
        let page = pods.list(&asked).await.map_err(|error| KubernetesError::of(action.as_str(), error))?;
        all.extend(page.items.into_iter().map(Facts::of));
        match page.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => asked = asked.continue_token(&more),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As an API server writes a pod of a deployment, with changes.
    fn pod(change: impl FnOnce(&mut serde_json::Value)) -> Facts {
        let mut pod = json!({
            "metadata": {
                "name": "payment-7c9-x2", "namespace": "shop", "uid": "u1",
                "labels": {"app": "payment", "pod-template-hash": "7c9"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "payment-7c9", "uid": "r1", "controller": true
                }]
            },
            "spec": {"nodeName": "n2", "containers": [], "terminationGracePeriodSeconds": 5},
            "status": {"phase": "Running", "podIPs": [{"ip": "192.0.2.7"}],
                "conditions": [{"type": "Ready", "status": "True"}]}
        });
        change(&mut pod);
        Facts::of(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_of_a_deployment_is_told_with_its_node_and_the_deployment() {
        let facts = pod(|_| {});
        assert_eq!(facts.owner, Owner::parse("deployment/payment"));
        assert_eq!((facts.node.as_deref(), facts.maker.as_deref(), facts.grace), (Some("n2"), Some("r1"), 5));
        assert!(facts.is_alive() && facts.ready && !facts.exempt && facts.protected.is_none());
        let alone = pod(|pod| pod["metadata"]["labels"] = json!({}));
        assert_eq!(alone.owner, Owner::parse("replicaset/payment-7c9"), "a replica set that no deployment has made");
        assert_eq!(pod(|pod| pod["metadata"]["ownerReferences"] = json!([])).owner, None);
    }

    #[test]
    fn a_pod_that_is_ending_or_does_not_run_is_no_victim() {
        let ending = pod(|pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
        assert_eq!(ending.candidate(None).down.as_deref(), Some("is ending"));
        let pending = pod(|pod| pod["status"]["phase"] = json!("Pending"));
        assert_eq!(pending.candidate(None).down.as_deref(), Some("is Pending"));
        let other = pod(|pod| pod["spec"]["containers"] = json!([{ "name": "web" }]));
        assert_eq!(other.clone().candidate(Some("web")).down, None);
        assert_eq!(other.candidate(Some("db")).down.as_deref(), Some("has no container `db`"));
    }

    #[test]
    fn whose_processes_they_are_is_known_only_where_containers_share_them_and_run() {
        let status = json!([
            { "name": "app", "containerID": "containerd://4f1c", "state": { "running": {} }, "ready": true, "image": "",
              "imageID": "", "restartCount": 0 },
            { "name": "beside", "containerID": "containerd://77aa", "state": { "waiting": {} }, "ready": false, "image": "",
              "imageID": "", "restartCount": 3 },
        ]);
        let of = |shares: bool| {
            pod(|pod| {
                pod["spec"]["shareProcessNamespace"] = json!(shares);
                pod["status"]["containerStatuses"] = status.clone();
            })
            .sharing
        };
        assert_eq!(of(false), None);
        let ids = of(true).unwrap();
        assert_eq!(ids, BTreeMap::from([("app".to_owned(), "4f1c".to_owned())]));
        let told = |named: &str| {
            let mut candidate = Candidate::default();
            candidate.tell_apart(Some(named), &ids);
            (candidate.container_id, candidate.down)
        };
        assert_eq!(told("app"), (Some("4f1c".into()), None));
        assert_eq!(told("beside"), (None, Some("does not run its container `beside`".into())));
    }

    #[test]
    fn pods_that_must_not_be_hit_say_why() {
        let why = |facts: Facts| facts.protected.unwrap_or_default();
        assert!(why(pod(|pod| pod["spec"]["hostNetwork"] = json!(true))).contains("hostNetwork"));
        let mirror = pod(|pod| pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"}));
        assert!(why(mirror).contains("static pod"));
        let own = pod(|pod| pod["status"]["podIPs"] = json!([{"ip": "192.0.2.7"}, {"ip": "127.0.0.1"}]));
        assert_eq!(why(own), "brunt itself runs in it");
        assert!(pod(|pod| pod["metadata"]["labels"]["brunt/exempt"] = json!("true")).exempt);
        assert!(!pod(|pod| pod["metadata"]["labels"]["brunt/exempt"] = json!("false")).exempt);
    }
}
