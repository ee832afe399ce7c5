//! Faults on pods, through the API of their cluster. They live in the agent, as those on processes do, and there they have
//! the credentials of the run.
//!
//! A name says nothing: the pods of a stateful set have the same one again and again. Every change carries the UID that was
//! picked, and the API refuses it for any other pod.

mod evict;
mod fail;
mod kill;
mod leave;

use std::collections::BTreeSet;
use std::time::Duration;

use brunt_kubernetes::finding::pod::{self, Facts};
use brunt_kubernetes::{ANSWER, Access, Client, Cluster, Kind, KubernetesError, Object};

use self::leave::Way;
use crate::agent::protocol::Order;
use crate::error::Error;
use crate::fault::{Elsewhere, Fault};
use crate::target::Victim;

/// How long a kubelet may take beyond what a pod is given to end.
pub const SETTLE: Duration = Duration::from_secs(20);

/// The fault of this kind on these pods.
pub fn on_pods(order: &Order) -> Result<Box<dyn Fault<Elsewhere>>, Error> {
    let (cluster, pods) = objects(order, Kind::Pod)?;
    match order.kind.as_str() {
        "pod.kill" => Ok(Box::new(leave::Leave::new(Way::Kill, cluster, pods, order.grace))),
        "pod.evict" => Ok(Box::new(leave::Leave::new(Way::Evict, cluster, pods, order.grace))),
        "pod.fail" => Ok(Box::new(fail::Fail::new(cluster, pods))),
        kind => Err(Error::Unfit { kind: kind.into(), why: "it does not act on pods".into() }),
    }
}

/// The objects that an order hits, and the way to their cluster.
pub(super) fn objects(order: &Order, kind: Kind) -> Result<(Cluster, Vec<Object>), Error> {
    let unfit = |why: String| Error::Unfit { kind: order.kind.clone(), why };
    let access: Option<Access> = order.access.clone();
    let access = access.ok_or_else(|| unfit("it needs a cluster, and nothing leads to one".into()))?;
    let of = |victim: &Victim| match victim {
        Victim::Kubernetes(object) if object.kind == kind => Ok((**object).clone()),
        other => Err(unfit(format!("{other} is no {}", kind.word()))),
    };
    let objects = order.victims.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    Ok((Cluster::new(access), objects))
}

/// Whether these pods are what was picked, in the cluster of the plan, and who stands beside them.
fn prepare(cluster: &Cluster, pods: &[Object]) -> Result<Replacements, KubernetesError> {
    cluster.ask(ANSWER, async |client| {
        if let Some(pod) = pods.first() {
            cluster.check(&client, &pod.cluster).await?;
        }
        Replacements::before(&client, pods).await
    })
}

/// `payment-0, payment-2`
pub(super) fn names(objects: &[Object]) -> String {
    objects.iter().map(|object| object.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Why a pod cannot be used that is not there by its UID.
fn is_another(pod: &Object) -> KubernetesError {
    let why = "it is gone, or another pod has its name, since it was picked".into();
    KubernetesError::Changed { action: format!("use {}", pod.place()), why }
}

/// What came in the place of pods that are gone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Replacements {
    /// UIDs of what made the pods.
    makers: BTreeSet<String>,
    /// How many of their pods were ready before.
    ready: usize,
    /// UIDs of the pods that were there before.
    before: BTreeSet<String>,
}

impl Replacements {
    /// Before anything happens to these pods. `None` where the cluster does not have all of them any more.
    pub async fn before(client: &Client, pods: &[Object]) -> Result<Self, KubernetesError> {
        let mut noted = Self::default();
        for pod in pods {
            let found = pod::now(client, pod).await?;
            let found = found.filter(|found| !found.ending).ok_or_else(|| is_another(pod))?;
            noted.makers.extend(found.maker);
        }
        for pod in noted.siblings(client, pods).await? {
            noted.ready += usize::from(pod.ready && pod.is_alive());
            noted.before.insert(pod.uid);
        }
        Ok(noted)
    }

    /// What makers there are makes as many ready pods again as there were. In words: which new ones are ready, and what is
    /// missing.
    pub async fn after(&self, client: &Client, pods: &[Object]) -> Result<(String, Option<String>), KubernetesError> {
        if self.makers.is_empty() {
            return Ok((String::new(), Some(format!("nothing makes another pod in place of {}", names(pods)))));
        }
        let siblings = self.siblings(client, pods).await?;
        let ready = siblings.iter().filter(|pod| pod.ready && pod.is_alive()).count();
        let new = siblings.iter().filter(|pod| !self.before.contains(&pod.uid) && pod.ready && pod.is_alive());
        let mut new: Vec<String> = new.map(|pod| format!("{} (uid {})", pod.name, pod.uid)).collect();
        new.sort();
        let came = if new.is_empty() { String::new() } else { format!("; ready in its place: {}", new.join(", ")) };
        let missing = (ready < self.ready).then(|| format!("{ready} of {} pods are ready again so far", self.ready));
        Ok((came, missing))
    }

    /// All pods of the same makers.
    async fn siblings(&self, client: &Client, pods: &[Object]) -> Result<Vec<Facts>, KubernetesError> {
        let mut all = Vec::new();
        let namespaces: BTreeSet<&str> = pods.iter().map(Object::namespace).collect();
        for namespace in namespaces {
            let found = pod::of(client, namespace).await?;
            all.extend(found.into_iter().filter(|pod| pod.maker.as_ref().is_some_and(|it| self.makers.contains(it))));
        }
        Ok(all)
    }
}
