//! Everything that can go wrong while breaking things. Each text names the operation and the object.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use brunt_kubernetes::KubernetesError;

/// An operation of the injector failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an explicit state folder nor `XDG_STATE_HOME` nor `HOME` says where the journal belongs.
    #[error("nowhere to write the undo journal: set XDG_STATE_HOME or HOME to a folder that you can write")]
    NoStateDir,
    /// The journal could not be written, so nothing may be injected.
    #[error("cannot {action} the undo journal {}: {source}", path.display())]
    Journal {
        /// What was tried: `create`, `lock`, `append to`, ...
        action: &'static str,
        /// The journal or its folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A journal that must not be replayed: somebody else could have written it, or it is damaged.
    #[error("the undo journal {} is refused: {why}", path.display())]
    JournalRefused {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file for the decisions of faults could not be created.
    #[error("cannot write the decisions of faults to {}: {source}", path.display())]
    Decisions {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The agent could not be started or talked to.
    #[error("agent: cannot {action}: {source}")]
    AgentIo {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The agent did not answer in time.
    #[error("the agent did not answer `{ask}` within {} s", after.as_secs_f64())]
    AgentSilent {
        /// The request.
        ask: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The agent has ended; what it held is undone.
    #[error("the agent is gone: {0}")]
    AgentGone(String),
    /// The agent answered something that does not belong to the request, or a line that is no JSON.
    #[error("the agent does not speak this protocol: {0}")]
    Protocol(String),
    /// The agent tried and failed; the text is its own.
    #[error("{0}")]
    Agent(String),
    /// An operation on a process failed.
    #[error("cannot {action} {process}: {source}")]
    Process {
        /// What was tried: `stop`, `continue`, `kill`, ...
        action: &'static str,
        /// `payments-0 (pid 4711)`.
        process: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The process is not the one that was picked: its pid now belongs to another one, or to nobody.
    #[error("{process} is gone: {why}")]
    ProcessGone {
        /// `payments-0 (pid 4711)`.
        process: String,
        /// What was found in its place.
        why: String,
    },
    /// A change to how packets are treated failed.
    #[error("cannot {action} the rules `{table}` on {victims}: {why}")]
    Packets {
        /// What was tried: `install`, `read the counters of`, ...
        action: &'static str,
        /// The nf_tables table.
        table: String,
        /// Whose packets.
        victims: String,
        /// What the kernel said.
        why: String,
    },
    /// A change to the queues of links failed.
    #[error("cannot {action} the queues of {victims}: {why}")]
    Queues {
        /// What was tried: `look at`, `put a rate on`, ...
        action: &'static str,
        /// Whose links.
        victims: String,
        /// What the kernel said, or what stands in the way.
        why: String,
    },
    /// The network namespace is not the one that was picked.
    #[error("network namespace `{name}` is gone: {why}")]
    NamespaceGone {
        /// Its name.
        name: String,
        /// What was found in its place.
        why: String,
    },
    /// A command of an `exec` fault.
    #[error(transparent)]
    Command(crate::command::CommandError),
    /// The Docker Engine could not be reached, or said no.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// A cluster could not be reached, or said no.
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    /// brunt does not do this, on purpose.
    #[error("refused: {0}")]
    Refused(String),
    /// A service could not be started.
    #[error("cannot start {instance}: {program}: {source}")]
    Start {
        /// `payments-0`.
        instance: String,
        /// What should have run.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The network of isolated services could not be built.
    #[error("isolated services: cannot {what}: {source}")]
    Network {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A link could not be opened.
    #[error("cannot open link `{link}` at {address}: {source}")]
    Listen {
        /// Name of the link.
        link: String,
        /// Where it should have listened.
        address: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The parameters of a fault do not fit its kind or its target.
    #[error("{kind}: {why}")]
    Unfit {
        /// The kind of the fault.
        kind: String,
        /// What does not fit, and what would.
        why: String,
    },
    /// There is no such fault, link or instance.
    #[error("no {what} named `{name}`")]
    Unknown {
        /// `active fault`, `link`, ...
        what: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// A thread or task of the injector could not be started or has ended too early.
    #[error("cannot run {what}: {source}")]
    Thread {
        /// Which thread.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The fault failed, and what it had changed by then could not be undone (exit 6).
    #[error("{cause}; and what it had changed could not be undone: {residue}")]
    LeftBehind {
        /// Why the fault failed.
        cause: Box<Error>,
        /// What is left and what a person can do about it.
        residue: String,
    },
}

impl Error {
    /// Whether this means "nothing was injected because it could not have been undone": exit 3 before the first fault.
    pub fn is_preflight(&self) -> bool {
        matches!(self, Self::NoStateDir | Self::Journal { .. } | Self::JournalRefused { .. })
    }
}

/// A target does not resolve to victims that may be hit. Nothing was touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// No member at all.
    #[error("target `{target}` has no members: {why}")]
    Empty {
        /// The target's name.
        target: String,
        /// What was looked for, and the way out.
        why: String,
    },
    /// More or fewer than `count` says.
    #[error("target `{target}` expects {expected} but {found} found: {list}; match more narrowly, or change `count`")]
    Count {
        /// The target's name.
        target: String,
        /// `2 processes`.
        expected: String,
        /// `3 were`.
        found: String,
        /// The processes.
        list: String,
    },
    /// A member must never be hit.
    #[error("target `{target}` would hit {process}: {why}; match more narrowly")]
    Protected {
        /// The target's name.
        target: String,
        /// The process.
        process: String,
        /// Why it is protected.
        why: String,
    },
    /// Together with what is active already, more members than `max_affected` allows.
    #[error(
        "fault `{fault}` would bring the members of `{target}` that are hit at the same time to {would} of {total}, \
         and max_affected allows {allowed}: lower `pick`, raise `max_affected`, or let the faults follow each other"
    )]
    TooMany {
        /// The fault's id.
        fault: String,
        /// The target's name.
        target: String,
        /// How many would be hit.
        would: usize,
        /// How many there are.
        total: usize,
        /// How many may be hit.
        allowed: usize,
    },
    /// `pick` asks for more members than there are.
    #[error("fault `{fault}` picks {asked} of `{target}`, which has {total}: {list}")]
    TooFew {
        /// The fault's id.
        fault: String,
        /// The target's name.
        target: String,
        /// How many `pick` asks for.
        asked: usize,
        /// How many there are.
        total: usize,
        /// The members.
        list: String,
    },
    /// This kind of fault cannot act on this kind of target.
    #[error("{kind} cannot hit target `{target}`: {why}")]
    Unfit {
        /// The kind of the fault.
        kind: String,
        /// The target's name.
        target: String,
        /// What would fit.
        why: String,
    },
    /// The cluster does not let this user do what the fault needs.
    #[error(
        "fault `{fault}` needs rights in the cluster of `{target}` that this user does not have: {missing}; \
         `brunt kube rbac SCENARIO` prints the least role"
    )]
    Rights {
        /// The fault's id.
        fault: String,
        /// The target's name.
        target: String,
        /// `delete pods in the namespace `shop``, ...
        missing: String,
    },
    /// The cluster would not take the agent that the fault needs in its pods.
    #[error(
        "fault `{fault}` needs an agent in the pods of `{target}`, an ephemeral container, and the cluster does not take it: \
         {why}"
    )]
    Admission {
        /// The fault's id.
        fault: String,
        /// The target's name.
        target: String,
        /// In the words of the cluster.
        why: String,
    },
    /// A command of the fault cannot be run.
    #[error("fault `{fault}`: {why}")]
    Command {
        /// The fault's id.
        fault: String,
        /// Which command, and what is missing.
        why: String,
    },
    /// The search itself failed.
    #[error("cannot look for target `{target}`: {why}")]
    Search {
        /// The target's name.
        target: String,
        /// What failed.
        why: String,
    },
}

/// The Docker Engine of this host could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// An engine behind TCP or ssh: its processes and cgroups are not ours to see.
    #[error(
        "DOCKER_HOST is {host}, and brunt hits only containers of this host, whose processes it can see: set it to \
         unix:///path/of/docker.sock, or unset it"
    )]
    NotHere {
        /// The value.
        host: String,
    },
    /// No engine runs here, or it is not for this user.
    #[error("no Docker Engine: there is no {}; start it, or name its socket in DOCKER_HOST", list(looked_at))]
    NoSocket {
        /// Where one would be.
        looked_at: Vec<PathBuf>,
    },
    /// No answer came.
    #[error("the Docker Engine at {} could not {action}: {why}", socket.display())]
    Failed {
        /// What was asked for.
        action: &'static str,
        /// Its socket.
        socket: PathBuf,
        /// Why not.
        why: String,
    },
    /// It said no.
    #[error("the Docker Engine refused to {action}: {why} (HTTP {status})")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The HTTP status.
        status: u16,
        /// Its own words.
        why: String,
    },
    /// Something else than an engine listens there.
    #[error("what answers at {} to `{action}` is no Docker Engine: {source}", socket.display())]
    Answer {
        /// What was asked for.
        action: &'static str,
        /// Its socket.
        socket: PathBuf,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and no ")
}
