//! `pod.kill`: the API deletes pods; what owns them makes others.
//!
//! The service feels: SIGTERM, `grace` to finish, then SIGKILL; meanwhile the pod is taken out of its services. With
//! `grace: 0s` the API forgets it at once and the kubelet kills it. Rights: get, list and delete of pods. A
//! PodDisruptionBudget does not count here (see `pod.evict`). It is in place when the API has
//! taken the order, and verified by the UID: there is no pod of that name any more, or one with another UID. It has no inverse; the pods that came in the place of the killed ones are named.

use std::time::Duration;

use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object, leaving};

/// Deletes them, one after the other.
pub(super) fn delete(cluster: &Cluster, pods: &[Object], grace: Option<Duration>) -> Result<(), KubernetesError> {
    cluster.ask(ANSWER, async |client| {
        for pod in pods {
            leaving::delete(&client, pod, grace).await?;
        }
        Ok(())
    })
}
