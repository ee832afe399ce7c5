//! `pod.evict`: the API's eviction of pods, as a drain of their node would do it.
//!
//! The service feels what it feels at a `pod.kill`; the difference is who may say no. A PodDisruptionBudget that has no
//! disruption left refuses the eviction, and then the fault is not injected: the answer is the finding, and asking again and
//! again would only hide it. A server that throttles has not looked at it, and is asked again (`throttling` in
//! `brunt-kubernetes`). Rights: get and list of pods, create of `pods/eviction`. Verified by the UID of the pod.

use std::time::Duration;

use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object, leaving};

/// Asks for their evictions, one after the other, until one is refused.
pub(super) fn evict(cluster: &Cluster, pods: &[Object], grace: Option<Duration>) -> Result<(), KubernetesError> {
    cluster.ask(ANSWER, async |client| {
        for pod in pods {
            leaving::evict(&client, pod, grace).await?;
        }
        Ok(())
    })
}
