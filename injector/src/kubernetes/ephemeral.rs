//! The container that brunt adds to a pod for its agent: an ephemeral one, which Kubernetes never starts again and never
//! takes out of the list of the pod. It shares the pod's network, and nothing else of it.
//!
//! Its standard input stays open when an attach breaks (`stdinOnce: false`): the lease decides when the agent gives up, not
//! the wire to it.

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::change::tied;
use super::{KubernetesError, MANAGER, Object, change};

/// Where brunt is in its image.
const PROGRAM: &str = "/brunt";
/// How the names of all of them begin.
const PREFIX: &str = "brunt-";
/// What the agent needs there, and all that it gets: rules and queues for packets, and raw sockets to send again what was held.
pub const CAPABILITIES: [&str; 2] = ["NET_ADMIN", "NET_RAW"];

/// How an ephemeral container is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not run yet; says what the kubelet waits for.
    Waiting(String),
    /// It runs.
    Running,
    /// It has ended, and how.
    Ended(String),
}

/// The name that the containers of a run have, up to a number where one had to be replaced.
pub fn name_of(run_id: &str) -> String {
    format!("{PREFIX}{run_id}")
}

/// The first name for this run that the pod has no container of yet: entries stay, and an id of a run may come again.
pub fn free_name(pod: &Pod, run_id: &str) -> String {
    // A run of a matrix may be called as another one with a number behind it, so this is no number alone.
    let taken = names(pod);
    let first = name_of(run_id);
    let mut name = first.clone();
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
            let said = said.trim().lines().last().map_or_else(String::new, |line| format!(": {line}"));
            State::Ended(format!("{reason}, exit code {}{said}", end.exit_code))
        }
        ContainerState { running: Some(_), .. } => State::Running,
        ContainerState { waiting: Some(waiting), .. } => {
            let message = waiting.message.map_or_else(String::new, |message| format!(": {message}"));
            State::Waiting(waiting.reason.unwrap_or_default() + &message)
        }
        _ => State::Waiting("its kubelet has not said anything of it yet".into()),
    })
}

/// As it stands in the patch.
fn container(name: &str, image: &str, beside: Option<&str>) -> Value {
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
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"], "add": CAPABILITIES },
        },
    });
    if let Some(beside) = beside {
        container["targetContainerName"] = json!(beside);
    }
    container
}

/// Adds it to the pod as it was looked at; in a `rehearsal` the API server does everything but that, admission included.
///
/// # Errors
/// [`KubernetesError::Changed`] if it is another pod, or another version of it, by now; [`KubernetesError::Forbidden`] also
/// where Pod Security or another policy does not admit it.
pub async fn add(
    client: &Client,
    object: &Object,
    seen: &Pod,
    name: &str,
    image: &str,
    rehearsal: bool,
) -> Result<(), KubernetesError> {
    let spec = json!({ "spec": { "ephemeralContainers": [container(name, image, object.container.as_deref())] } });
    let patch = Patch::Strategic(tied(&seen.metadata, spec));
    let how = PatchParams { field_manager: Some(MANAGER.into()), dry_run: rehearsal, ..PatchParams::default() };
    let pods: Api<Pod> = Api::namespaced(client.clone(), object.namespace());
    let added = pods.patch_ephemeral_containers(&object.name, &how, &patch).await;
    let action = || format!("add the ephemeral container `{name}` to {}", object.place());
    added.map(drop).map_err(|error| KubernetesError::of(action(), error))
}

/// Whether each of these pods would take it, asked of the cluster without changing anything: access reviews know nothing of
/// admission (Pod Security, quotas, policies).
///
/// # Errors
/// It is not admitted, a pod is gone, or the cluster does not answer.
pub async fn rehearse(client: &Client, pods: &[&Object], image: &str) -> Result<(), KubernetesError> {
    for object in pods {
        change::again(async || {
            let action = || format!("get {}", object.place());
            let seen = change::pod(client, object).await?.ok_or_else(|| KubernetesError::gone(action()))?;
            add(client, object, &seen, &free_name(&seen, "rehearsal"), image, true).await
        })
        .await?;
    }
    Ok(())
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
        assert_eq!(free_name(&pod(&json!([]), &json!([])), "7-1"), "brunt-7-1");
        let ours = json!([{ "name": "brunt-7-1" }, { "name": "brunt-7-1-x2" }, { "name": "debugger" }]);
        assert_eq!(free_name(&pod(&ours, &json!([])), "7-1"), "brunt-7-1-x3");
    }

    #[test]
    fn its_state_is_told_in_the_words_of_the_kubelet() {
        let listed = json!([{ "name": "brunt-7-1" }]);
        let of = |value: &Value| state(&pod(&listed, &status(value)), "brunt-7-1");
        assert_eq!(of(&json!({ "running": {} })), Some(State::Running));
        let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        assert_eq!(of(&killed), Some(State::Ended("OOMKilled, exit code 137".into())));
        let failed = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": "a\nno greeting came\n" } });
        assert_eq!(of(&failed), Some(State::Ended("Error, exit code 1: no greeting came".into())));
        let waits = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
        assert_eq!(of(&waits), Some(State::Waiting("ErrImagePull: no such image".into())));
        assert!(matches!(state(&pod(&listed, &json!([])), "brunt-7-1"), Some(State::Waiting(_))));
        assert_eq!(state(&pod(&json!([]), &json!([])), "brunt-7-1"), None);
    }

    #[test]
    fn the_container_has_two_capabilities_and_nothing_else() {
        let made = container("brunt-7-1", "brunt:1", None);
        assert_eq!(
            made["securityContext"]["capabilities"],
            json!({ "drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"] })
        );
        assert_eq!((&made["stdin"], &made["stdinOnce"]), (&json!(true), &json!(false)));
        assert!(made["targetContainerName"].is_null(), "the pids of others are none of its business");
        assert_eq!(container("a", "b", Some("app"))["targetContainerName"], "app");
    }
}
