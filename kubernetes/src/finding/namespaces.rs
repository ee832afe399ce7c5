//! The namespace itself, for faults that act on all that is in it.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use super::{Candidate, EXEMPT};
use crate::KubernetesError;

/// Those in which the control plane has its own.
const SYSTEM: &str = "kube-";

/// The one of this name, if there is one.
pub(super) async fn of(client: &Client, name: &str) -> Result<Vec<Candidate>, KubernetesError> {
    let found = Api::<Namespace>::all(client.clone()).get_metadata_opt(name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get the namespace `{name}`"), error))?;
    let candidate = found.map(|found| {
        let meta = found.metadata;
        Candidate {
            name: name.to_owned(),
            uid: meta.uid.unwrap_or_default(),
            exempt: meta.labels.is_some_and(|labels| labels.get(EXEMPT).is_some_and(|value| value == "true")),
            protected: name.starts_with(SYSTEM).then(|| "the control plane has its own there".to_owned()),
            down: meta.deletion_timestamp.map(|_| "is being deleted".to_owned()),
            ..Candidate::default()
        }
    });
    Ok(candidate.into_iter().collect())
}
