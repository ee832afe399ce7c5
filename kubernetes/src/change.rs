//! Looks at objects and changes them, each change tied to what was looked at: by the UID, so that no other object is hit that
//! has the name by now, and by the version, so that nothing is overwritten that came in between.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{Asking, KubernetesError, MANAGER, Object};

/// How often a write is tried that others come before: each attempt looks anew.
const ATTEMPTS: usize = 5;

/// What ties a write to what was looked at.
pub(super) fn tied(meta: &ObjectMeta, mut change: Value) -> Value {
    change["metadata"] = json!({ "uid": meta.uid, "resourceVersion": meta.resource_version });
    change
}

/// Only our own fields, by the name under which the cluster keeps books of who changed them.
pub(super) fn as_brunt() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

/// A deployment, if it is the one that was picked.
pub fn deployment<'a>(client: &'a Client, object: &'a Object) -> Asking<'a, Option<Deployment>> {
    Box::pin(async move {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
        let found = deployments.get_opt(&object.name).await;
        let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
        Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
    })
}

/// A node, if it is the one that was picked.
pub fn node<'a>(client: &'a Client, object: &'a Object) -> Asking<'a, Option<Node>> {
    Box::pin(async move {
        let found = Api::<Node>::all(client.clone()).get_opt(&object.name).await;
        let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
        Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
    })
}

/// How many replicas a deployment should have.
pub fn replicas_of(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The autoscaler that decides about a deployment's replicas.
pub fn autoscaler<'a>(client: &'a Client, namespace: &'a str, name: &'a str) -> Asking<'a, Option<String>> {
    Box::pin(async move {
        let all: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
        let found = all.list(&ListParams::default()).await;
        let what = format!("list horizontal pod autoscalers in the namespace `{namespace}`");
        let found = found.map_err(|error| KubernetesError::of(what, error))?;
        let of_it = found.items.into_iter().find(|one| {
            let target = one.spec.as_ref().map(|spec| &spec.scale_target_ref);
            target.is_some_and(|target| target.kind == "Deployment" && target.name == name)
        });
        Ok(of_it.and_then(|one| one.metadata.name))
    })
}

/// Sets the number of replicas of the deployment as it was looked at.
///
/// # Errors
/// [`KubernetesError::Changed`] if it is another version by now.
pub fn scale<'a>(client: &'a Client, object: &'a Object, seen: &'a Deployment, to: i32) -> Asking<'a, ()> {
    Box::pin(async move {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
        let change = tied(&seen.metadata, json!({ "spec": { "replicas": to } }));
        let scaled = deployments.patch_scale(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
        scaled.map(drop).map_err(|error| KubernetesError::of(format!("scale {}", object.place()), error))
    })
}

/// Sets `spec.unschedulable` of the node as it was looked at; `None` takes the field away.
///
/// # Errors
/// As for [`scale`].
pub fn set_schedulable<'a>(
    client: &'a Client,
    object: &'a Object,
    seen: &'a Node,
    unschedulable: Option<bool>,
) -> Asking<'a, ()> {
    Box::pin(async move {
        let change = tied(&seen.metadata, json!({ "spec": { "unschedulable": unschedulable } }));
        let changed = Api::<Node>::all(client.clone()).patch(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
        changed.map(drop).map_err(|error| KubernetesError::of(format!("change {}", object.place()), error))
    })
}

/// A pod, if it is the one that was picked.
pub fn pod<'a>(client: &'a Client, object: &'a Object) -> Asking<'a, Option<Pod>> {
    Box::pin(async move {
        let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
        let found = pods.get_opt(&object.name).await;
        let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
        Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
    })
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
pub fn set_images<'a>(
    client: &'a Client,
    object: &'a Object,
    seen: &'a Pod,
    images: &'a [(String, String)],
) -> Asking<'a, ()> {
    Box::pin(async move {
        let containers: Vec<Value> =
            images.iter().map(|(name, image)| json!({ "name": name, "image": image })).collect();
        let change = tied(&seen.metadata, json!({ "spec": { "containers": containers } }));
        let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
        // By name, as lists of a merge patch would lose what they do not mention.
        let changed = pods.patch(&object.name, &as_brunt(), &Patch::Strategic(&change)).await;
        changed
            .map(drop)
            .map_err(|error| KubernetesError::of(format!("change the images of {}", object.place()), error))
    })
}

/// A container that runs, by the kubelet's account.
pub fn running(pod: &Pod) -> Option<&str> {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let runs =
        statuses.into_iter().flatten().find(|one| one.state.as_ref().is_some_and(|state| state.running.is_some()));
    runs.map(|one| one.name.as_str())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_that_waits_for_an_image_does_not_run() {
        let pod = |second: serde_json::Value| -> Pod {
            let status = |name: &str, state: serde_json::Value| json!({"name": name, "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 1});
            let waiting = json!({"waiting": {"reason": "ErrImagePull"}});
            let statuses = [status("web", waiting), status("log", second)];
            serde_json::from_value(json!({"metadata": {}, "status": {"containerStatuses": statuses}})).unwrap()
        };
        assert_eq!(running(&pod(json!({"terminated": {"exitCode": 0}}))), None);
        assert_eq!(running(&pod(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}))), Some("log"));
    }
}
