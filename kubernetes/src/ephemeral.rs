//! The container that brunt adds to a pod for its agent: an ephemeral one, which Kubernetes never starts again and never
//! takes out of the list of the pod. It shares the pod's network; for faults on processes also the pids of one container, and
//! nothing else.
//!
//! Its standard input stays open when an attach breaks (`stdinOnce: false`): the lease decides when the agent gives up, not
//! the wire to it.

use k8s_openapi::api::core::v1::{ContainerState, Pod};
pub use kube::api::AttachedProcess as Attached;
use kube::api::{AttachParams, Patch, PatchParams};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::change::tied;
use crate::{ANSWER, Asking, Cluster, Identity, KubernetesError, MANAGER, Object, change, waiting};

/// Where brunt is in its image.
const PROGRAM: &str = "/brunt";
/// Who has no rights anywhere.
const NOBODY: i64 = 65_534;
/// How the names of all of them begin.
const PREFIX: &str = "brunt-";
/// The longest name of a container, less what [`free_name`] may append.
const LONGEST: usize = 63 - 4;

/// What an agent is in a pod for. Each has a container of its own: none gets rights that another one needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Rules and queues for packets, and raw sockets to send again what was held.
    Packets,
    /// Signals to the processes of one container, whose pids it sees.
    Processes,
    /// Using up what the pod may use of processors.
    Processors,
}

impl Purpose {
    /// What faults of this kind need.
    pub fn of(kind: &str) -> Self {
        match kind {
            "stress.cpu" => Self::Processors,
            _ if kind.starts_with("process.") => Self::Processes,
            _ => Self::Packets,
        }
    }

    /// Who it runs as, and all the capabilities that it gets. A signal needs no right where both have the same user, so it takes
    /// the user of the container where the pod's spec says which that is. That need not be so for root: what root starts
    /// often becomes somebody else.
    fn rights(self, user: Option<i64>) -> (i64, &'static [&'static str]) {
        match (self, user) {
            (Self::Packets, _) => (0, &["NET_ADMIN", "NET_RAW"]),
            (Self::Processes, Some(user)) if user != 0 => (user, &[]),
            (Self::Processes, _) => (0, &["KILL"]),
            (Self::Processors, _) => (NOBODY, &[]),
        }
    }
}

/// How an ephemeral container is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not run yet; says what the kubelet waits for.
    Waiting(String),
    /// It runs.
    Running,
    /// It has ended.
    Ended {
        /// How, in the words of the kubelet.
        how: String,
        /// Its exit code; 0 only if it has undone everything.
        code: i32,
    },
}

/// The name that the containers of a run have which are in pods for that, up to a number where one had to be replaced.
pub fn name_of(run_id: &str, purpose: Purpose, beside: Option<&str>) -> String {
    let mut name = match (purpose, beside) {
        (Purpose::Processes, Some(beside)) => format!("{PREFIX}{run_id}-in-{beside}"),
        (Purpose::Processors, _) => format!("{PREFIX}{run_id}-cpu"),
        _ => format!("{PREFIX}{run_id}"),
    };
    name.truncate(LONGEST);
    name.trim_end_matches('-').to_owned()
}

/// The first name like this that the pod has no container of yet: entries stay, and an id of a run may come again.
pub fn free_name(pod: &Pod, first: &str) -> String {
    // A run of a matrix may be called as another one with a number behind it, so this is no number alone.
    let taken = names(pod);
    let mut name = first.to_owned();
    let mut number = 1;
    while taken.contains(&name) {
        number += 1;
        name = format!("{first}-x{number}");
    }
    name
}

/// All ephemeral containers of a pod, ended ones included.
pub fn names(pod: &Pod) -> Vec<String> {
    let listed = pod.spec.iter().flat_map(|spec| spec.ephemeral_containers.iter().flatten());
    listed.map(|one| one.name.clone()).collect()
}

/// How the one of this name is; `None`: the pod has none of this name.
pub fn state(pod: &Pod, name: &str) -> Option<State> {
    if !names(pod).iter().any(|one| one == name) {
        return None;
    }
    let statuses = pod.status.iter().flat_map(|status| status.ephemeral_container_statuses.iter().flatten());
    let state = statuses.into_iter().find(|one| one.name == name).and_then(|one| one.state.clone());
    Some(match state.unwrap_or_default() {
        ContainerState { terminated: Some(end), .. } => {
            let reason = end.reason.unwrap_or_else(|| "ended".into());
            let said = end.message.unwrap_or_default();
            // The end of its log, where it says nothing else: what it has answered last is no reason.
            let said = said.trim().lines().rfind(|line| !line.starts_with('{'));
            let said = said.map_or_else(String::new, |line| format!(": {line}"));
            State::Ended { how: format!("{reason}, exit code {}{said}", end.exit_code), code: end.exit_code }
        }
        ContainerState { running: Some(_), .. } => State::Running,
        ContainerState { waiting: Some(waiting), .. } => State::Waiting(waiting::in_words(waiting)),
        _ => State::Waiting("its kubelet has not said anything of it yet".into()),
    })
}

/// Whether what ran in a container of this pod when that ephemeral one began is gone since: it was started again, or does not
/// run.
pub fn is_anew_since(pod: &Pod, name: &str, container: Option<&str>) -> bool {
    let Some(status) = &pod.status else { return false };
    let ended = status.ephemeral_container_statuses.iter().flatten().find(|one| one.name == name);
    let began = ended.and_then(|one| one.state.as_ref()?.terminated.as_ref()?.started_at.clone());
    let beside = status.container_statuses.iter().flatten().find(|one| Some(one.name.as_str()) == container);
    let Some((began, state)) = began.zip(beside.and_then(|one| one.state.as_ref())) else { return false };
    let runs_since = state.running.as_ref().and_then(|running| running.started_at.clone());
    runs_since.is_none_or(|since| since > began)
}

/// How a pod has ended whose kubelet ends its containers, or whose containers have ended by themselves, and which stays listed: in
/// the words of the kubelet. Nothing in it is ever started again.
pub fn end_of(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let phase = status.phase.as_deref().filter(|phase| matches!(*phase, "Failed" | "Succeeded"))?;
    Some(status.reason.as_ref().map_or_else(|| phase.to_owned(), |reason| format!("{phase}, {reason}")))
}

/// The user as whom a container runs, if the pod's spec says so.
fn user_of(pod: &Pod, container: Option<&str>) -> Option<i64> {
    let spec = pod.spec.as_ref()?;
    let own = spec.containers.iter().find(|one| Some(one.name.as_str()) == container);
    let own = own.and_then(|one| one.security_context.as_ref()?.run_as_user);
    own.or_else(|| spec.security_context.as_ref()?.run_as_user)
}

/// As it stands in the patch; `user`: that of the container beside which it is.
fn container(name: &str, image: &str, purpose: Purpose, beside: Option<&str>, user: Option<i64>) -> Value {
    let (user, capabilities) = purpose.rights(user);
    let mut container = json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [PROGRAM, "agent", "--in-pod"],
        "stdin": true,
        "stdinOnce": false,
        // What it says when it cannot go on stands in the pod's status then.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "runAsNonRoot": user != 0,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"], "add": capabilities },
        },
    });
    if purpose != Purpose::Packets {
        // Signals pass it, and Pod Security at its strictest asks for it.
        container["securityContext"]["seccompProfile"] = json!({ "type": "RuntimeDefault" });
    }
    if let Some(beside) = beside.filter(|_| purpose != Purpose::Processors) {
        container["targetContainerName"] = json!(beside);
    }
    container
}

/// Adds it to the pod as it was looked at; in a `rehearsal` the API server does everything but that, admission included.
///
/// # Errors
/// [`KubernetesError::Changed`] if it is another pod, or another version of it, by now; [`KubernetesError::Forbidden`] also
/// where Pod Security or another policy does not admit it.
pub fn add<'a>(
    client: &'a Client,
    object: &'a Object,
    seen: &'a Pod,
    name: &'a str,
    image: &'a str,
    purpose: Purpose,
    rehearsal: bool,
) -> Asking<'a, ()> {
    Box::pin(async move {
        let beside = object.container.as_deref();
        let made = container(name, image, purpose, beside, user_of(seen, beside));
        let spec = json!({ "spec": { "ephemeralContainers": [made] } });
        let patch = Patch::Strategic(tied(&seen.metadata, spec));
        let how = PatchParams { field_manager: Some(MANAGER.into()), dry_run: rehearsal, ..PatchParams::default() };
        let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
        let added = pods.patch_ephemeral_containers(&object.name, &how, &patch).await;
        let action = || format!("add the ephemeral container `{name}` to {}", object.place());
        added.map(drop).map_err(|error| KubernetesError::of(action(), error))
    })
}

/// The standard input and output of what runs in it.
///
/// # Errors
/// It does not run, or the cluster does not allow it.
pub fn attach<'a>(client: &'a Client, pod: &'a Object, container: &'a str) -> Asking<'a, Attached, kube::Error> {
    Box::pin(async move {
        let pods: Api<Pod> = Api::namespaced(client.clone(), pod.namespace());
        let how = AttachParams::default().container(container).stdin(true).stdout(true).stderr(false);
        pods.attach(&pod.name, &how.max_stdin_buf_size(1 << 20).max_stdout_buf_size(1 << 16)).await
    })
}

/// Whether each of these pods would take it, asked of the cluster without changing anything: access reviews know nothing of
/// admission (Pod Security, quotas, policies).
///
/// # Errors
/// It is not admitted, a pod is gone, or the cluster does not answer.
pub fn rehearse(cluster: &Identity, pods: &[&Object], image: &str, purpose: Purpose) -> Result<(), KubernetesError> {
    Cluster::again(cluster)?.ask(ANSWER, async |client| {
        for object in pods {
            change::again(async || {
                let action = || format!("get {}", object.place());
                let seen = change::pod(&client, object).await?.ok_or_else(|| KubernetesError::gone(action()))?;
                add(&client, object, &seen, &free_name(&seen, "brunt-rehearsal"), image, purpose, true).await
            })
            .await?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(containers: &Value, statuses: &Value) -> Pod {
        let pod = json!({
            "metadata": { "name": "payments-1" },
            "spec": { "containers": [], "ephemeralContainers": containers },
            "status": { "ephemeralContainerStatuses": statuses },
        });
        serde_json::from_value(pod).unwrap()
    }

    fn status(state: &Value) -> Value {
        json!([{ "name": "brunt-7-1", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state }])
    }

    #[test]
    fn a_name_is_never_used_twice_in_a_pod() {
        assert_eq!(free_name(&pod(&json!([]), &json!([])), "brunt-7-1"), "brunt-7-1");
        let ours = json!([{ "name": "brunt-7-1" }, { "name": "brunt-7-1-x2" }, { "name": "debugger" }]);
        assert_eq!(free_name(&pod(&ours, &json!([])), "brunt-7-1"), "brunt-7-1-x3");
    }

    #[test]
    fn its_state_is_told_in_the_words_of_the_kubelet() {
        let listed = json!([{ "name": "brunt-7-1" }]);
        let of = |value: &Value| state(&pod(&listed, &status(value)), "brunt-7-1");
        assert_eq!(of(&json!({ "running": {} })), Some(State::Running));
        let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        assert_eq!(of(&killed), Some(State::Ended { how: "OOMKilled, exit code 137".into(), code: 137 }));
        let cut_off = json!({ "terminated": { "exitCode": 137, "reason": "Error", "message": "{\"beat\":7}\n" } });
        assert_eq!(of(&cut_off), Some(State::Ended { how: "Error, exit code 137".into(), code: 137 }));
        let failed = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": "a\nno greeting came\n" } });
        assert_eq!(of(&failed), Some(State::Ended { how: "Error, exit code 1: no greeting came".into(), code: 1 }));
        let told = "ErrImagePull: no such image (another image: `--image` or BRUNT_IMAGE)";
        let waits = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
        assert_eq!(of(&waits), Some(State::Waiting(told.into())));
        assert!(matches!(state(&pod(&listed, &json!([])), "brunt-7-1"), Some(State::Waiting(_))));
        assert_eq!(state(&pod(&json!([]), &json!([])), "brunt-7-1"), None);
    }

    #[test]
    fn a_pod_that_has_ended_and_stays_listed_says_how() {
        let of = |status: Value| end_of(&serde_json::from_value(json!({ "metadata": {}, "status": status })).unwrap());
        let late = json!({ "phase": "Failed", "reason": "DeadlineExceeded" });
        assert_eq!(of(late).as_deref(), Some("Failed, DeadlineExceeded"));
        assert_eq!(of(json!({ "phase": "Succeeded" })).as_deref(), Some("Succeeded"));
        assert_eq!(of(json!({ "phase": "Running" })), None);
    }

    #[test]
    fn for_packets_it_has_two_capabilities_and_nothing_else() {
        let made = container("brunt-7-1", "brunt:1", Purpose::Packets, None, Some(1000));
        assert_eq!(
            made["securityContext"]["capabilities"],
            json!({ "drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"] })
        );
        assert_eq!(made["securityContext"]["runAsUser"], 0);
        assert_eq!((&made["stdin"], &made["stdinOnce"]), (&json!(true), &json!(false)));
        assert!(made["targetContainerName"].is_null(), "the pids of others are none of its business");
    }

    #[test]
    fn for_processors_it_has_no_right_and_sees_nobody() {
        let made = container("a", "b", Purpose::of("stress.cpu"), Some("app"), Some(0));
        let context = &made["securityContext"];
        assert_eq!((&context["runAsUser"], &context["runAsNonRoot"]), (&json!(NOBODY), &json!(true)));
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"], "add": [] }));
        assert!(made["targetContainerName"].is_null() && !context["seccompProfile"].is_null(), "{made:#}");
        assert_eq!(name_of("7-1", Purpose::Processors, Some("app")), "brunt-7-1-cpu");
    }

    #[test]
    fn for_processes_it_is_who_they_are_or_root_that_may_only_kill() {
        let rights = |user| {
            let made = container("a", "b", Purpose::Processes, Some("app"), user);
            assert_eq!(made["targetContainerName"], "app");
            let context = &made["securityContext"];
            (context["runAsUser"].clone(), context["runAsNonRoot"].clone(), context["capabilities"]["add"].clone())
        };
        assert_eq!(rights(Some(1000)), (json!(1000), json!(true), json!([])));
        assert_eq!(rights(Some(0)), (json!(0), json!(false), json!(["KILL"])), "its children may be anybody");
        assert_eq!(rights(None), (json!(0), json!(false), json!(["KILL"])), "only its image knows");

        let spec = |own: &Value| {
            let pod = json!({ "spec": {
                "securityContext": { "runAsUser": 7 }, "containers": [{ "name": "app", "securityContext": own }],
            } });
            user_of(&serde_json::from_value(pod).unwrap(), Some("app"))
        };
        assert_eq!((spec(&json!({ "runAsUser": 9 })), spec(&json!({}))), (Some(9), Some(7)));
    }

    #[test]
    fn names_tell_run_and_container_and_are_never_too_long() {
        assert_eq!(name_of("7-1", Purpose::Packets, Some("app")), "brunt-7-1");
        assert_eq!(name_of("7-1", Purpose::Processes, Some("app")), "brunt-7-1-in-app");
        let long = name_of("7-1", Purpose::Processes, Some(&"a-".repeat(31)));
        assert!(long.len() <= LONGEST && !long.ends_with('-'), "{long}");
    }
}
