//! How things stand in a cluster: whether pods are ready, replicas available, a deployment rolled out, a job done. What a
//! probe asks; it reads and changes nothing.
//!
//! The API has an answer where the object says so of itself. Pods have none to give together, so they are counted: one that
//! was told to end is not ready, however long it still answers, and one that has ended for good (a completed job's) is left
//! out. How many there should be is what their owner wants; without one, as many as there are, and at least one.

use std::fmt::Display;

use brunt_scenario::plan::{Expect, Owner, OwnerKind, PodMatch};
use brunt_scenario::units::CountOrShare;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use crate::finding::{is_rolled_out, namespace, pod};
use crate::{Asking, Cluster, KubernetesError};

/// So many are named in a message.
const NAMED: usize = 3;

/// It does not stand as it should, told apart by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NotSo {
    /// The cluster does not let this user see it.
    #[error("no right: {0}")]
    NoRight(KubernetesError),
    /// What was asked about is not there.
    #[error("no such object: {0}")]
    NoSuchObject(String),
    /// It is there, and not as it should be, or not yet.
    #[error("not so: {0}")]
    NotYet(String),
    /// The cluster could not be asked.
    #[error("not known: {0}")]
    NotKnown(KubernetesError),
}

impl From<KubernetesError> for NotSo {
    fn from(error: KubernetesError) -> Self {
        match error {
            KubernetesError::Forbidden { .. } => Self::NoRight(error),
            KubernetesError::Missing { .. } => Self::NoSuchObject(error.to_string()),
            other => Self::NotKnown(other),
        }
    }
}

/// Something that a cluster is asked again and again, with one client: a credential plugin is run once for it and not once a
/// second.
pub struct Standing {
    cluster: Cluster,
    namespace: String,
    wanted: PodMatch,
    expect: Expect,
    client: OnceCell<Client>,
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} in {}", self.namespace, self.expect, self.cluster.access())
    }
}

impl Standing {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// There is no kubeconfig, or no such context in it.
    pub fn of(wanted: &PodMatch, expect: Expect) -> Result<Self, KubernetesError> {
        let cluster = Cluster::of_context(wanted.context.as_deref())?;
        let namespace = namespace(&cluster, wanted);
        Ok(Self { cluster, namespace, wanted: wanted.clone(), expect, client: OnceCell::new() })
    }

    /// Asks once. Safe to drop: a caller bounds it.
    ///
    /// # Errors
    /// It is not as it should be, or cannot be seen: [`NotSo`].
    pub fn ask(&self) -> Asking<'_, (), NotSo> {
        Box::pin(async move {
            let client = self.client.get_or_try_init(|| self.cluster.access().client()).await?;
            let at = Place { client, namespace: &self.namespace };
            match (self.expect, &self.wanted.owner) {
                (Expect::PodsReady(wanted), _) => at.pods_ready(&self.wanted, wanted).await,
                (Expect::ReplicasAvailable(wanted), Some(owner)) => at.available(owner, wanted).await,
                (Expect::RolledOut, Some(owner)) => at.rolled_out(owner).await,
                (Expect::JobDone, Some(owner)) => at.job_done(owner).await,
                (_, None) => Err(NotSo::NoSuchObject("the target has no `owner` that could tell".into())),
            }
        })
    }
}

/// Where it is asked.
struct Place<'a> {
    client: &'a Client,
    namespace: &'a str,
}

/// What the controller of some pods says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Account {
    wanted: usize,
    available: usize,
    /// The account is of its newest version.
    is_new: bool,
}

impl Place<'_> {
    async fn get<K>(&self, owner: &Owner) -> Result<K, KubernetesError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        let found = Api::<K>::namespaced(self.client.clone(), self.namespace).get(&owner.name).await;
        found.map_err(|error| KubernetesError::of(format!("get {owner} in the namespace `{}`", self.namespace), error))
    }

    /// `None`: a job wants no fixed number of pods at a time.
    async fn account(&self, owner: &Owner) -> Result<Option<Account>, KubernetesError> {
        let count = |number: Option<i32>, default| number.map_or(default, |count| usize::try_from(count).unwrap_or(0));
        // Their fields have the same names, and no type in common.
        macro_rules! account {
            ($kind:ty) => {{
                let found: $kind = self.get(owner).await?;
                let status = found.status.unwrap_or_default();
                Account {
                    wanted: count(found.spec.and_then(|spec| spec.replicas), 1),
                    available: count(status.available_replicas, 0),
                    is_new: status.observed_generation >= found.metadata.generation,
                }
            }};
        }
        Ok(Some(match owner.kind {
            OwnerKind::Deployment => account!(Deployment),
            OwnerKind::StatefulSet => account!(StatefulSet),
            OwnerKind::ReplicaSet => account!(ReplicaSet),
            OwnerKind::DaemonSet => {
                let found: DaemonSet = self.get(owner).await?;
                let status = found.status.unwrap_or_default();
                Account {
                    wanted: usize::try_from(status.desired_number_scheduled).unwrap_or(0),
                    available: count(status.number_available, 0),
                    is_new: status.observed_generation >= found.metadata.generation,
                }
            }
            OwnerKind::Job => return Ok(None),
        }))
    }

    async fn pods_ready(&self, wanted: &PodMatch, at_least: CountOrShare) -> Result<(), NotSo> {
        let pods = pod::list(self.client, self.namespace, wanted).await?;
        let account = match &wanted.owner {
            Some(owner) => self.account(owner).await?,
            None => None,
        };
        let there = |pod: &pod::Facts| !matches!(pod.phase.as_str(), "Succeeded" | "Failed");
        let there: Vec<pod::Facts> = pods.into_iter().filter(there).collect();
        let all = account.map_or(there.len(), |account| account.wanted);
        // Of an owner that wants none, none is all; without an owner nobody has said that.
        if all == 0 && account.is_none() {
            let which = wanted.selector.as_ref().map(|labels| format!(" with the labels `{labels}`"));
            let which = which.unwrap_or_default();
            return Err(NotSo::NoSuchObject(format!("no pod{which} in the namespace `{}`", self.namespace)));
        }
        enough(&there, all, at_least).map_err(NotSo::NotYet)
    }

    async fn available(&self, owner: &Owner, at_least: CountOrShare) -> Result<(), NotSo> {
        let Some(account) = self.account(owner).await? else {
            return Err(NotSo::NoSuchObject(format!("{owner} has no replicas")));
        };
        let Account { wanted, available, is_new } = account;
        match (is_new, available >= at_least.of(wanted)) {
            (true, true) => Ok(()),
            (false, _) => Err(NotSo::NotYet(unseen(owner))),
            (true, false) => Err(NotSo::NotYet(format!("{available} of {wanted} replicas of {owner} are available"))),
        }
    }

    async fn rolled_out(&self, owner: &Owner) -> Result<(), NotSo> {
        let found: Deployment = self.get(owner).await?;
        if is_rolled_out(&found) { Ok(()) } else { Err(NotSo::NotYet(rollout(owner, &found))) }
    }

    async fn job_done(&self, owner: &Owner) -> Result<(), NotSo> {
        let found: Job = self.get(owner).await?;
        job(owner, found).map_err(NotSo::NotYet)
    }
}

fn unseen(owner: &Owner) -> String {
    format!("what makes the pods of {owner} has not seen its newest version yet")
}

/// How far it is, or why it does not go on.
fn rollout(owner: &Owner, deployment: &Deployment) -> String {
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return unseen(owner);
    }
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let count = |number: Option<i32>| number.unwrap_or(0);
    let (updated, available) = (count(status.updated_replicas), count(status.available_replicas));
    let old = count(status.replicas) - updated;
    let stuck = status.conditions.into_iter().flatten().find(|one| one.type_ == "Progressing" && one.status == "False");
    let stuck = stuck.map_or_else(String::new, |why| {
        format!("; it does not go on: {}", why.message.or(why.reason).unwrap_or_default())
    });
    format!(
        "of {wanted} pods of {owner} {updated} are of its newest template and {available} available; {old} are old{stuck}"
    )
}

/// Whether it is complete, by its own account; if not, how far it is.
fn job(owner: &Owner, job: Job) -> Result<(), String> {
    let status = job.status.unwrap_or_default();
    let is = |kind: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.find(|one| one.type_ == kind && one.status == "True")
    };
    if is("Complete").is_some() {
        return Ok(());
    }
    if let Some(failed) = is("Failed") {
        let why = failed.message.as_ref().or(failed.reason.as_ref());
        return Err(format!("{owner} has failed: {}", why.map_or("it says no reason", String::as_str)));
    }
    let count = |number: Option<i32>| number.unwrap_or(0);
    let wanted = job.spec.and_then(|spec| spec.completions);
    let of = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
    let (done, active, failed) = (count(status.succeeded), count(status.active), count(status.failed));
    Err(format!("{done}{of} pods of {owner} have succeeded, {active} run, {failed} have failed"))
}

/// `: a, b, c and 4 more`
fn named<T: Display>(all: &[T]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let some: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(": {}{more}", some.join(", "))
}

/// Whether so many of `all` are ready. One that was told to end still says that it is, for as long as its grace lasts.
///
/// # Errors
/// How many are, and which are not.
fn enough(there: &[pod::Facts], all: usize, at_least: CountOrShare) -> Result<(), String> {
    let (ready, others): (Vec<&pod::Facts>, Vec<&pod::Facts>) = there.iter().partition(|pod| pod.ready && !pod.ending);
    let not_ready: Vec<String> = others
        .iter()
        .map(|pod| {
            let state = if pod.ending { "is ending" } else { "is not ready" };
            format!("{} {state}", pod.name)
        })
        .collect();
    // All of them are ready only when no other one is there: the replaced one must be gone, too.
    let (enough, stray) = (ready.len() >= at_least.of(all), at_least == CountOrShare::All && !others.is_empty());
    if enough && !stray {
        return Ok(());
    }
    // Whoever reads `3 of 3` has to be told what else is wanted.
    let but = if enough { ", but others are there" } else { "" };
    Err(format!("{} of {all} pods are ready{but}{}", ready.len(), named(&not_ready)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_says_how_far_it_is_and_why_it_stands() {
        let owner = Owner::parse("deployment/payment").unwrap();
        let at = |status: serde_json::Value| {
            let object = json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3, "selector": {},
                "template": {} }, "status": status });
            rollout(&owner, &serde_json::from_value(object).unwrap())
        };
        let under_way = json!({ "observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3 });
        assert_eq!(
            at(under_way),
            "of 3 pods of deployment/payment 1 are of its newest template and 3 available; 3 are old"
        );
        assert!(at(json!({ "observedGeneration": 1 })).contains("has not seen its newest version"));
        let stuck = json!({ "observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3,
            "conditions": [{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" }] });
        assert!(at(stuck).ends_with("it does not go on: ProgressDeadlineExceeded"));
    }

    #[test]
    fn a_pod_that_was_told_to_end_is_not_ready_though_it_says_so() {
        let pod = |name: &str, ends: Option<&str>| {
            let ready = json!([{ "type": "Ready", "status": "True" }]);
            pod::Facts::of(
                serde_json::from_value(json!({
                    "metadata": { "name": name, "namespace": "shop", "uid": name, "deletionTimestamp": ends },
                    "spec": { "containers": [] },
                    "status": { "phase": "Running", "conditions": ready },
                }))
                .unwrap(),
            )
        };
        let (stays, ends) = (pod("stays", None), pod("ends", Some("2026-01-01T00:00:00Z")));
        assert_eq!(enough(std::slice::from_ref(&stays), 1, CountOrShare::All), Ok(()));
        let told = enough(&[stays.clone(), ends.clone()], 1, CountOrShare::All).unwrap_err();
        assert_eq!(told, "1 of 1 pods are ready, but others are there: ends is ending");
        let told = enough(&[stays, ends], 2, CountOrShare::Count(2)).unwrap_err();
        assert!(told.starts_with("1 of 2 pods are ready") && told.contains("ends is ending"), "{told}");
    }

    #[test]
    fn a_job_that_has_failed_is_not_done_and_will_not_be() {
        let owner = Owner::parse("job/migrate").unwrap();
        let at = |status: serde_json::Value| {
            let object = json!({ "spec": { "completions": 2, "template": {} }, "status": status });
            job(&owner, serde_json::from_value(object).unwrap())
        };
        assert_eq!(at(json!({ "conditions": [{ "type": "Complete", "status": "True" }] })), Ok(()));
        let failed = at(json!({ "conditions": [{ "type": "Failed", "status": "True", "message": "too often" }] }));
        assert_eq!(failed, Err("job/migrate has failed: too often".to_owned()));
        let running = at(json!({ "succeeded": 1, "active": 1 }));
        assert_eq!(running, Err("1 of 2 pods of job/migrate have succeeded, 1 run, 0 have failed".to_owned()));
    }

    #[test]
    fn of_many_only_some_are_named() {
        assert_eq!(named::<&str>(&[]), "");
        assert_eq!(named(&["a", "b"]), ": a, b");
        assert_eq!(named(&["a", "b", "c", "d"]), ": a, b, c and 1 more");
    }
}
