//! What must be true of the system: objectives, probes, the hypothesis.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Expect, Text};
use crate::metric::Metric;

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
    /// Indices into [`super::Plan::slos`].
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
