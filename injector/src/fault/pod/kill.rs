//! `pod.kill`: the API deletes pods; what owns them makes others.
//!
//! The service feels: SIGTERM, `grace` to finish, then SIGKILL; meanwhile the pod is taken out of its services. With
//! `grace: 0s` the API forgets it at once and the kubelet kills it. Rights: get, list and delete of pods. A
//! PodDisruptionBudget does not count here (see `pod.evict`). It is in place when the API has
//! taken the order, and verified by the UID: there is no pod of that name any more, or one with another UID. It has no inverse; the pods that came in the place of the killed ones are named.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};

use super::{Replacements, names, now};
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::kubernetes::{ANSWER, Cluster, KubernetesError, Looking, Object};

/// See the module.
pub struct Kill {
    cluster: Cluster,
    pods: Vec<Object>,
    grace: Option<Duration>,
    before: Replacements,
    looking: Looking,
    injected: bool,
}

impl Kill {
    pub(super) fn new(cluster: Cluster, pods: Vec<Object>, grace: Option<Duration>) -> Self {
        let looking = Looking::new(gone(cluster.clone(), pods.clone()));
        Self { cluster, pods, grace, before: Replacements::default(), looking, injected: false }
    }
}

/// A look at whether all of them are gone. One that was told to end has what it was given, and is no verdict yet.
pub(super) fn gone(
    cluster: Cluster,
    pods: Vec<Object>,
) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let mut ending = Vec::new();
            for pod in &pods {
                match now(&client, pod).await? {
                    Some(left) if left.ending => ending.push(pod.name.as_str()),
                    Some(_) => return Ok(Seen::Absent(format!("{} is still there (uid {})", pod.place(), pod.uid))),
                    None => {}
                }
            }
            if !ending.is_empty() {
                return Ok(Seen::NotExercised(format!("told to end, and still at it: {}", ending.join(", "))));
            }
            Ok(Seen::Yes(format!("gone, by their UIDs: {}", names(&pods))))
        })
    }
}

impl Fault<Services> for Kill {
    fn prepare(&mut self, _: &mut Services) -> Result<Vec<Undo>, Error> {
        self.before = super::prepare(&self.cluster, &self.pods)?;
        Ok(vec![Undo::Nothing { why: "a kill has no inverse; what owns the pods makes others".into() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let (pods, grace) = (&self.pods, self.grace);
        let deleted = self.cluster.ask(ANSWER, async |client| {
            for pod in pods {
                delete(&client, pod, grace).await?;
            }
            Ok(())
        });
        deleted.map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.looking.now().unwrap_or_else(|error| Seen::Absent(error.to_string()));
        reverted(&self.cluster, &self.before, &self.pods, effect, self.injected)
    }
}

/// What is left to say of pods that have been told to go: nothing is put back, and what came in their place is told.
pub(super) fn reverted(
    cluster: &Cluster,
    before: &Replacements,
    pods: &[Object],
    effect: Seen,
    injected: bool,
) -> Reverted {
    let mut reverted = Reverted::nothing(effect);
    if !injected {
        return reverted;
    }
    match cluster.ask(ANSWER, async |client| before.after(&client, pods).await) {
        Ok((came, missing)) => {
            if let Seen::Yes(seen) = &mut reverted.effect {
                seen.push_str(&came);
            }
            reverted.rollback_verified = missing.is_none().then_some(true);
            reverted.residue.extend(missing);
        }
        Err(error) => reverted.residue.push(format!("whether others came in their place is not known: {error}")),
    }
    reverted
}

async fn delete(client: &Client, pod: &Object, grace: Option<Duration>) -> Result<(), KubernetesError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), pod.namespace());
    let how = only_this(pod, grace);
    let deleted = pods.delete(&pod.name, &how).await;
    deleted.map(drop).map_err(|error| KubernetesError::of(format!("delete {}", pod.place()), error))
}

/// Only the pod that was picked, whoever has its name now.
pub(super) fn only_this(pod: &Object, grace: Option<Duration>) -> DeleteParams {
    // The API counts whole seconds; a fraction is rounded up, so that nobody is killed early.
    let seconds = grace.map(|grace| grace.as_secs() + u64::from(grace.subsec_nanos() > 0));
    DeleteParams {
        grace_period_seconds: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        preconditions: Some(Preconditions { uid: Some(pod.uid.clone()), resource_version: None }),
        ..DeleteParams::default()
    }
}
