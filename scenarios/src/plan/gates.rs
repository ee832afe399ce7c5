//! What stops a run, and what it is judged by.

use std::time::Duration;

use super::{Bound, Scope};
use crate::metric::{Metric, WindowName};

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
