//! Pods that are told to go: that one, whoever has its name by now.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{Asking, KubernetesError, Object};

/// Deletes one pod.
pub fn delete<'a>(client: &'a Client, pod: &'a Object, grace: Option<Duration>) -> Asking<'a, ()> {
    Box::pin(async move {
        let pods: Api<Pod> = Api::namespaced(client.clone(), pod.namespace());
        let how = only_this(pod, grace);
        let deleted = pods.delete(&pod.name, &how).await;
        deleted.map(drop).map_err(|error| KubernetesError::of(format!("delete {}", pod.place()), error))
    })
}

/// Asks for the eviction of one pod.
pub fn evict<'a>(client: &'a Client, pod: &'a Object, grace: Option<Duration>) -> Asking<'a, ()> {
    Box::pin(async move {
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
    })
}

/// Only the pod that was picked, whoever has its name now.
fn only_this(pod: &Object, grace: Option<Duration>) -> DeleteParams {
    // The API counts whole seconds; a fraction is rounded up, so that nobody is killed early.
    let seconds = grace.map(|grace| grace.as_secs() + u64::from(grace.subsec_nanos() > 0));
    DeleteParams {
        grace_period_seconds: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        preconditions: Some(Preconditions { uid: Some(pod.uid.clone()), resource_version: None }),
        ..DeleteParams::default()
    }
}
