//! `pod.evict`: the API's eviction of pods, as a drain of their node would do it.
//!
//! The service feels what it feels at a `pod.kill`; the difference is who may say no. A PodDisruptionBudget that has no
//! disruption left refuses the eviction, and then the fault is not injected: the answer is the finding, and asking again and
//! again would only hide it. A server that throttles has not looked at it, and is asked again (`kubernetes::throttling`). Rights: get and list of pods, create of `pods/eviction`. Verified by the UID of the pod.

use std::time::Duration;

use brunt_kubernetes::{KubernetesError, Object};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::leave::only_this;

/// Asks for the eviction of one pod.
pub(crate) async fn evict(client: &Client, pod: &Object, grace: Option<Duration>) -> Result<(), KubernetesError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), pod.namespace());
    // Not by `Api::evict`: kube 5.0.0 writes `delete_options`, which the API server does not know and leaves out, and with it the
    // UID and the grace.
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": pod.name },
        "deleteOptions": only_this(pod, grace),
    });
    let evicted = pods.create_subresource("eviction", &pod.name, &PostParams::default(), &eviction).await;
    let evicted: Result<Value, kube::Error> = evicted;
    evicted.map(drop).map_err(|error| KubernetesError::of(format!("evict {}", pod.place()), error))
}
