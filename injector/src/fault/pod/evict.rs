//! `pod.evict`: the API's eviction of pods, as a drain of their node would do it.
//!
//! The service feels what it feels at a `pod.kill`; the difference is who may say no. A PodDisruptionBudget that has no
//! disruption left refuses the eviction, and then the fault is not injected: the answer is the finding, and asking again and
//! again would only hide it. Rights: get and list of pods, create of `pods/eviction`. Verified by the UID of the pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::Replacements;
use super::kill::{gone, only_this, reverted};
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::kubernetes::{ANSWER, Cluster, KubernetesError, Looking, Object};

/// How often a server that throttles is asked again.
const ATTEMPTS: usize = 3;

/// See the module.
pub struct Evict {
    cluster: Cluster,
    pods: Vec<Object>,
    grace: Option<Duration>,
    before: Replacements,
    looking: Looking,
    injected: bool,
}

impl Evict {
    pub(super) fn new(cluster: Cluster, pods: Vec<Object>, grace: Option<Duration>) -> Self {
        let looking = Looking::new(gone(cluster.clone(), pods.clone()));
        Self { cluster, pods, grace, before: Replacements::default(), looking, injected: false }
    }
}

impl Fault<Services> for Evict {
    fn prepare(&mut self, _: &mut Services) -> Result<Vec<Undo>, Error> {
        self.before = super::prepare(&self.cluster, &self.pods)?;
        Ok(vec![Undo::Nothing { why: "an eviction has no inverse; what owns the pods makes others".into() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let (pods, grace) = (&self.pods, self.grace);
        let evicted = self.cluster.ask(ANSWER, async |client| {
            for pod in pods {
                evict(&client, pod, grace).await?;
            }
            Ok(())
        });
        evicted.map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.looking.now().unwrap_or_else(|error| Seen::Absent(error.to_string()));
        reverted(&self.cluster, &self.before, &self.pods, effect, self.injected)
    }
}

/// Asks for the eviction of one pod; a server that throttles is asked again when it wants to be, a budget is not.
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
    let mut tried = 1;
    loop {
        let evicted = pods.create_subresource("eviction", &pod.name, &PostParams::default(), &eviction).await;
        let evicted: Result<Value, kube::Error> = evicted;
        match evicted.map_err(|error| KubernetesError::of(format!("evict {}", pod.place()), error)) {
            Err(KubernetesError::Throttled { after, .. }) if tried < ATTEMPTS => {
                tried += 1;
                tokio::time::sleep(after).await;
            }
            other => return other.map(drop),
        }
    }
}
