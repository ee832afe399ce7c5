//! A ResourceQuota of brunt's own: made, looked at, and taken away again.
//!
//! It is known by its name, which has the run in it, and by its label. Nobody else's quota is touched.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};

use crate::inverse::Back;
use crate::{Asking, KubernetesError, MANAGER, Object};

/// Which run has made it.
const RUN: &str = "brunt/run";
/// Which program has.
const MADE_BY: &str = "app.kubernetes.io/managed-by";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The namespace whose pods are counted.
    pub namespace: Object,
    /// Its name.
    pub name: String,
    /// The run that makes it.
    pub run: String,
    /// So many pods are let in.
    pub pods: u64,
}

impl Quota {
    /// What it is and where: `resourcequota shop/brunt-x`.
    pub fn place(&self) -> String {
        format!("resourcequota {}/{}", self.namespace.name, self.name)
    }

    /// What a person would type to take it away.
    pub fn by_hand(&self) -> String {
        let Self { namespace, name, .. } = self;
        format!("`kubectl delete{} --namespace {} resourcequota/{name}`", namespace.cluster.option(), namespace.name)
    }

    fn api(&self, client: &Client) -> Api<ResourceQuota> {
        Api::namespaced(client.clone(), &self.namespace.name)
    }

    fn limits(&self) -> BTreeMap<String, Quantity> {
        BTreeMap::from([("pods".to_owned(), Quantity(self.pods.to_string()))])
    }
}

/// Whether the namespace is the one that was picked.
///
/// # Errors
/// [`KubernetesError::Missing`] if it is not.
pub fn check_namespace<'a>(client: &'a Client, quota: &'a Quota) -> Asking<'a, ()> {
    Box::pin(async move {
        let object = &quota.namespace;
        let action = || format!("use {}", object.place());
        let found = Api::<Namespace>::all(client.clone()).get_metadata_opt(&object.name).await;
        let found = found.map_err(|error| KubernetesError::of(action(), error))?;
        let same = found.is_some_and(|found| found.metadata.uid.as_deref() == Some(&object.uid));
        if same { Ok(()) } else { Err(KubernetesError::gone(action())) }
    })
}

/// The quota as it is now.
fn get<'a>(client: &'a Client, quota: &'a Quota) -> Asking<'a, Option<ResourceQuota>> {
    Box::pin(async move {
        let found = quota.api(client).get_opt(&quota.name).await;
        found.map_err(|error| KubernetesError::of(format!("get {}", quota.place()), error))
    })
}

/// How many pods a quota lets in, and how many are there, as the cluster has counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// So many may be there; `None`: the cluster does not count yet.
    pub hard: Option<u64>,
    /// So many are.
    pub used: Option<u64>,
}

impl From<ResourceQuota> for Counted {
    fn from(found: ResourceQuota) -> Self {
        let pods = |counts: Option<BTreeMap<String, Quantity>>| counts?.remove("pods")?.0.parse::<u64>().ok();
        let status = found.status.unwrap_or_default();
        Self { hard: pods(status.hard), used: pods(status.used) }
    }
}

/// What has been counted for the quota; `None`: there is none.
pub fn counted<'a>(client: &'a Client, quota: &'a Quota) -> Asking<'a, Option<Counted>> {
    Box::pin(async move { Ok(get(client, quota).await?.map(Counted::from)) })
}

/// Makes it.
///
/// # Errors
/// [`KubernetesError::Changed`] if there is one of that name.
pub fn create<'a>(client: &'a Client, quota: &'a Quota) -> Asking<'a, ()> {
    Box::pin(async move {
        let labels = [(MADE_BY, MANAGER), (RUN, &quota.run)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let wanted = ResourceQuota {
            metadata: ObjectMeta {
                name: Some(quota.name.clone()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            spec: Some(ResourceQuotaSpec { hard: Some(quota.limits()), ..ResourceQuotaSpec::default() }),
            ..ResourceQuota::default()
        };
        let how = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let made = quota.api(client).create(&how, &wanted).await;
        made.map(drop).map_err(|error| KubernetesError::of(format!("create {}", quota.place()), error))
    })
}

/// Takes it away, if it is the run's own and as the run made it.
pub(super) async fn take_away(client: &Client, quota: &Quota) -> Result<Back, KubernetesError> {
    let place = quota.place();
    let Some(found) = get(client, quota).await? else {
        return Ok(Back::AsBefore(format!("there is no {place}, as before")));
    };
    let labels = found.metadata.labels.unwrap_or_default();
    let hard = found.spec.and_then(|spec| spec.hard).unwrap_or_default();
    let by_hand = quota.by_hand();
    if labels.get(RUN) != Some(&quota.run) || hard != quota.limits() {
        return Ok(Back::Left(format!(
            "{place} is not as brunt made it: somebody else has changed it, so it was left alone; {by_hand} would take it away"
        )));
    }
    // Its version changes with each pod that is counted, so that does not count here.
    let only_this = Preconditions { uid: found.metadata.uid, resource_version: None };
    let how = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
    let gone = quota.api(client).delete(&quota.name, &how).await;
    gone.map_err(|error| KubernetesError::of(format!("delete {place}"), error))?;
    Ok(Back::Restored(format!("{place} is gone again, and {} takes new pods", quota.namespace.place())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_has_counted_is_read_and_nothing_else_taken_for_it() {
        let counted = |status: serde_json::Value| {
            let found = json!({ "metadata": {}, "spec": { "hard": { "pods": "1" } }, "status": status });
            Counted::from(serde_json::from_value::<ResourceQuota>(found).unwrap())
        };
        let both = counted(json!({ "hard": { "pods": "3" }, "used": { "pods": "5" } }));
        assert_eq!(both, Counted { hard: Some(3), used: Some(5) });
        assert_eq!(counted(json!({})), Counted::default());
    }
}
