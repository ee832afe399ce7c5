//! What will happen: every default filled in, every reference resolved, every unit a type.
//!
//! `resolve` produces a [`Plan`] from a valid scenario; the runner, the injector and the report consume it and never look at
//! YAML again. Only what exists when the run starts (ports, addresses) is still open: it stands as a [`Piece`] in a [`Text`].

mod feeders;
mod load;
mod pods;
mod sending;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use feeders::{Feeder, Rows, Strategy, Table, VALUE_COLUMN};
pub use load::{Connections, Portion, RetryUntil, Reuse};
pub use pods::{Expect, Owner, OwnerKind, PodMatch};
pub use sending::Sending;

use crate::catalogue::TargetKind;
use crate::matrix::Cell;
use crate::metric::{Metric, WindowName};
use crate::secret::Secret;
use crate::source::Span;
use crate::units::{CountOrShare, Share, Spread};

/// A whole run, ready to be executed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenario's `name`, or its file name without `.brunt.yaml`.
    pub name: String,
    /// Which cell of the scenario's matrix this is; empty without one.
    pub cell: Cell,
    /// The scenario's `description`.
    pub description: String,
    /// Copied to every output; `matrix.<axis>` for each axis of the cell among them.
    pub labels: BTreeMap<String, String>,
    /// Decides arrivals, victims and fault randomness.
    pub seed: u64,
    /// How the scenario file is called in messages, or the URL of the URL form.
    pub source: String,
    /// Digest of the scenario after includes, merges and `--set`, without secrets, hexadecimal.
    pub scenario_sha256: String,
    /// The scenario after includes, merges and variables, secrets masked: `scenario.resolved.yaml`.
    pub resolved_yaml: String,
    /// Processes to start, in an order in which each one's `${services.*}` and `${links.*}` can be known.
    pub services: Vec<Service>,
    /// Wires to put between them.
    pub links: Vec<Link>,
    /// Everything that load goes to or that a fault hits, by name.
    pub targets: BTreeMap<String, Target>,
    /// Data rows for templates.
    pub feeders: Vec<Feeder>,
    /// What one user does.
    pub journeys: Vec<Journey>,
    /// How many come, when.
    pub load: Vec<Load>,
    /// Objectives over a sliding span.
    pub slos: Vec<Slo>,
    /// The hypothesis.
    pub steady_state: Option<SteadyState>,
    /// What happens when, in order.
    pub timeline: Vec<Item>,
    /// Where brunt may act and how much it may hit.
    pub safety: Safety,
    /// When the run must stop, in the order of the file.
    pub guardrails: Vec<Guardrail>,
    /// What CI judges; never empty (the default gate is filled in, with `line: None`).
    pub gates: Vec<Gate>,
    /// Which files are written.
    pub outputs: Outputs,
    /// What the scenario asks for and this version cannot do: `plan` and `run` say it and stop.
    pub not_built: Vec<NotBuilt>,
}

impl Plan {
    /// How the run is called: the scenario's name, and the cell where there is one: `checkout · added_latency=100ms`.
    pub fn title(&self) -> String {
        if self.cell.is_empty() { self.name.clone() } else { format!("{} · {}", self.name, self.cell) }
    }
}

/// Something that the language knows and this version cannot carry out.
#[derive(Debug, Clone, PartialEq)]
pub struct NotBuilt {
    /// What it is, as a sentence: "packet loss on a process needs the netem or NFQUEUE rung".
    pub what: String,
    /// Where it stands: `file:line:column`.
    pub place: String,
    /// The same in the texts that the scenario was read from.
    pub span: Span,
    /// 2 for a feature of the language, 3 for a rung of the fault ladder that is missing.
    pub exit_code: u8,
}

/// A text whose late parts are filled in when the run starts. Templates (`{{ }}`) stay in it as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Text(pub Vec<Piece>);

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// As written.
    Literal(String),
    /// Known, but never shown.
    Secret(#[serde(with = "crate::secret::exposed")] Secret),
    /// `${brunt.exe}`: the path of the running binary.
    BruntExe,
    /// `${port}`: the port of the service instance that is being started.
    OwnPort,
    /// `${address}`: the address at which that instance is reached.
    OwnAddress,
    /// `${services.x.url}` (`all: false`, exactly one instance) or `.urls` (comma-separated).
    Service {
        /// The service's name.
        name: String,
        /// All instances, comma-separated, instead of the only one.
        all: bool,
    },
    /// `${links.x.url}` or `.urls`.
    Link {
        /// The link's name.
        name: String,
        /// All listeners, comma-separated, instead of the only one.
        all: bool,
    },
}

/// What is known once services and links have their ports; fills the late parts of a [`Text`].
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The path of the running binary.
    pub exe: String,
    /// Service name to one URL an instance (`http://127.0.0.1:port`, isolated ones at addresses of their own).
    pub services: BTreeMap<String, Vec<String>>,
    /// Link name to one URL a listener (https where the link's `to:` is https).
    pub links: BTreeMap<String, Vec<String>>,
}

impl Text {
    /// A text without late parts.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Literal(text.into())])
    }

    /// Fills in the late parts. `own` is the address and port of the instance that is being started. The error names the first
    /// part that is not known yet or is not unique.
    pub fn fill(&self, known: &Addresses, own: Option<SocketAddr>) -> Result<String, UnknownAddress> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Secret(secret) => out.push_str(secret.expose()),
                Piece::BruntExe => out.push_str(&known.exe),
                Piece::OwnPort | Piece::OwnAddress if own.is_none() => {
                    let name = if *piece == Piece::OwnPort { "${port}" } else { "${address}" };
                    return Err(UnknownAddress(name.into()));
                }
                Piece::OwnPort => out.extend(own.map(|own| own.port().to_string())),
                Piece::OwnAddress => out.extend(own.map(|own| own.ip().to_string())),
                Piece::Service { name, all } => out.push_str(&urls("services", name, *all, known.services.get(name))?),
                Piece::Link { name, all } => out.push_str(&urls("links", name, *all, known.links.get(name))?),
            }
        }
        Ok(out)
    }

    /// The names of the services (first) and links (second) whose addresses this text needs.
    pub fn needs(&self) -> (Vec<&str>, Vec<&str>) {
        let mut services = Vec::new();
        let mut links = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Service { name, .. } => services.push(name.as_str()),
                Piece::Link { name, .. } => links.push(name.as_str()),
                _ => {}
            }
        }
        (services, links)
    }
}

fn urls(kind: &str, name: &str, all: bool, known: Option<&Vec<String>>) -> Result<String, UnknownAddress> {
    let word = if all { "urls" } else { "url" };
    let unknown = || UnknownAddress(format!("${{{kind}.{name}.{word}}}"));
    let urls = known.ok_or_else(unknown)?;
    match urls.as_slice() {
        _ if all => Ok(urls.join(",")),
        [only] => Ok(only.clone()),
        _ => Err(unknown()),
    }
}

/// As people may see it: late parts as `<port>`, `<links.x.url>`, secrets as `***`.
impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Secret(_) => f.write_str("***")?,
                Piece::BruntExe => f.write_str("brunt")?,
                Piece::OwnPort => f.write_str("<port>")?,
                Piece::OwnAddress => f.write_str("<address>")?,
                Piece::Service { name, all } => write!(f, "<services.{name}.{}>", if *all { "urls" } else { "url" })?,
                Piece::Link { name, all } => write!(f, "<links.{name}.{}>", if *all { "urls" } else { "url" })?,
            }
        }
        Ok(())
    }
}

/// A late part of a text could not be filled in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{0}` is not known here, or stands for more than one address")]
pub struct UnknownAddress(pub String);

/// A process that brunt starts and stops.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name under `services:`.
    pub name: String,
    /// Program and arguments.
    pub run: Vec<Text>,
    /// Working folder.
    pub cwd: PathBuf,
    /// On top of the inherited environment.
    pub env: Vec<(String, Text)>,
    /// How many, at least 1.
    pub instances: usize,
    /// A fixed port (then `instances` is 1, or each is isolated) or a free one.
    pub port: Option<u16>,
    /// Each instance lives in a network namespace of its own.
    pub isolated: bool,
    /// An isolated instance is reached at its IPv6 address.
    pub over_v6: bool,
    /// When an instance counts as ready.
    pub ready: Ready,
    /// How long it may take to get ready.
    pub ready_within: Duration,
    /// The signal that asks it to end, as a number.
    pub stop_signal: i32,
    /// How long it may take to end before it is killed.
    pub stop_within: Duration,
}

/// When an instance counts as ready.
#[derive(Debug, Clone)]
pub enum Ready {
    /// A GET of this path answers with a status below 400.
    Http(String),
    /// Its port accepts a connection.
    Tcp,
    /// A line of its output matches.
    Log(String),
}

/// brunt's proxy on the way to a service or an address: one listener for each upstream instance.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its name under `links:`.
    pub name: String,
    /// Where the bytes go.
    pub to: LinkTo,
    /// A fixed address for the (only) listener; else a free port on 127.0.0.1.
    pub listen: Option<String>,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkTo {
    /// Each instance of a service.
    Service(String),
    /// A host and port; `https` says that what passes is TLS, so that `http.*` faults are refused.
    Address {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// `to:` was written as an https URL.
        https: bool,
    },
}

/// Something that load goes to or that a fault hits.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An address: `http://host:port` with an optional path prefix.
    Url(Text),
    /// As load destination its ready instances, as fault target its processes.
    Service(String),
    /// A link under `links:`.
    Link(String),
    /// Processes of this host.
    Process(ProcessMatch),
    /// A network namespace with this name.
    Netns(String),
    /// Containers of this host.
    Docker(DockerMatch),
    /// Pods of a cluster, or what they belong to.
    Kubernetes(PodMatch),
}

impl Target {
    /// What it is.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Url(_) => TargetKind::Url,
            Self::Service(_) => TargetKind::Service,
            Self::Link(_) => TargetKind::Link,
            Self::Process(_) => TargetKind::Process,
            Self::Netns(_) => TargetKind::Netns,
            Self::Docker(_) => TargetKind::Docker,
            Self::Kubernetes(_) => TargetKind::Kubernetes,
        }
    }
}

/// How processes of this host, or of a pod, are found. All given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ProcessMatch {
    /// The executable's name.
    pub name: Option<String>,
    /// This process.
    pub pid: Option<u32>,
    /// A regular expression over the command line, arguments joined by spaces.
    pub cmdline: Option<String>,
    /// The process that listens on this TCP port.
    pub port: Option<u16>,
    /// How many are expected.
    pub count: Option<usize>,
}

/// How containers of this host are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DockerMatch {
    /// The one with this name.
    Name(String),
    /// Those with this label.
    Label {
        /// Its name.
        key: String,
        /// Its value, which must be the same.
        value: String,
    },
    /// Those of one service of a compose project.
    Compose {
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
}

/// What one user does, step by step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journey {
    /// Its name under `journeys:`, or the load entry's name for the shorthand.
    pub name: String,
    /// Indices into [`Plan::feeders`]: each gives one row an iteration.
    pub feed: Vec<usize>,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of a journey.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step {
    /// One request.
    Request(Box<Request>),
    /// A pause of the user, not counted as latency.
    Think(Spread),
}

/// One of the methods that the language knows. A name of its own, as serde would take a plain reference for a part of what is
/// read.
pub type Method = &'static str;

/// One request of a journey.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Unique in the journey.
    pub id: String,
    /// A target of kind `url` or `service`.
    pub target: String,
    /// The header of the reply that names who answered, as the target has it.
    pub instance_header: Option<String>,
    /// GET, POST, PUT, PATCH, DELETE or HEAD.
    #[serde(deserialize_with = "sending::method")]
    pub method: Method,
    /// Path and query; may hold templates.
    pub path: Text,
    /// Name and value; values may hold templates.
    pub headers: Vec<(String, Text)>,
    /// What is sent.
    pub body: Body,
    /// From the intended start to the last byte.
    pub timeout: Duration,
    /// What is kept for later steps.
    pub extract: Vec<Extract>,
    /// What must hold of the reply.
    pub check: Check,
    /// Ask again until the reply is as wanted.
    pub retry_until: Option<RetryUntil>,
    /// A failed step ends the iteration, or not.
    pub continue_on_error: bool,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// None.
    None,
    /// JSON; string leaves may hold templates and are escaped after rendering.
    Json(Json),
    /// `application/x-www-form-urlencoded`; values may hold templates and are escaped after rendering.
    Form(Vec<(String, Text)>),
    /// As it is.
    Raw(Text),
}

/// A JSON value whose strings (keys stay as written) may hold templates and late parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Json {
    /// null
    Null,
    /// true, false
    Bool(bool),
    /// A finite number.
    Number(serde_json::Number),
    /// A string.
    Text(Text),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of the file.
    Object(Vec<(String, Json)>),
}

/// A value taken from a reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Extract {
    /// The name that later templates use.
    pub name: String,
    /// Where it is found.
    pub from: ExtractFrom,
}

/// Where an extracted value is found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ExtractFrom {
    /// A JSONPath (RFC 9535) into the body; the first match.
    JsonPath(String),
    /// A response header.
    Header(String),
    /// The first capture group (or the whole match) of a regular expression over the body.
    Regex(String),
}

/// What must hold of a reply; all given conditions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Check {
    /// One of these. Empty: any status below 400.
    pub status: Vec<u16>,
    /// Header name and exact value (which may hold templates).
    pub headers: Vec<(String, Text)>,
    /// JSONPath and the value expected there (strings may hold templates).
    pub body: Vec<(String, Json)>,
    /// A regular expression that the body must match.
    pub regex: Option<String>,
    /// Smallest body in bytes.
    pub min_size: Option<u64>,
    /// Largest body in bytes.
    pub max_size: Option<u64>,
    /// Longest latency from the intended start.
    pub max_latency: Option<Duration>,
}

impl Check {
    /// Whether judging a reply needs its body.
    pub fn reads_body(&self) -> bool {
        !self.body.is_empty() || self.regex.is_some()
    }
}

/// One entry under `load:`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// What its iterations do: never empty; with several, each iteration takes one by its share.
    pub mix: Vec<Portion>,
    /// Open or closed.
    pub model: Model,
    /// In order; a level is a rate a second (open) or a number of users (closed).
    pub stages: Vec<Stage>,
    /// Open iterations above it are dropped and make the run invalid.
    pub max_in_flight: usize,
    /// How long open requests may take after the last arrival.
    pub drain: Duration,
    /// How its connections are used.
    pub connections: Connections,
}

/// How iterations start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Model {
    /// By the clock, evenly spaced.
    OpenConstant,
    /// By the clock, a Poisson process.
    OpenPoisson,
    /// A number of users who wait for their replies.
    Closed,
}

/// A piece of the load curve, linear from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Level at its beginning.
    #[serde(with = "sending::bits")]
    pub from: f64,
    /// Level at its end.
    #[serde(with = "sending::bits")]
    pub to: f64,
    /// How long; `None` lasts as long as the timeline (only the last stage).
    pub length: Option<Duration>,
    /// Left out of every window but `warmup`.
    pub warmup: bool,
}

/// Which requests a metric is taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Scope {
    /// The requests of this journey only.
    pub journey: Option<String>,
    /// The requests of this step only (of `journey`, or of every journey that has it).
    pub step: Option<String>,
}

/// An objective over a sliding span.
#[derive(Debug, Clone)]
pub struct Slo {
    /// Its name under `slos:`.
    pub id: String,
    /// Over which requests.
    pub scope: Scope,
    /// What is measured.
    pub metric: Metric,
    /// What must hold, in the metric's unit.
    pub bound: Bound,
    /// The sliding span.
    pub over: Duration,
}

/// A one-sided bound, in the unit of the metric it stands beside (see [`Metric::unit`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// At most.
    Max(f64),
    /// At least.
    Min(f64),
}

/// The hypothesis: what must be true for the system to count as well.
#[derive(Debug, Clone)]
pub struct SteadyState {
    /// In words.
    pub title: String,
    /// Indices into [`Plan::slos`].
    pub slos: Vec<usize>,
    /// Further checks.
    pub probes: Vec<Probe>,
    /// It must hold this long before anything is injected.
    pub before: Option<Before>,
}

/// `steady_state.before`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Before {
    /// Hold without a break this long.
    pub hold_for: Duration,
    /// Give up (exit 3) after this long.
    pub within: Duration,
}

/// A check from outside the load.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name.
    pub id: String,
    /// What it does.
    pub kind: ProbeKind,
    /// From one start to the next.
    pub every: Duration,
    /// Longer counts as failed.
    pub timeout: Duration,
}

/// What a probe does.
#[derive(Debug, Clone)]
pub enum ProbeKind {
    /// GET `path` at a target answers with this status.
    Http {
        /// A target of kind `url` or `service`.
        target: String,
        /// Path and query.
        path: String,
        /// Expected status.
        status: u16,
    },
    /// A TCP connection to `host:port` opens.
    Tcp {
        /// `host:port`.
        address: Text,
    },
    /// The API of a cluster says so.
    Kubernetes {
        /// A target of kind `kubernetes`.
        target: String,
        /// What it should say.
        expect: Expect,
    },
    /// A command of this host ends with an exit code.
    Command {
        /// Program and arguments.
        run: Vec<Text>,
        /// Working folder.
        cwd: PathBuf,
        /// Expected exit code.
        exit: u8,
    },
}

/// One item of the timeline.
#[derive(Debug, Clone)]
pub enum Item {
    /// Nothing is injected: the reference window.
    Baseline(Duration),
    /// Nothing happens.
    Pause(Duration),
    /// Waits for the steady state; measures the recovery of every fault since the last `recover`.
    Recover {
        /// At most this long.
        within: Duration,
    },
    /// One fault.
    Fault(Box<Fault>),
    /// Loads get another level, until the next change; over when that is in force, [`LOAD_CHANGE`] after its turn.
    Load(Vec<LoadChange>),
    /// Items that start together, each after its delay; ends when the last one has ended.
    Parallel(Vec<Delayed>),
}

/// So long before it is in force a load change is told to the workers: all of them have looked by then, so that all change
/// at the same instant.
pub const LOAD_CHANGE: Duration = Duration::from_millis(100);

/// A load that gets another level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadChange {
    /// Name of the load entry.
    pub load: String,
    /// So many times the level that its stages say, whatever an earlier change was.
    #[serde(with = "sending::bits")]
    pub factor: f64,
}

/// A member of a parallel group.
#[derive(Debug, Clone)]
pub struct Delayed {
    /// After the group has started.
    pub delay: Duration,
    /// What happens then.
    pub item: Item,
}

/// One fault of the timeline.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Unique in the scenario.
    pub id: String,
    /// The kind, as in the catalogue: `network.latency`.
    pub kind: &'static str,
    /// The name of the target.
    pub target: String,
    /// How many of its members; already defaulted (all listeners of a link, one of anything else).
    pub pick: CountOrShare,
    /// How many of the target's members all active faults together may hit.
    pub max_affected: CountOrShare,
    /// No member found is not an error.
    pub allow_empty: bool,
    /// Members that replace one that is gone while it is active are hit, too: as many are hit as were picked.
    pub follow: bool,
    /// How long it stays active, each round; `None` for instant faults.
    pub lasts: Option<Duration>,
    /// Again and again; `None` is once.
    pub repeat: Option<Repeat>,
    /// What `with:` says, defaults filled in.
    pub with: Params,
    /// Only traffic between the target and this one: a name among the targets, and what it is.
    pub from: Option<(String, Target)>,
    /// `file:line` of the fault.
    pub place: String,
}

/// `repeat:` a fault in several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// How many rounds; at least 2.
    pub times: u32,
    /// From the beginning of one round to that of the next. A round that takes longer is waited for.
    pub every: Duration,
}

impl Fault {
    /// How many rounds it has.
    pub fn rounds(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.times)
    }

    /// One round (counted from 1) as a fault of its own, which is how it is resolved, journalled, injected and undone: its
    /// id is [`round_id`], so every round picks its victims anew, and one that still waits for its target to be whole
    /// is not mistaken for the next.
    pub fn in_round(&self, round: u32) -> Self {
        Self { id: round_id(&self.id, round), ..self.clone() }
    }
}

/// What a round of a fault is called: the first one as the fault itself, so that repeating a fault moves no victim of its
/// first round; later ones `kill#2`, `kill#3`. No id that a person may write holds a `#`.
pub fn round_id(id: &str, round: u32) -> String {
    if round <= 1 { id.to_owned() } else { format!("{id}#{round}") }
}

/// The parameters of a fault, by the names of the catalogue; every parameter of the kind that has a default is present.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(pub BTreeMap<&'static str, ParamValue>);

/// The value of a fault's parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// A span of time.
    Duration(Duration),
    /// A share.
    Percent(Share),
    /// A whole number: a status, a count.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Bits a second.
    Bandwidth(u64),
    /// One of the words that the catalogue allows.
    Word(&'static str),
    /// Free text.
    Text(Text),
    /// Names and values: headers.
    Pairs(Vec<(String, String)>),
    /// Spans of time, as they were recorded.
    Durations(Vec<Duration>),
    /// Names.
    Names(Vec<String>),
    /// A program and its arguments, each as it is handed over: no shell reads them. Never empty, and nothing secret.
    Command(Vec<Text>),
}

impl Params {
    /// A duration parameter, if given or defaulted.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.0.get(name) {
            Some(ParamValue::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    /// A share parameter as a fraction, if given or defaulted.
    pub fn share(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(ParamValue::Percent(value)) => Some(value.0),
            _ => None,
        }
    }

    /// A whole number, a size or a bandwidth, if given or defaulted.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(ParamValue::Number(value) | ParamValue::Size(value) | ParamValue::Bandwidth(value)) => Some(*value),
            _ => None,
        }
    }

    /// A word, if given or defaulted.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        match self.0.get(name) {
            Some(ParamValue::Word(value)) => Some(value),
            _ => None,
        }
    }

    /// A list of durations, if given.
    pub fn durations(&self, name: &str) -> Option<&[Duration]> {
        match self.0.get(name) {
            Some(ParamValue::Durations(values)) => Some(values),
            _ => None,
        }
    }

    /// Names, if given.
    pub fn names(&self, name: &str) -> Option<&[String]> {
        match self.0.get(name) {
            Some(ParamValue::Names(names)) => Some(names),
            _ => None,
        }
    }

    /// A program and its arguments, if given.
    pub fn command(&self, name: &str) -> Option<&[Text]> {
        match self.0.get(name) {
            Some(ParamValue::Command(value)) => Some(value),
            _ => None,
        }
    }

    /// The same with the late parts of texts and commands filled in.
    ///
    /// # Errors
    /// The first part that is not known, or not unique.
    pub fn filled(&self, known: &Addresses) -> Result<Self, UnknownAddress> {
        let fill = |text: &Text| text.fill(known, None).map(Text::literal);
        let filled = self.0.iter().map(|(name, value)| {
            let value = match value {
                ParamValue::Text(text) => ParamValue::Text(fill(text)?),
                ParamValue::Command(words) => ParamValue::Command(words.iter().map(fill).collect::<Result<_, _>>()?),
                other => other.clone(),
            };
            Ok((*name, value))
        });
        filled.collect::<Result<_, _>>().map(Self)
    }

    /// A text, if given or defaulted.
    pub fn text(&self, name: &str) -> Option<&Text> {
        match self.0.get(name) {
            Some(ParamValue::Text(value)) => Some(value),
            _ => None,
        }
    }
}

/// Where brunt may act and how much it may hit.
#[derive(Debug, Clone)]
pub struct Safety {
    /// Hosts (patterns with `*`) where faults may act besides this one.
    pub allow_hosts: Vec<String>,
    /// Contexts of the kubeconfig (patterns) where faults may act; `None`: none is named.
    pub allow_contexts: Option<Vec<String>>,
    /// Namespaces of clusters (patterns) where faults may act; `None`: none is named.
    pub allow_namespaces: Option<Vec<String>>,
    /// The agent removes a fault if the runner is silent for this long; at least 1 s.
    pub lease: Duration,
}

/// `abort_if:` a limit that stops the run, with everything undone, when it is broken for long enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Guardrail {
    /// Its metric's name unless given; unique.
    pub id: String,
    /// What is measured.
    pub metric: Metric,
    /// Over which requests.
    pub scope: Scope,
    /// What must hold: `above` is at most, `below` is at least.
    pub bound: Bound,
    /// The sliding span.
    pub over: Duration,
    /// Broken at every look for this long; zero: the first look that finds it broken stops the run.
    pub lasts: Duration,
    /// Line in the scenario file; `None` where the scenario is no file.
    pub line: Option<usize>,
}

/// What CI judges.
#[derive(Debug, Clone)]
pub struct Gate {
    /// `<metric>@<window>` unless given.
    pub id: String,
    /// What is measured.
    pub metric: Metric,
    /// Over which requests.
    pub scope: Scope,
    /// In which window.
    pub window: WindowName,
    /// What must hold.
    pub limit: Limit,
    /// What too few samples mean.
    pub if_inconclusive: IfInconclusive,
    /// Line of the gate in the scenario file; `None` for the default gate and for gates from the command line.
    pub line: Option<usize>,
}

/// The limit of a gate, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A fixed bound.
    Absolute(Bound),
    /// At most the larger of `factor` x the baseline window's value and `floor`.
    MaxOfBaseline {
        /// Multiplies the baseline's value.
        factor: f64,
        /// The limit is never below it.
        floor: Option<f64>,
    },
    /// At least the smaller of `factor` x the baseline window's value and `floor`.
    MinOfBaseline {
        /// Multiplies the baseline's value.
        factor: f64,
        /// The limit is never above it.
        floor: Option<f64>,
    },
}

/// What too few samples mean for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfInconclusive {
    /// Exit 5.
    #[default]
    Fail,
    /// Said, not judged.
    Warn,
    /// Counts as passed.
    Pass,
}

/// Which files a run writes.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// `outputs.dir`, if given.
    pub dir: Option<PathBuf>,
    /// report.html
    pub html: bool,
    /// results.json
    pub json: bool,
    /// junit.xml
    pub junit: bool,
}
