//! `pod.kill`: the API deletes pods; what owns them makes others.
//!
//! The service feels: SIGTERM, `grace` to finish, then SIGKILL; meanwhile the pod is taken out of its services. With
//! `grace: 0s` the API forgets it at once and the kubelet kills it. Rights: get, list and delete of pods. A
//! PodDisruptionBudget does not count here (see `pod.evict`). It is in place when the API has
//! taken the order, and verified by the UID: there is no pod of that name any more, or one with another UID. It has no inverse; the pods that came in the place of the killed ones are named.

use std::time::Duration;

use brunt_kubernetes::{KubernetesError, Object};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use super::leave::only_this;

/// Deletes one pod.
pub(super) async fn delete(client: &Client, pod: &Object, grace: Option<Duration>) -> Result<(), KubernetesError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), pod.namespace());
    let how = only_this(pod, grace);
    let deleted = pods.delete(&pod.name, &how).await;
    deleted.map(drop).map_err(|error| KubernetesError::of(format!("delete {}", pod.place()), error))
}
