//! The part of results.json that is made for `jq`: the verdict and one number a question.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorData, FaultData, Finding, GateData, GuardrailData, Health, StepData, WindowData};

/// The part for machines that want one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// pass, fail, invalid, inconclusive or aborted.
    pub verdict: Verdict,
    /// The verdict in words.
    pub sentence: String,
    /// As the process exits.
    pub exit_code: u8,
    /// The scenario's name.
    pub scenario: String,
    /// Copied from the scenario.
    pub labels: BTreeMap<String, String>,
    /// Digest of the scenario.
    pub scenario_sha256: String,
    /// Digest of arrivals and fault decisions.
    pub schedule_digest: String,
    /// The seed of the run.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From run zero to the last arrival.
    pub duration_s: f64,
    /// Version of brunt.
    pub brunt_version: String,
    /// By name: all requests pooled.
    pub windows: BTreeMap<String, WindowData>,
    /// Journey, then step, then `windows`.
    pub steps: BTreeMap<String, BTreeMap<String, StepData>>,
    /// Judged, in the order of the scenario.
    pub gates: Vec<GateData>,
    /// What would have stopped the run, in the order of the scenario.
    #[serde(default)]
    pub guardrails: Vec<GuardrailData>,
    /// In the order of the timeline.
    pub faults: Vec<FaultData>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// By class and step, most frequent first.
    pub errors: Vec<ErrorData>,
    /// Whether the measurement can be trusted.
    pub health: Health,
}

/// The five verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every gate held.
    Pass,
    /// A gate failed.
    Fail,
    /// The measurement cannot be trusted, or the steady state was not met to begin with.
    Invalid,
    /// Too little data.
    Inconclusive,
    /// A guardrail or a person.
    Aborted,
}
