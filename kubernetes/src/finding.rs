//! Pods of a cluster, and what they belong to: found by labels, fields, owner or node; and those that brunt never touches.
//!
//! One list call a page of 500, each pod boiled down to what is needed as it arrives, so that a namespace of thousands costs
//! little. Faults on deployments and nodes ask for those themselves: `owner: deployment/x` names one, `node:` names the
//! other, and pods lead to the nodes on which they run.
//!
//! Who of them is hit is not decided here.

mod namespaces;
pub(crate) mod nodes;
mod peers;
pub mod pod;
mod processors;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use brunt_scenario::plan::{Expect, Fault, Owner, PodMatch};
use kube::Client;

use crate::rights::{self, Right};
use crate::{ANSWER, Cluster, Identity, Kind, KubernetesError, Object, change, ephemeral};
pub use workload::is_rolled_out;

/// What has this label set to `true` is no member of any target.
pub const EXEMPT: &str = "brunt/exempt";

/// What a kind of fault acts on.
pub fn acts_on(kind: &str) -> Option<Kind> {
    match kind.split_once('.')?.0 {
        "pod" => Some(Kind::Pod),
        "deployment" => Some(Kind::Deployment),
        "node" => Some(Kind::Node),
        "namespace" => Some(Kind::Namespace),
        _ => None,
    }
}

/// What an earlier look in the same run has found out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Which cluster the context means.
    pub cluster: Option<&'a Identity>,
    /// The rights that this fault needs are there; a fault that is about to act asks no more for them.
    pub allowed: bool,
}

/// How many members there are that do what they are there for: pods that are ready, deployments that are rolled out. None
/// where the cluster does not answer.
pub fn count(fault: &Fault, wanted: &PodMatch) -> usize {
    let Ok(cluster) = Cluster::of_context(wanted.context.as_deref()) else { return 0 };
    let namespace = namespace(&cluster, wanted);
    let counted = cluster.ask(ANSWER, async |client| match acts_on(fault.kind) {
        Some(Kind::Deployment) => workload::rolled_out(&client, &namespace, wanted).await,
        Some(Kind::Namespace) => Ok(namespaces::of(&client, &namespace).await?.len()),
        _ => {
            let pods = pod::list(&client, &namespace, wanted).await?;
            let ready = pods.iter().filter(|pod| pod.is_alive() && pod.ready && !pod.exempt).count();
            // One that is still ending is neither there nor gone, and its target not whole before it is.
            Ok(ready.saturating_sub(pods.iter().filter(|pod| pod.ending).count()))
        }
    });
    counted.unwrap_or(0)
}

/// The addresses at which the pods of a target are met as they are now: their own, and those of the Services that lead to them.
///
/// # Errors
/// The cluster cannot be asked.
pub fn addresses(wanted: &PodMatch) -> Result<Vec<IpAddr>, KubernetesError> {
    let cluster = Cluster::of_context(wanted.context.as_deref())?;
    let namespace = namespace(&cluster, wanted);
    cluster.ask(ANSWER, async |client| peers::addresses(&client, &namespace, wanted).await)
}

/// What [`addresses`] needs; the namespace as for [`rights`].
pub fn rights_to_meet(wanted: &PodMatch) -> BTreeSet<Right> {
    rights::to_meet(wanted, &likely_namespace(wanted))
}

/// Those of the rights of [`addresses`] that its cluster would not grant.
///
/// # Errors
/// The cluster cannot be asked.
pub fn missing_to_meet(wanted: &PodMatch) -> Result<Vec<Right>, KubernetesError> {
    missing(wanted, |namespace| rights::to_meet(wanted, namespace))
}

/// The context and the namespace that are meant; nothing is asked. No context: the cluster that brunt runs in.
///
/// # Errors
/// There is no kubeconfig, or no such context in it.
pub fn place(wanted: &PodMatch) -> Result<(Option<String>, String), KubernetesError> {
    let cluster = Cluster::of_context(wanted.context.as_deref())?;
    Ok((cluster.access().context().cloned(), namespace(&cluster, wanted)))
}

/// What the faults of a plan on a target need, and in which context.
///
/// A namespace that is not given is that of the context, if there is a kubeconfig here, and `default` if there is none.
pub fn rights(fault: &Fault, wanted: &PodMatch) -> BTreeSet<Right> {
    rights::needed(fault.kind, wanted, &likely_namespace(wanted))
}

/// What a probe of a target needs; the namespace as for [`rights`].
pub fn rights_to_see(expect: Expect, wanted: &PodMatch) -> BTreeSet<Right> {
    rights::to_see(expect, wanted, &likely_namespace(wanted))
}

/// What the report reads of a target; the namespace as for [`rights`].
pub fn rights_to_watch(wanted: &PodMatch) -> BTreeSet<Right> {
    rights::to_watch(&likely_namespace(wanted))
}

/// Those of the rights of a probe that its cluster would not grant.
///
/// # Errors
/// The cluster cannot be asked.
pub fn missing_to_see(expect: Expect, wanted: &PodMatch) -> Result<Vec<Right>, KubernetesError> {
    missing(wanted, |namespace| rights::to_see(expect, wanted, namespace))
}

/// Those of the rights in a target's namespace that its cluster would not grant.
fn missing(wanted: &PodMatch, needed: impl FnOnce(&str) -> BTreeSet<Right>) -> Result<Vec<Right>, KubernetesError> {
    let cluster = Cluster::of_context(wanted.context.as_deref())?;
    let needed = needed(&namespace(&cluster, wanted));
    cluster.ask(ANSWER, async |client| rights::missing(&client, &needed).await)
}

fn likely_namespace(wanted: &PodMatch) -> String {
    let of_context = || Cluster::of_context(wanted.context.as_deref()).ok().and_then(|it| it.access().namespace());
    wanted.namespace.clone().or_else(of_context).unwrap_or_else(|| "default".into())
}

/// The namespace that is meant.
pub(crate) fn namespace(cluster: &Cluster, wanted: &PodMatch) -> String {
    wanted.namespace.clone().or_else(|| cluster.access().namespace()).unwrap_or_else(|| "default".into())
}

/// What was found, and where.
#[derive(Debug)]
pub struct Found {
    /// All that fit, whatever may become of them.
    pub candidates: Vec<Candidate>,
    /// The cluster that has them.
    pub cluster: Identity,
    /// The namespace in which it was looked.
    namespace: String,
}

impl Found {
    /// What was looked for, as a sentence goes on after "no pod".
    pub fn in_words(&self, kind: Kind, wanted: &PodMatch) -> String {
        format!("{}, in {}", in_words(kind, wanted, &self.namespace), self.cluster)
    }
}

/// All that a fault of this kind may mean.
///
/// # Errors
/// [`KubernetesError::Rights`] if this user may not do what the fault needs; the cluster cannot be asked, or is another one than
/// before.
pub fn look(kind: &str, wanted: &PodMatch, known: Known<'_>) -> Result<Found, KubernetesError> {
    let cluster = Cluster::of_context(wanted.context.as_deref())?;
    let namespace = namespace(&cluster, wanted);
    let (identity, candidates) = cluster.ask(ANSWER, async |client| {
        if !known.allowed {
            let missing = rights::missing(&client, &rights::needed(kind, wanted, &namespace)).await?;
            if !missing.is_empty() {
                let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(KubernetesError::Rights { missing });
            }
        }
        let identity = cluster.identity(&client).await?;
        if let Some(pinned) = known.cluster {
            identity.is(pinned)?;
        }
        let found = candidates(kind, &client, &namespace, wanted).await?;
        Ok((identity, found))
    })?;
    Ok(Found { candidates, cluster: identity, namespace })
}

/// One that may be hit, or may not. What is no pod has the default of all that only pods have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// Its namespace; nodes and namespaces have none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Of a pod: where it runs.
    pub node: Option<String>,
    /// Of a pod: what it belongs to.
    pub owner: Option<Owner>,
    /// Of a pod: how many seconds it has to end by itself.
    pub grace: u64,
    /// Of a pod: the names of its containers.
    pub containers: Vec<String>,
    /// Of a pod: what they may use of processors together, if each of them has a limit.
    pub processors: Option<u64>,
    /// Of a pod whose containers see each other's processes: the id of the container that is meant.
    pub container_id: Option<String>,
    /// Of a pod: it takes requests.
    pub ready: bool,
    /// It opts out.
    pub exempt: bool,
    /// Why it must not be hit.
    pub protected: Option<String>,
    /// Why there is nothing to hit: `is Pending`.
    pub down: Option<String>,
}

impl Candidate {
    /// An agent beside one of its containers sees the processes of all of them: by this id it knows which are meant.
    fn tell_apart(&mut self, named: Option<&str>, ids: &BTreeMap<String, String>) {
        // Where there are several, and none is named, the caller refuses it.
        let Some(meant) = named.or(self.containers.first().map(String::as_str)) else { return };
        self.container_id = ids.get(meant).cloned();
        if self.container_id.is_none() {
            self.down.get_or_insert_with(|| format!("does not run its container `{meant}`"));
        }
    }

    /// As a fault hits it.
    pub fn object(self, kind: Kind, cluster: &Identity) -> Object {
        let Self { namespace, name, uid, node, owner, grace, processors, container_id, .. } = self;
        Object {
            node,
            owner,
            grace,
            processors,
            container_id,
            ..Object::new(kind, namespace, name, uid, cluster.clone())
        }
    }
}

async fn candidates(
    kind: &str,
    client: &Client,
    namespace: &str,
    wanted: &PodMatch,
) -> Result<Vec<Candidate>, KubernetesError> {
    match acts_on(kind).unwrap_or(Kind::Pod) {
        Kind::Pod => {
            let pods = pod::list(client, namespace, wanted).await?;
            let candidate = |pod: pod::Facts| {
                let purpose = ephemeral::Purpose::of(kind);
                let of_node = pod.host_pids && purpose == ephemeral::Purpose::Processes;
                let sharing = pod.sharing.clone().filter(|_| purpose == ephemeral::Purpose::Processes);
                let mut candidate = pod.candidate(wanted.container.as_deref());
                if let Some(ids) = sharing {
                    candidate.tell_apart(wanted.container.as_deref(), &ids);
                }
                if of_node && candidate.protected.is_none() {
                    candidate.protected =
                        Some("it has the pids of its node (hostPID): all that runs there is among them".into());
                }
                if purpose == ephemeral::Purpose::Processors && candidate.processors.is_none() {
                    candidate.protected.get_or_insert_with(|| processors::NO_QUOTA.into());
                }
                candidate
            };
            Ok(pods.into_iter().map(candidate).collect())
        }
        Kind::Deployment => {
            let mut found = workload::deployment(client, namespace, wanted).await?;
            if let ("deployment.scale", Some(one)) = (kind, found.first_mut()) {
                let autoscaler = change::autoscaler(client, namespace, &one.name).await?;
                let why = |name| format!("the autoscaler `{name}` decides about its replicas and would undo the fault");
                one.protected = autoscaler.map(why);
            }
            Ok(found)
        }
        Kind::Node => nodes::of(client, namespace, wanted).await,
        // No fault acts on one.
        Kind::Job => Ok(Vec::new()),
        Kind::Namespace => namespaces::of(client, namespace).await,
    }
}

fn in_words(kind: Kind, wanted: &PodMatch, namespace: &str) -> String {
    let PodMatch { selector, fields, owner, node, container, zone, .. } = wanted;
    match (kind, owner, node, zone) {
        (Kind::Namespace, ..) => return format!("is called `{namespace}`"),
        (Kind::Deployment, Some(Owner { name, .. }), ..) => {
            return format!("is called `{name}` in the namespace `{namespace}`");
        }
        (Kind::Node, _, Some(node), _) => return format!("is called `{node}`"),
        (Kind::Node, _, None, Some(zone)) if wanted.is_whole_zone() => return format!("stands in the zone `{zone}`"),
        _ => {}
    }
    let conditions = [
        ("labels", selector.clone()),
        ("fields", fields.clone()),
        ("owner", owner.as_ref().map(ToString::to_string)),
        ("node", node.clone()),
        ("container", container.clone()),
        ("zone", zone.clone()),
    ];
    let conditions = conditions.into_iter().filter_map(|(name, value)| Some(format!("the {name} `{}`", value?)));
    let conditions: Vec<String> = conditions.collect();
    let has_pods = if kind == Kind::Node { "has a pod that runs" } else { "runs" };
    let with = if conditions.is_empty() { "" } else { " with " };
    format!("{has_pods} in the namespace `{namespace}`{with}{}", conditions.join(" and "))
}

/// Whether a fault of this kind can act on this target: what names the object must be there.
pub fn check_fit(fault: &Fault, wanted: &PodMatch) -> Result<(), &'static str> {
    match acts_on(fault.kind) {
        Some(Kind::Namespace) if wanted.is_whole_namespace() => Ok(()),
        Some(Kind::Namespace) => {
            Err("it acts on a whole namespace: use a target with `namespace`, and no `selector` or the like")
        }
        Some(_) if wanted.is_whole_namespace() => {
            Err("nothing says which pods are meant: give `selector`, `fields`, `owner`, `node` or `zone`")
        }
        Some(Kind::Pod | Kind::Node | Kind::Job) => Ok(()),
        Some(Kind::Deployment) if wanted.names_a_deployment() => Ok(()),
        Some(Kind::Deployment) => Err("it acts on a deployment: name it with `owner: deployment/NAME`"),
        None if rights::acts_inside(fault.kind) => Ok(()),
        None => Err("it does not act through the API of a cluster"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_nothing_is_told_what_was_looked_for() {
        let owner = Owner::parse("deployment/payment");
        let wanted = PodMatch { owner, container: Some("app".into()), ..PodMatch::default() };
        let told = |kind: Kind, wanted: &PodMatch| format!("no {} {}", kind.word(), in_words(kind, wanted, "shop"));
        let pods = "runs in the namespace `shop` with the owner `deployment/payment` and the container `app`";
        assert_eq!(told(Kind::Pod, &wanted), format!("no pod {pods}"));
        assert_eq!(told(Kind::Node, &wanted), format!("no node has a pod that {pods}"));
        assert_eq!(told(Kind::Deployment, &wanted), "no deployment is called `payment` in the namespace `shop`");
        let node = PodMatch { node: Some("n9".into()), ..wanted };
        assert_eq!(told(Kind::Node, &node), "no node is called `n9`");
        let zone = PodMatch { zone: Some("eu-1".into()), ..PodMatch::default() };
        assert_eq!(told(Kind::Node, &zone), "no node stands in the zone `eu-1`");
        assert_eq!(told(Kind::Namespace, &PodMatch::default()), "no namespace is called `shop`");
    }
}
