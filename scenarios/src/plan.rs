//! What will happen: every default filled in, every reference resolved, every unit a type.
//!
//! `resolve` produces a [`Plan`] from a valid scenario; the runner, the injector and the report consume it and never look at
//! YAML again. Only what exists when the run starts (ports, addresses) is still open: it stands as a [`Piece`] in a [`Text`].

mod feeders;
mod gates;
mod journeys;
mod load;
mod params;
mod pods;
mod sending;
mod services;
mod slos;
mod targets;
mod text;
mod timeline;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use feeders::{Feeder, Rows, Strategy, Table, VALUE_COLUMN};
pub use gates::{Gate, Guardrail, IfInconclusive, Limit};
pub use journeys::{Body, Check, Extract, ExtractFrom, Journey, Json, Method, Request, Step};
pub use load::{Connections, Load, Model, Portion, RetryUntil, Reuse, Stage};
pub use params::{ParamValue, Params};
pub use pods::{Expect, Owner, OwnerKind, PodMatch};
pub use sending::Sending;
pub use services::{Link, LinkTo, Ready, Service};
pub use slos::{Before, Bound, Probe, ProbeKind, Scope, Slo, SteadyState};
pub use targets::{DockerMatch, ProcessMatch, Target};
pub use text::{Addresses, Piece, Text, UnknownAddress};
pub use timeline::{Delayed, Fault, Item, LOAD_CHANGE, LoadChange, Repeat, round_id};

use crate::matrix::Cell;
use crate::source::Span;

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
