//! A Job of brunt's own: pods that send load. What the rest of brunt needs of it, in plain words: made, listed, talked to,
//! read, deleted.
//!
//! It is Kubernetes that places and starts the pods; nothing here restarts one. The Job is in the journal before it is made,
//! by a name that no other run has and by the label of its run, for it has no UID before. Whoever deletes it looks at both.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{AsyncBufRead, AsyncBufReadExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, AttachedProcess, DeleteParams, ListParams, LogParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, Lines};

use crate::inverse::Back;
use crate::{ANSWER, Asking, Cluster, Identity, Kind, KubernetesError, Object, waiting};

/// What every object carries that brunt makes in a cluster.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "brunt");
/// The run that made it.
pub const RUN: &str = "brunt/run";
/// The container of each pod.
const CONTAINER: &str = "worker";
/// Which of the Job's pods one is: Kubernetes writes it there.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// So long a Job that has ended stays, should nobody delete it.
const STAYS: Duration = Duration::from_secs(120);
/// A line that is longer is not ours.
const LONGEST: u64 = 64 * 1024;

/// What a Job is made of.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where.
    pub namespace: String,
    /// Its name: no other run has it.
    pub name: String,
    /// The run.
    pub run_id: String,
    /// How many pods.
    pub pods: usize,
    /// What they run; brunt is `/brunt` in it.
    pub image: String,
    /// What brunt is started with.
    pub args: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Kubernetes ends it after so long, whatever becomes of brunt.
    pub deadline: Duration,
}

impl Wanted {
    /// As it stands in the journal: it has no UID yet.
    pub fn object(&self, cluster: &Identity) -> Object {
        let (namespace, name) = (Some(self.namespace.clone()), self.name.clone());
        Object::new(Kind::Job, namespace, name, String::new(), cluster.clone())
    }

    /// The Job. Its pods need no right, no account and no other user than nobody, so that every level of Pod Security admits
    /// them. What they have to send comes by their standard input, which stays open when a connection to it breaks.
    fn job(&self) -> Result<Job, serde_json::Error> {
        let labels = json!({ MANAGED_BY.0: MANAGED_BY.1, RUN: self.run_id });
        let env: Vec<_> = self.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let container = json!({
            "name": CONTAINER,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/brunt"],
            "args": self.args,
            "env": env,
            "stdin": true,
            "stdinOnce": false,
            "resources": { "requests": { "cpu": "100m", "memory": "64Mi" } },
            "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
        });
        serde_json::from_value(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": self.name, "namespace": self.namespace, "labels": labels },
            "spec": {
                "completionMode": "Indexed",
                "completions": self.pods,
                "parallelism": self.pods,
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline.as_secs().max(1),
                "ttlSecondsAfterFinished": STAYS.as_secs(),
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": false,
                        "enableServiceLinks": false,
                        "terminationGracePeriodSeconds": 5,
                        "securityContext": {
                            "runAsNonRoot": true,
                            "runAsUser": 65534,
                            "runAsGroup": 65534,
                            "seccompProfile": { "type": "RuntimeDefault" },
                        },
                        "topologySpreadConstraints": [{
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": { "matchLabels": { RUN: self.run_id } },
                        }],
                        "containers": [container],
                    },
                },
            },
        }))
    }

    /// Makes it, or only asks whether it would be admitted: an access review knows nothing of quotas and policies.
    ///
    /// # Errors
    /// The API server does not take it.
    pub fn create<'a>(&'a self, client: &'a Client, dry_run: bool) -> Asking<'a, ()> {
        Box::pin(async move {
            let action = || format!("create job {}/{}", self.namespace, self.name);
            let job = self.job().expect("what is written above is a Job");
            let jobs: Api<Job> = Api::namespaced(client.clone(), &self.namespace);
            let how = PostParams { dry_run, field_manager: Some(crate::MANAGER.into()) };
            jobs.create(&how, &job).await.map(drop).map_err(|error| KubernetesError::of(action(), error))
        })
    }
}

/// A pod of the Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which of them, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Where it runs; empty before that is decided.
    pub node: String,
    /// How it is.
    pub state: State,
}

/// How a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not yet running, and why as far as the cluster says.
    Waiting(String),
    /// Its container runs.
    Running,
    /// It has ended, or is about to, in words.
    Ended(String),
}

/// The pods of the run, by their index; ones that were replaced are left out.
///
/// # Errors
/// The cluster does not answer or does not allow it.
pub fn pods<'a>(client: &'a Client, namespace: &'a str, run_id: &'a str) -> Asking<'a, Vec<Seen>> {
    Box::pin(async move {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let list = pods.list(&ListParams::default().labels(&format!("{RUN}={run_id}"))).await;
        let list =
            list.map_err(|error| KubernetesError::of(format!("list pods in the namespace `{namespace}`"), error))?;
        Ok(list.items.iter().filter_map(seen).collect())
    })
}

fn seen(pod: &Pod) -> Option<Seen> {
    let meta = &pod.metadata;
    let index = meta.annotations.as_ref()?.get(INDEX)?.parse().ok()?;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    Some(Seen { index, name: meta.name.clone()?, node, state: state(pod) })
}

fn state(pod: &Pod) -> State {
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.unwrap_or_default().into_iter().next().and_then(|one| one.state);
    let container = container.unwrap_or_default();
    if let Some(ended) = container.terminated {
        let why = ended.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return State::Ended(format!("its container ended with exit status {}{why}", ended.exit_code));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return State::Ended("it was deleted".into());
    }
    match status.phase.as_deref() {
        Some("Failed" | "Succeeded") => {
            return State::Ended(status.message.or(status.reason).unwrap_or_else(|| "it has ended".into()));
        }
        Some("Running") if container.running.is_some() => return State::Running,
        _ => {}
    }
    let waiting = container.waiting.map(waiting::in_words);
    let unscheduled = || {
        let conditions = status.conditions.unwrap_or_default();
        let scheduled = conditions.into_iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
        scheduled.and_then(|one| one.message)
    };
    State::Waiting(waiting.or_else(unscheduled).unwrap_or_else(|| "not started yet".into()))
}

/// Standard input and standard error of a pod's process, while a connection lasts.
pub struct Talk {
    process: AttachedProcess,
    stdin: Pin<Box<dyn tokio::io::AsyncWrite + Send>>,
    said: Lines<BufReader<Pin<Box<dyn AsyncRead + Send>>>>,
}

impl Talk {
    /// Connects to a running pod. What it said before is not heard.
    ///
    /// # Errors
    /// It does not run, or the cluster does not allow it.
    pub fn with<'a>(client: &'a Client, namespace: &'a str, pod: &'a str) -> Asking<'a, Self> {
        Box::pin(async move {
            let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let wanted = AttachParams {
                container: Some(CONTAINER.into()),
                stdin: true,
                stdout: false,
                stderr: true,
                tty: false,
                max_stdin_buf_size: Some(64 * 1024),
                max_stdout_buf_size: None,
                max_stderr_buf_size: Some(64 * 1024),
            };
            let attached = pods.attach(pod, &wanted).await;
            let mut process =
                attached.map_err(|error| KubernetesError::of(format!("attach to pod {namespace}/{pod}"), error))?;
            let stdin = Box::pin(process.stdin().expect("it was asked for"));
            let stderr: Pin<Box<dyn AsyncRead + Send>> = Box::pin(process.stderr().expect("it was asked for"));
            Ok(Self { process, stdin, said: BufReader::new(stderr).lines() })
        })
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// The connection has broken.
    pub async fn say(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.stdin.write_all(text).await?;
        self.stdin.flush().await
    }

    /// The next line of its standard error; `None` when the connection is over. May be dropped half-way.
    ///
    /// # Errors
    /// The connection has broken.
    pub async fn hear(&mut self) -> std::io::Result<Option<String>> {
        self.said.next_line().await
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.process.abort();
    }
}

/// A pod's log as it grows.
pub struct Log {
    lines: Pin<Box<dyn AsyncBufRead + Send>>,
}

impl Log {
    /// Reads it from its beginning, or only what is written from now on; ends when the container has, or at once when
    /// `follow` is not wanted.
    ///
    /// # Errors
    /// The cluster does not answer or does not allow it, or the pod is gone.
    pub fn of<'a>(client: &'a Client, namespace: &'a str, pod: &'a str, whole: bool, follow: bool) -> Asking<'a, Self> {
        Box::pin(async move {
            let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let tail_lines = (!whole).then_some(0);
            let wanted = LogParams { container: Some(CONTAINER.into()), follow, tail_lines, ..LogParams::default() };
            let opened = pods.log_stream(pod, &wanted).await;
            let lines =
                opened.map_err(|error| KubernetesError::of(format!("read the log of pod {namespace}/{pod}"), error))?;
            Ok(Self { lines: Box::pin(lines) })
        })
    }

    /// The next line; `None` at its end. Must not be dropped half-way: what was read of a line would be lost.
    ///
    /// # Errors
    /// The connection has broken.
    pub async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = futures_util::AsyncReadExt::take(&mut self.lines, LONGEST).read_until(b'\n', &mut line).await?;
        Ok((read > 0).then_some(line))
    }
}

/// Deletes the Job with its pods, if it is there and is that run's.
pub(super) async fn delete(client: &Client, object: &Object, run_id: &str) -> Result<Back, KubernetesError> {
    let place = object.place();
    let jobs: Api<Job> = Api::namespaced(client.clone(), object.namespace());
    let found = jobs.get_opt(&object.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {place}"), error))?;
    let Some(found) = found else {
        return Ok(Back::AsBefore(format!("{place} is gone, and its pods with it")));
    };
    if found.metadata.labels.as_ref().and_then(|labels| labels.get(RUN)).map(String::as_str) != Some(run_id) {
        return Ok(Back::Left(format!("{place} is not of this run, so it was left alone")));
    }
    let preconditions = Preconditions { uid: found.metadata.uid.clone(), resource_version: None };
    let how = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() }.preconditions(preconditions);
    match jobs.delete(&object.name, &how).await {
        Ok(_) => Ok(Back::Restored(format!("{place} deleted, and its pods with it"))),
        Err(error) => match KubernetesError::of(format!("delete {place}"), error) {
            KubernetesError::Missing { .. } => Ok(Back::AsBefore(format!("{place} is gone, and its pods with it"))),
            error => Err(error),
        },
    }
}

/// Whether the cluster lets this user do all that workers need, which cluster it is, and whether such a Job would be admitted.
/// Makes nothing.
///
/// # Errors
/// [`KubernetesError::Rights`] names what is missing.
pub fn check<'a>(cluster: &'a Cluster, client: &'a Client, wanted: &'a Wanted) -> Asking<'a, Identity> {
    Box::pin(async move {
        let needed = crate::rights::of_workers(&wanted.namespace);
        let missing = crate::rights::missing(client, &needed).await?;
        if !missing.is_empty() {
            let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(KubernetesError::Rights { missing });
        }
        let identity = cluster.identity(client).await?;
        wanted.create(client, true).await?;
        Ok(identity)
    })
}

/// The same from where no runtime is.
///
/// # Errors
/// As for [`check`], and [`KubernetesError::Silent`].
pub fn look(cluster: &Cluster, wanted: &Wanted) -> Result<Identity, KubernetesError> {
    cluster.ask(ANSWER, async |client| check(cluster, &client, wanted).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_by_itself_and_asks_for_no_rights() {
        let wanted = Wanted {
            namespace: "load".into(),
            name: "brunt-7-1".into(),
            run_id: "7-1".into(),
            pods: 4,
            image: "brunt:1".into(),
            args: vec!["worker".into()],
            env: BTreeMap::new(),
            deadline: Duration::from_secs(90),
        };
        let job = wanted.job().unwrap();
        let spec = job.spec.unwrap();
        assert_eq!((spec.completions, spec.parallelism, spec.backoff_limit), (Some(4), Some(4), Some(0)));
        assert_eq!((spec.active_deadline_seconds, spec.ttl_seconds_after_finished), (Some(90), Some(120)));
        let pod = spec.template.spec.unwrap();
        assert_eq!((pod.restart_policy.as_deref(), pod.automount_service_account_token), (Some("Never"), Some(false)));
        let container = &pod.containers[0];
        assert_eq!((container.stdin, container.stdin_once), (Some(true), Some(false)));
        assert!(container.resources.as_ref().unwrap().requests.is_some());
        assert_eq!(job.metadata.labels.unwrap()["brunt/run"], "7-1");
    }
}
