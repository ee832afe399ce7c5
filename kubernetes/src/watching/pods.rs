//! A pod as a watch shows it, boiled down to what the report tells.

use brunt_scenario::plan::{Owner, PodMatch};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::finding::pod;

/// A pod, boiled down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodNow {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of what made it.
    pub maker: Option<String>,
    /// What it belongs to, as a person would name it.
    pub owner: Option<Owner>,
    /// Where it was put.
    pub node: Option<String>,
    /// By its own account.
    pub ready: bool,
    /// It was told to end.
    pub ending: bool,
    /// How often containers of it were started again.
    pub restarts: u32,
    /// How the container that ended last did: `OOMKilled`, `Error (exit code 137)`.
    pub last_end: Option<String>,
}

impl PodNow {
    /// `None`: another owner's.
    pub(super) fn of(pod: Pod, wanted: &PodMatch) -> Option<Self> {
        let containers: Vec<ContainerStatus> =
            pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten()).cloned().collect();
        let facts = pod::Facts::of(pod);
        if wanted.owner.is_some() && facts.owner != wanted.owner {
            return None;
        }
        let restarts = containers.iter().map(|one| u32::try_from(one.restart_count).unwrap_or(0)).sum();
        let ends = containers.iter().filter_map(|one| one.last_state.as_ref()?.terminated.as_ref());
        let last = ends.max_by_key(|end| end.finished_at.as_ref().map(|at| at.0));
        let last_end = last.map(|end| match (end.reason.as_deref(), end.exit_code) {
            (Some("OOMKilled"), _) => "OOMKilled".to_owned(),
            (reason, code) => format!("{} (exit code {code})", reason.unwrap_or("ended")),
        });
        Some(Self {
            namespace: facts.namespace,
            name: facts.name,
            uid: facts.uid,
            maker: facts.maker,
            owner: facts.owner,
            node: facts.node,
            ready: facts.ready,
            ending: facts.ending,
            restarts,
            last_end,
        })
    }
}
