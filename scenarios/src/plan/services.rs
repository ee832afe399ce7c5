//! What brunt starts, and the wires that it puts between.

use std::path::PathBuf;
use std::time::Duration;

use super::Text;

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
