//! What brunt asks of a Docker Engine: its HTTP interface on the unix socket of this host, eight calls of it.
//!
//! Only a socket of this host: faults act on processes and cgroups, which an engine elsewhere does not share with us. Calls
//! block and are bounded; each has a thread and a connection of its own, so that they may be made from a runtime's thread as
//! well as from the agent, which has none. What the engine answers is trusted for names and states only. Whether a fault acts
//! is seen in `/proc` and in cgroups, never in an answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use brunt_kubernetes::in_full;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::DockerError;

/// How long the engine may take to answer a question, and to do what it does at once.
const ANSWER: Duration = Duration::from_secs(4);
/// A list of ten thousand containers has about 10 MB.
const MOST_BYTES: usize = 64 << 20;

/// An engine, by its socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    socket: PathBuf,
}

/// A container as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    /// 64 hexadecimal digits, never used twice.
    pub id: String,
    names: Vec<String>,
    #[serde(default, deserialize_with = "null_is_none")]
    labels: BTreeMap<String, String>,
    /// `running`, `paused`, `exited`, `restarting`, `created`, `removing` or `dead`.
    pub state: String,
}

impl Summary {
    /// Without the slash that the engine puts before it. A container has one name of its own; names with a second slash are
    /// what other containers call it (`--link`).
    pub fn name(&self) -> &str {
        let names = self.names.iter().map(|name| name.trim_start_matches('/'));
        names.min_by_key(|name| name.matches('/').count()).unwrap_or(&self.id)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// A container in detail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// As in the list.
    pub id: String,
    /// How it is.
    pub state: State,
    /// How it was asked for.
    pub host_config: HostConfig,
}

/// How a container is at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// As in the list.
    pub status: String,
    /// It has a process; also while it is paused.
    pub running: bool,
    /// Its cgroup is frozen.
    pub paused: bool,
    /// The engine is about to start it again.
    pub restarting: bool,
    /// Its main process in the engine's pid namespace; 0 when there is none.
    pub pid: u32,
    /// When that process started, as the engine writes it.
    pub started_at: String,
}

/// How a container was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostConfig {
    /// `default`, `host`, `container:<id>`, the name of a network.
    pub network_mode: String,
    /// Whether the engine starts it again.
    pub restart_policy: RestartPolicy,
    /// It is removed as soon as it ends (`--rm`).
    pub auto_remove: bool,
}

/// Whether the engine starts a container again that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// `no` (also empty), `always`, `unless-stopped`, `on-failure`.
    pub name: String,
}

impl RestartPolicy {
    /// Whether it brings back what has crashed.
    pub fn restarts(&self) -> bool {
        !matches!(self.name.as_str(), "" | "no")
    }
}

/// What the engine says when it refuses.
#[derive(Deserialize)]
struct Complaint {
    message: String,
}

/// Engines in Go write `null` for an empty map.
fn null_is_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Docker {
    /// The engine that `docker ps` would talk to: `DOCKER_HOST`, else `/var/run/docker.sock`, else that of an engine without
    /// root, below `XDG_RUNTIME_DIR`. Contexts of the command line client are not looked at.
    ///
    /// # Errors
    /// [`DockerError::NotHere`] if `DOCKER_HOST` names no unix socket, [`DockerError::NoSocket`] if there is none.
    pub fn of_this_host() -> Result<Self, DockerError> {
        Self::by_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn by_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, DockerError> {
        if let Some(host) = variable("DOCKER_HOST") {
            let socket = host.strip_prefix("unix://").map(PathBuf::from);
            return socket.map(Self::at).ok_or(DockerError::NotHere { host });
        }
        let rootless = variable("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock"));
        let usual = [Some(PathBuf::from("/var/run/docker.sock")), rootless];
        let looked_at: Vec<PathBuf> = usual.into_iter().flatten().collect();
        let found = looked_at.iter().find(|socket| socket.exists()).cloned();
        found.map(Self::at).ok_or(DockerError::NoSocket { looked_at })
    }

    /// The engine behind this socket; nothing is asked yet.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All containers, those that do not run too.
    pub fn list(&self) -> Result<Vec<Summary>, DockerError> {
        let answer = self.call("list containers", Method::GET, "/containers/json?all=true", ANSWER)?;
        self.read("list containers", &answer)
    }

    /// One of them; `None` when there is none with this id (any more).
    pub fn inspect(&self, id: &str) -> Result<Option<Container>, DockerError> {
        match self.call("inspect", Method::GET, &format!("/containers/{id}/json"), ANSWER) {
            Ok(answer) => self.read("inspect", &answer).map(Some),
            Err(DockerError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Freezes its cgroup.
    pub fn pause(&self, id: &str) -> Result<(), DockerError> {
        self.call("pause", Method::POST, &format!("/containers/{id}/pause"), ANSWER).map(drop)
    }

    /// Thaws it.
    pub fn unpause(&self, id: &str) -> Result<(), DockerError> {
        self.call("unpause", Method::POST, &format!("/containers/{id}/unpause"), ANSWER).map(drop)
    }

    /// Starts it; `Ok` when it runs already.
    pub fn start(&self, id: &str) -> Result<(), DockerError> {
        self.call("start", Method::POST, &format!("/containers/{id}/start"), ANSWER).map(drop)
    }

    /// Asks it to end and kills it after `grace`; `Ok` when it was down already. Returns when it has ended.
    pub fn stop(&self, id: &str, grace: Duration) -> Result<(), DockerError> {
        let path = format!("/containers/{id}/stop?t={}", whole_seconds(grace));
        self.call("stop", Method::POST, &path, grace + ANSWER).map(drop)
    }

    /// The same, and starts it again. Returns when its new process runs.
    pub fn restart(&self, id: &str, grace: Duration) -> Result<(), DockerError> {
        let path = format!("/containers/{id}/restart?t={}", whole_seconds(grace));
        self.call("restart", Method::POST, &path, grace + 2 * ANSWER).map(drop)
    }

    fn read<T: DeserializeOwned>(&self, action: &'static str, answer: &[u8]) -> Result<T, DockerError> {
        let socket = self.socket.clone();
        serde_json::from_slice(answer).map_err(|source| DockerError::Answer { action, socket, source })
    }

    /// The body of an answer that is no refusal.
    fn call(&self, action: &'static str, method: Method, path: &str, within: Duration) -> Result<Bytes, DockerError> {
        let failed = |why: String| DockerError::Failed { action, socket: self.socket.clone(), why };
        let bounded = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
            let exchange = async { timeout(within, self.exchange(method, path)).await };
            let no_answer = |_| format!("no answer within {} s", within.as_secs_f64());
            runtime.block_on(exchange).map_err(no_answer)?.map_err(|error| in_full(&*error))
        };
        let answered = thread::scope(|scope| scope.spawn(bounded).join());
        let (status, body) = answered.unwrap_or_else(|_| Err("its thread panicked".into())).map_err(failed)?;
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(body);
        }
        let complaint = serde_json::from_slice(&body).map(|Complaint { message }| message);
        let why = complaint.unwrap_or_else(|_| String::from_utf8_lossy(&body).trim().to_owned());
        Err(DockerError::Refused { action, status: status.as_u16(), why })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the runtime, right after the answer.
        let carried = tokio::spawn(connection);
        let request =
            Request::builder().method(method).uri(path).header("Host", "docker").body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await?.to_bytes();
        carried.abort();
        Ok((status, body))
    }
}

/// The engine counts whole seconds; a fraction is rounded up, so that nobody is killed early.
fn whole_seconds(grace: Duration) -> u64 {
    grace.as_secs() + u64::from(grace.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
