//! What a fault must be allowed to do in a cluster: asked for before anything happens, and printed as a role.

use std::collections::{BTreeMap, BTreeSet};

use brunt_scenario::plan::{Expect, Owner, OwnerKind, PodMatch};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::{Asking, KubernetesError};

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Where; `None`: in the whole cluster.
    pub namespace: Option<String>,
    /// The API group; empty for the oldest one.
    pub group: &'static str,
    /// `pods`, `pods/eviction`.
    pub resource: &'static str,
    /// `get`, `patch`.
    pub verb: &'static str,
    /// Only the object of this name.
    pub name: Option<&'static str>,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in the namespace `{namespace}`"),
            None => f.write_str(" in the whole cluster"),
        }
    }
}

/// Whether faults of this kind act inside of pods, by an agent there, and not through the API.
pub fn acts_inside(kind: &str) -> bool {
    kind.starts_with("network.") || kind.starts_with("process.") || kind == "stress.cpu"
}

/// The least that a fault of this kind on such a target needs.
pub fn needed(kind: &str, wanted: &PodMatch, namespace: &str) -> BTreeSet<Right> {
    let here = |group, resource, verb| Right { namespace: Some(namespace.into()), group, resource, verb, name: None };
    let whole = |group, resource, verb| Right { namespace: None, group, resource, verb, name: None };
    let system = Right { name: Some("kube-system"), ..here("", "namespaces", "get") };
    let mut all = BTreeSet::from([Right { namespace: Some("kube-system".into()), ..system }]);
    match kind {
        "pod.kill" => all.extend([here("", "pods", "get"), here("", "pods", "delete")]),
        "pod.fail" => all.extend([here("", "pods", "get"), here("", "pods", "patch")]),
        "pod.evict" => all.extend([here("", "pods", "get"), here("", "pods/eviction", "create")]),
        "deployment.restart" => all.extend([here("apps", "deployments", "get"), here("apps", "deployments", "patch")]),
        "deployment.image" | "deployment.config" | "deployment.limits" => all.extend([
            here("apps", "deployments", "get"),
            here("apps", "deployments", "patch"),
            here("", "pods", "list"),
        ]),
        "deployment.scale" => all.extend([
            here("apps", "deployments", "get"),
            here("apps", "deployments/scale", "patch"),
            here("autoscaling", "horizontalpodautoscalers", "list"),
        ]),
        "node.cordon" => all.extend([whole("", "nodes", "get"), whole("", "nodes", "patch")]),
        "node.drain" => all.extend([
            whole("", "nodes", "get"),
            whole("", "nodes", "patch"),
            whole("", "pods", "list"),
            whole("", "pods/eviction", "create"),
        ]),
        "namespace.quota" => {
            all.insert(here("", "namespaces", "get"));
            all.extend(["create", "delete", "get"].map(|verb| here("", "resourcequotas", verb)));
        }
        _ if acts_inside(kind) => all.extend([
            here("", "pods", "get"),
            here("", "pods/ephemeralcontainers", "patch"),
            // By a WebSocket; since Kubernetes 1.35 that is also asked of who only gets.
            here("", "pods/attach", "get"),
            here("", "pods/attach", "create"),
        ]),
        _ => {}
    }
    let by_node = wanted.node.is_some() || wanted.is_whole_zone();
    if kind.starts_with("pod.") || acts_inside(kind) || kind.starts_with("node.") && !by_node {
        all.extend(to_find_pods(wanted, namespace));
    } else if kind.starts_with("node.") && wanted.node.is_none() {
        all.insert(whole("", "nodes", "list"));
    }
    all
}

/// The least that a probe of such a target needs.
pub fn to_see(expect: Expect, wanted: &PodMatch, namespace: &str) -> BTreeSet<Right> {
    match expect {
        Expect::PodsReady(_) => to_find_pods(wanted, namespace),
        Expect::ReplicasAvailable(_) | Expect::RolledOut | Expect::JobDone => {
            wanted.owner.iter().map(|owner| to_get(owner, namespace)).collect()
        }
    }
}

/// The least that it takes to know the addresses at which such a target is met.
pub fn to_meet(wanted: &PodMatch, namespace: &str) -> BTreeSet<Right> {
    let mut all = to_find_pods(wanted, namespace);
    all.insert(Right { namespace: Some(namespace.into()), group: "", resource: "services", verb: "list", name: None });
    all
}

fn to_find_pods(wanted: &PodMatch, namespace: &str) -> BTreeSet<Right> {
    let list = |group, resource| Right { namespace: Some(namespace.into()), group, resource, verb: "list", name: None };
    let mut all = BTreeSet::from([list("", "pods")]);
    if wanted.zone.is_some() {
        all.insert(Right { namespace: None, group: "", resource: "nodes", verb: "list", name: None });
    }
    if let Some(owner) = &wanted.owner {
        all.insert(to_get(owner, namespace));
        if owner.kind == OwnerKind::Deployment {
            all.insert(list("apps", "replicasets"));
        }
    }
    all
}

fn to_get(owner: &Owner, namespace: &str) -> Right {
    let (group, resource) = match owner.kind {
        OwnerKind::Deployment => ("apps", "deployments"),
        OwnerKind::StatefulSet => ("apps", "statefulsets"),
        OwnerKind::DaemonSet => ("apps", "daemonsets"),
        OwnerKind::ReplicaSet => ("apps", "replicasets"),
        OwnerKind::Job => ("batch", "jobs"),
    };
    Right { namespace: Some(namespace.into()), group, resource, verb: "get", name: None }
}

/// What the report tells of a target's pods is read with these. No fault needs them: what is not granted is not told, and the run
/// says so.
pub fn to_watch(namespace: &str) -> BTreeSet<Right> {
    let here = |group, resource| {
        ["list", "watch"].map(|verb| Right { namespace: Some(namespace.into()), group, resource, verb, name: None })
    };
    let mut all = BTreeSet::from(here("", "pods"));
    all.extend(here("discovery.k8s.io", "endpointslices"));
    all.extend(here("autoscaling", "horizontalpodautoscalers"));
    all.extend(["list", "watch"].map(|verb| Right { namespace: None, group: "", resource: "nodes", verb, name: None }));
    all
}

/// What load from pods needs: the job that makes them, and a word with each. Attaching is a `get` for older API servers, and a
/// `create` for newer ones.
pub fn of_workers(namespace: &str) -> BTreeSet<Right> {
    let here = |group, resource, verb| Right { namespace: Some(namespace.into()), group, resource, verb, name: None };
    let system = Right { name: Some("kube-system"), ..here("", "namespaces", "get") };
    BTreeSet::from([
        Right { namespace: Some("kube-system".into()), ..system },
        here("batch", "jobs", "create"),
        here("batch", "jobs", "get"),
        here("batch", "jobs", "delete"),
        here("", "pods", "list"),
        here("", "pods/log", "get"),
        here("", "pods/attach", "get"),
        here("", "pods/attach", "create"),
    ])
}

/// Those of these rights that the cluster would not grant. Every user may ask this of itself.
pub fn missing<'a>(client: &'a Client, needed: &'a BTreeSet<Right>) -> Asking<'a, Vec<Right>> {
    Box::pin(async move {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
        let mut missing = Vec::new();
        for right in needed {
            let (resource, subresource) = match right.resource.split_once('/') {
                Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
                None => (right.resource, None),
            };
            let attributes = ResourceAttributes {
                group: Some(right.group.to_owned()),
                name: right.name.map(str::to_owned),
                namespace: right.namespace.clone(),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(right.verb.to_owned()),
                ..ResourceAttributes::default()
            };
            let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
            let review = SelfSubjectAccessReview { spec, ..Default::default() };
            let answered = reviews.create(&PostParams::default(), &review).await;
            let answered =
                answered.map_err(|error| KubernetesError::of(format!("ask whether one may {right}"), error))?;
            if !answered.status.is_some_and(|status| status.allowed) {
                missing.push(right.clone());
            }
        }
        Ok(missing)
    })
}

/// These rights as the YAML of roles of that name: one for each namespace, and a ClusterRole only for what has none.
pub fn roles(role: &str, rights: &BTreeSet<Right>) -> String {
    let mut text = String::new();
    let places: BTreeSet<&Option<String>> = rights.iter().map(|right| &right.namespace).collect();
    // Namespaces first: most scenarios need nothing else.
    for place in places.into_iter().rev() {
        let mut rules: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
        for right in rights.iter().filter(|right| right.namespace == *place) {
            rules.entry((right.group, right.resource, right.name)).or_default().push(right.verb);
        }
        let (kind, namespace) = match place {
            Some(namespace) => ("Role", format!(", namespace: {namespace}")),
            None => ("ClusterRole", String::new()),
        };
        text += &format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{ name: {role}{namespace} }}\nrules:\n"
        );
        for ((group, resource, name), verbs) in rules {
            let only = name.map_or_else(String::new, |name| format!(", resourceNames: [{name}]"));
            let verbs = verbs.join(", ");
            text += &format!("  - {{ apiGroups: [\"{group}\"], resources: [{resource}]{only}, verbs: [{verbs}] }}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use brunt_scenario::units::CountOrShare;

    use super::*;

    fn words(kind: &str, wanted: &PodMatch) -> Vec<String> {
        needed(kind, wanted, "shop").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_kill_by_labels_needs_nothing_but_pods_of_its_namespace_and_the_name_of_the_cluster() {
        let wanted = PodMatch { selector: Some("app=payment".into()), ..PodMatch::default() };
        assert_eq!(
            words("pod.kill", &wanted),
            [
                "get namespaces in the namespace `kube-system`",
                "delete pods in the namespace `shop`",
                "get pods in the namespace `shop`",
                "list pods in the namespace `shop`",
            ]
        );
    }

    #[test]
    fn what_is_found_by_its_deployment_needs_to_see_that_and_its_replica_sets() {
        let wanted = PodMatch { owner: Owner::parse("deployment/payment"), ..PodMatch::default() };
        let evict = words("pod.evict", &wanted);
        for right in ["create pods/eviction", "get deployments.apps", "list replicasets.apps"] {
            assert!(evict.iter().any(|found| found.starts_with(right)), "{right}: {evict:?}");
        }
        let scale = words("deployment.scale", &wanted);
        assert!(!scale.iter().any(|right| right.contains("pods ")), "{scale:?}");
    }

    #[test]
    fn a_probe_needs_to_read_what_it_asks_about_and_nothing_else() {
        let wanted = PodMatch { owner: Owner::parse("deployment/payment"), ..PodMatch::default() };
        let words = |expect| to_see(expect, &wanted, "shop").iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(words(Expect::RolledOut), ["get deployments.apps in the namespace `shop`"]);
        let ready = words(Expect::PodsReady(CountOrShare::All));
        assert_eq!(ready.len(), 3, "{ready:?}");
        assert!(ready.iter().all(|right| right.starts_with("get ") || right.starts_with("list ")), "{ready:?}");
    }

    #[test]
    fn a_role_has_one_rule_for_each_resource_and_nothing_cluster_wide_without_need() {
        let wanted = PodMatch { selector: Some("app=payment".into()), ..PodMatch::default() };
        let printed = roles("brunt", &needed("pod.kill", &wanted, "shop"));
        assert_eq!(
            printed,
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: brunt, namespace: shop }\nrules:\n  \
             - { apiGroups: [\"\"], resources: [pods], verbs: [delete, get, list] }\n\
             ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: brunt, namespace: kube-system }\nrules:\n  \
             - { apiGroups: [\"\"], resources: [namespaces], resourceNames: [kube-system], verbs: [get] }\n"
        );
    }

    #[test]
    fn what_the_report_reads_needs_the_cluster_only_for_nodes() {
        let whole: Vec<String> =
            to_watch("shop").iter().filter(|right| right.namespace.is_none()).map(ToString::to_string).collect();
        assert_eq!(whole, ["list nodes in the whole cluster", "watch nodes in the whole cluster"]);
        assert!(to_watch("shop").iter().all(|right| ["list", "watch"].contains(&right.verb)));
    }

    #[test]
    fn what_acts_inside_of_pods_needs_an_ephemeral_container_and_a_wire_to_it() {
        let wanted = PodMatch { selector: Some("app=payment".into()), ..PodMatch::default() };
        assert_eq!(
            words("network.loss", &wanted),
            [
                "get namespaces in the namespace `kube-system`",
                "get pods in the namespace `shop`",
                "list pods in the namespace `shop`",
                "create pods/attach in the namespace `shop`",
                "get pods/attach in the namespace `shop`",
                "patch pods/ephemeralcontainers in the namespace `shop`",
            ]
        );
    }

    #[test]
    fn only_nodes_need_rights_in_the_whole_cluster() {
        let wanted = PodMatch { node: Some("n2".into()), ..PodMatch::default() };
        let whole = |kind| needed(kind, &wanted, "shop").iter().filter(|right| right.namespace.is_none()).count();
        assert_eq!((whole("node.cordon"), whole("node.drain"), whole("pod.kill")), (2, 4, 0));
    }
}
