//! A deployment by its own account, and how all of its pods are made anew.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::api::Patch;
use kube::{Api, Client};
use serde_json::json;

use crate::change::{self, as_brunt, tied};
use crate::finding::is_rolled_out;
use crate::{ANSWER, Asking, Cluster, KubernetesError, Object};

/// What kubectl writes for the same purpose, so that either knows the other's restarts.
pub const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// A deployment, boiled down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeploymentNow {
    /// How many pods it should have.
    pub wanted: i32,
    /// How many it has.
    pub pods: i32,
    /// How many of them take requests.
    pub ready: i32,
    /// How many of them are of its newest template.
    pub new: i32,
    /// Its pods stay as they are, whatever becomes of its template.
    pub is_paused: bool,
    /// It has as many pods of its newest template as it should have, and no others.
    pub is_rolled_out: bool,
    /// Its version.
    pub generation: Option<i64>,
    /// The version of which all of this is told.
    pub observed: Option<i64>,
}

impl From<&Deployment> for DeploymentNow {
    fn from(found: &Deployment) -> Self {
        let status = found.status.clone().unwrap_or_default();
        Self {
            wanted: change::replicas_of(found),
            pods: status.replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            new: status.updated_replicas.unwrap_or(0),
            is_paused: found.spec.as_ref().is_some_and(|spec| spec.paused == Some(true)),
            is_rolled_out: is_rolled_out(found),
            generation: found.metadata.generation,
            observed: status.observed_generation,
        }
    }
}

/// How it is, if it is the one that was picked.
pub fn now<'a>(client: &'a Client, object: &'a Object) -> Asking<'a, Option<DeploymentNow>> {
    Box::pin(async move { Ok(change::deployment(client, object).await?.as_ref().map(DeploymentNow::from)) })
}

/// Makes its template a new one, and tells the version that it has then.
///
/// # Errors
/// It is gone, or the cluster does not take it.
pub fn restart(cluster: &Cluster, object: &Object) -> Result<Option<i64>, KubernetesError> {
    let at = Timestamp::now().to_string();
    let changed = cluster.ask(ANSWER, async |client| {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), object.namespace());
        change::again(async || {
            let gone = || KubernetesError::gone(format!("restart {}", object.place()));
            let seen = change::deployment(&client, object).await?.ok_or_else(gone)?;
            let change = json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED: at } } } } });
            let change = tied(&seen.metadata, change);
            let changed = deployments.patch(&object.name, &as_brunt(), &Patch::Merge(&change)).await;
            changed.map_err(|error| KubernetesError::of(format!("change {}", object.place()), error))
        })
        .await
    })?;
    Ok(changed.metadata.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_told_by_its_own_account() {
        let found = json!({
            "metadata": {"name": "payment", "generation": 6},
            "spec": {"replicas": 4, "paused": true, "selector": {}, "template": {}},
            "status": {"observedGeneration": 5, "replicas": 3, "readyReplicas": 2, "updatedReplicas": 1}
        });
        let found: Deployment = serde_json::from_value(found).unwrap();
        let now = DeploymentNow::from(&found);
        let counted = DeploymentNow { wanted: 4, pods: 3, ready: 2, new: 1, ..DeploymentNow::default() };
        assert_eq!(now, DeploymentNow { is_paused: true, generation: Some(6), observed: Some(5), ..counted });
    }
}
