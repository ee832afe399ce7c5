//! What makes pods: deployments and their replica sets, stateful sets, daemon sets, jobs.

use std::collections::BTreeSet;

use brunt_scenario::plan::{Owner, OwnerKind, PodMatch};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::ListParams;
use kube::core::Selector;
use kube::{Api, Client};

use super::{Candidate, EXEMPT};
use crate::KubernetesError;

/// What a pod's controller may be.
pub(super) struct Makers {
    /// Their UIDs.
    pub uids: BTreeSet<String>,
    /// The labels of their pods, so that only those are listed.
    pub labels: Option<String>,
}

/// The controllers of an owner's pods. Those of a deployment are its replica sets, the old ones too.
pub(super) async fn makers(client: &Client, namespace: &str, owner: &Owner) -> Result<Makers, KubernetesError> {
    let failed = |error| KubernetesError::of(format!("get {owner} in the namespace `{namespace}`"), error);
    let name = &owner.name;
    macro_rules! get {
        ($kind:ty) => {
            Api::<$kind>::namespaced(client.clone(), namespace).get(name).await.map_err(failed)?
        };
    }
    let (meta, selector): (ObjectMeta, Option<LabelSelector>) = match owner.kind {
        OwnerKind::Deployment => {
            let deployment = get!(Deployment);
            let selector = deployment.spec.map(|spec| spec.selector);
            return replica_sets(client, namespace, deployment.metadata.uid.unwrap_or_default(), selector).await;
        }
        OwnerKind::StatefulSet => {
            let set = get!(StatefulSet);
            (set.metadata, set.spec.map(|spec| spec.selector))
        }
        OwnerKind::DaemonSet => {
            let set = get!(DaemonSet);
            (set.metadata, set.spec.map(|spec| spec.selector))
        }
        OwnerKind::ReplicaSet => {
            let set = get!(ReplicaSet);
            (set.metadata, set.spec.map(|spec| spec.selector))
        }
        OwnerKind::Job => {
            let job = get!(Job);
            (job.metadata, job.spec.and_then(|spec| spec.selector))
        }
    };
    Ok(Makers { uids: meta.uid.into_iter().collect(), labels: selector.and_then(in_words) })
}

async fn replica_sets(
    client: &Client,
    namespace: &str,
    deployment: String,
    selector: Option<LabelSelector>,
) -> Result<Makers, KubernetesError> {
    let labels = selector.and_then(in_words);
    let mut asked = ListParams::default();
    if let Some(labels) = &labels {
        asked = asked.labels(labels);
    }
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let found = sets.list_metadata(&asked).await;
    let found = found
        .map_err(|error| KubernetesError::of(format!("list replica sets in the namespace `{namespace}`"), error))?;
    let of_it = found
        .items
        .into_iter()
        .filter(|set| set.metadata.owner_references.iter().flatten().any(|owner| owner.uid == deployment));
    Ok(Makers { uids: of_it.filter_map(|set| set.metadata.uid).collect(), labels })
}

/// As a list call takes it.
fn in_words(selector: LabelSelector) -> Option<String> {
    let selector = Selector::try_from(selector).ok()?;
    Some(selector.to_string()).filter(|words| !words.is_empty())
}

/// The deployment that `owner:` names.
pub(super) async fn deployment(
    client: &Client,
    namespace: &str,
    wanted: &PodMatch,
) -> Result<Vec<Candidate>, KubernetesError> {
    let Some(owner) = wanted.owner.as_ref().filter(|owner| owner.kind == OwnerKind::Deployment) else {
        return Ok(Vec::new());
    };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let found = deployments.get_metadata_opt(&owner.name).await;
    let found =
        found.map_err(|error| KubernetesError::of(format!("get {owner} in the namespace `{namespace}`"), error))?;
    let candidate = found.map(|found| {
        let meta = found.metadata;
        Candidate {
            namespace: Some(namespace.to_owned()),
            name: owner.name.clone(),
            uid: meta.uid.unwrap_or_default(),
            exempt: meta.labels.is_some_and(|labels| labels.get(EXEMPT).is_some_and(|value| value == "true")),
            down: meta.deletion_timestamp.map(|_| "is being deleted".to_owned()),
            ..Candidate::default()
        }
    });
    Ok(candidate.into_iter().collect())
}

/// 1 when the deployment has as many pods of its newest template ready as it should have, and no others; else 0.
pub(super) async fn rolled_out(client: &Client, namespace: &str, wanted: &PodMatch) -> Result<usize, KubernetesError> {
    let Some(owner) = &wanted.owner else { return Ok(0) };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let found = deployments.get(&owner.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {owner}"), error))?;
    Ok(usize::from(is_rolled_out(&found)))
}

/// By its own account, if that account is of its newest version.
pub fn is_rolled_out(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
}
