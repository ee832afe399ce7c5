//! Gates as the plain data of results.json: what was asked, what was measured, what it came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a gate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// It held.
    Pass,
    /// It did not.
    Fail,
    /// Too few samples, or the window cannot be trusted.
    Inconclusive,
    /// Its window was prevented by an abort or a signal.
    NotReached,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateData {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub verdict: GateVerdict,
    /// `latency.p99`.
    pub metric: String,
    /// Only this journey's requests.
    pub journey: Option<String>,
    /// Only this step's requests.
    pub step: Option<String>,
    /// `fault:slow-payment`.
    pub window: String,
    /// `max` or `min`.
    pub bound: String,
    /// Measured; null without data.
    pub actual: Option<f64>,
    /// The limit in force; null when it hangs on a baseline that has no value.
    pub limit: Option<f64>,
    /// ms, s, fraction, count or per_s.
    pub unit: String,
    /// How many samples stand behind `actual`.
    pub samples: u64,
    /// 95 % interval of `actual`, if one can be given. Against a baseline: of the ratio of both windows, times the baseline.
    pub interval: Option<[f64; 2]>,
    /// How the limit came about ("3 x baseline 48.2 ms, at least 150 ms") or why there is no verdict.
    pub note: String,
    /// Line in the scenario file.
    pub source_line: Option<usize>,
    /// What the author wants of an inconclusive gate: fail, warn or pass.
    pub if_inconclusive: String,
}
