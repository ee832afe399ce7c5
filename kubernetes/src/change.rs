//! Looks at objects and changes them, each change tied to what was looked at: by the UID, so that no other object is hit that
//! has the name by now, and by the version, so that nothing is overwritten that came in between.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{KubernetesError, MANAGER, Object};

/// How often a write is tried that others come before: each attempt looks anew.
const ATTEMPTS: usize = 5;

/// What ties a write to what was looked at.
pub(super) fn tied(meta: &ObjectMeta, mut change: Value) -> Value {
    change["metadata"] = json!({ "uid": meta.uid, "resourceVersion": meta.resource_version });
    change
}

/// Only our own fields, by the name under which the cluster keeps books of who changed them.
fn as_brunt() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

/// A deployment, if it is the one that was picked.
pub async fn deployment(client: &Client, object: &Object) -> Result<Option<Deployment>, KubernetesError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
    let found = deployments.get_opt(&object.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
    Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
}

/// A node, if it is the one that was picked.
pub async fn node(client: &Client, object: &Object) -> Result<Option<Node>, KubernetesError> {
    let found = Api::<Node>::all(client.clone()).get_opt(&object.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
    Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
}

/// How many replicas a deployment should have.
pub fn replicas_of(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The autoscaler that decides about a deployment's replicas.
pub async fn autoscaler(client: &Client, namespace: &str, name: &str) -> Result<Option<String>, KubernetesError> {
    let all: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let found = all.list(&ListParams::default()).await;
    let what = format!("list horizontal pod autoscalers in the namespace `{namespace}`");
    let found = found.map_err(|error| KubernetesError::of(what, error))?;
    let of_it = found.items.into_iter().find(|one| {
        let target = one.spec.as_ref().map(|spec| &spec.scale_target_ref);
        target.is_some_and(|target| target.kind == "Deployment" && target.name == name)
    });
    Ok(of_it.and_then(|one| one.metadata.name))
}

/// Sets the number of replicas of the deployment as it was looked at.
///
/// # Errors
/// [`KubernetesError::Changed`] if it is another version by now.
pub async fn scale(client: &Client, object: &Object, seen: &Deployment, to: i32) -> Result<(), KubernetesError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
    let change = tied(&seen.metadata, json!({ "spec": { "replicas": to } }));
    let scaled = deployments.patch_scale(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
    scaled.map(drop).map_err(|error| KubernetesError::of(format!("scale {}", object.place()), error))
}

/// Changes the deployment as it was looked at.
///
/// # Errors
/// As for [`scale`].
pub async fn change_deployment(
    client: &Client,
    object: &Object,
    seen: &Deployment,
    change: Value,
) -> Result<Deployment, KubernetesError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
    let change = tied(&seen.metadata, change);
    let changed = deployments.patch(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
    changed.map_err(|error| KubernetesError::of(format!("change {}", object.place()), error))
}

/// Sets `spec.unschedulable` of the node as it was looked at; `None` takes the field away.
///
/// # Errors
/// As for [`scale`].
pub async fn set_schedulable(
    client: &Client,
    object: &Object,
    seen: &Node,
    unschedulable: Option<bool>,
) -> Result<(), KubernetesError> {
    let change = tied(&seen.metadata, json!({ "spec": { "unschedulable": unschedulable } }));
    let changed = Api::<Node>::all(client.clone()).patch(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
    changed.map(drop).map_err(|error| KubernetesError::of(format!("change {}", object.place()), error))
}

/// A pod, if it is the one that was picked.
pub async fn pod(client: &Client, object: &Object) -> Result<Option<Pod>, KubernetesError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
    let found = pods.get_opt(&object.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
    Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
}

/// The image of each container of a pod, by its name.
pub fn images(pod: &Pod) -> Vec<(String, String)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.map(|one| (one.name.clone(), one.image.clone().unwrap_or_default())).collect()
}

/// Gives containers of the pod as it was looked at other images.
///
/// # Errors
/// As for [`scale`].
pub async fn set_images(
    client: &Client,
    object: &Object,
    seen: &Pod,
    images: &[(String, String)],
) -> Result<(), KubernetesError> {
    let containers: Vec<Value> = images.iter().map(|(name, image)| json!({ "name": name, "image": image })).collect();
    let change = tied(&seen.metadata, json!({ "spec": { "containers": containers } }));
    let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
    // By name, as lists of a merge patch would lose what they do not mention.
    let changed = pods.patch(&object.name, &as_brunt(), &Patch::Strategic(&change)).await;
    changed.map(drop).map_err(|error| KubernetesError::of(format!("change the images of {}", object.place()), error))
}

/// Whether a node takes no new pods.
pub fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
}

/// Tries again what others came before.
pub async fn again<T>(mut attempt: impl AsyncFnMut() -> Result<T, KubernetesError>) -> Result<T, KubernetesError> {
    let mut tried = 1;
    loop {
        match attempt().await {
            Err(KubernetesError::Changed { .. }) if tried < ATTEMPTS => tried += 1,
            other => return other,
        }
    }
}
