//! results.json: the whole of a run as plain, versioned data. Every rendering is a pure function of it.
//!
//! Units stand in the names: `_s` seconds, `_ms` milliseconds, rates a second, `error_rate` a fraction from 0 to 1. A window
//! with no samples has `null` percentiles, never 0.

pub(crate) mod autoscalers;
mod crew;
mod environment;
mod errors;
pub(crate) mod faults;
mod findings;
mod gates;
pub(crate) mod guardrails;
mod health;
mod layout;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod plan_words;
pub(crate) mod pods;
mod schema;
mod series;
mod served;
mod summary;
mod timeline;
pub(crate) mod windows;

use std::time::Duration;

use brunt_scenario::units::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use autoscalers::{AutoscalerData, ConditionData, DecisionData};
pub use crew::{CrewData, WorkerData};
pub use environment::Environment;
pub use errors::ErrorData;
pub use faults::{FaultData, RoundData};
pub use findings::{Finding, InstanceData, Severity};
pub use gates::{GateData, GateVerdict};
pub use guardrails::{GuardrailData, GuardrailOutcome};
pub use health::{Health, LagData};
pub use nodes::{NodeData, TroubleData};
pub use operator::{OperatorData, OperatorKind};
pub use plan_words::PlanData;
pub use pods::{PodData, RestartData};
pub use schema::schema;
pub use series::{SeriesData, SliceData};
pub use served::{ServedData, ServedWindow};
pub use summary::{Summary, Verdict};
pub use timeline::{Event, LoadChangeData, ProbeData, SloData, SpanData};
pub use windows::{LatencyData, StepData, WindowData};

/// The schema's name, in the field `schema`.
pub const SCHEMA: &str = "brunt.results/1";

/// A results.json cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not the JSON of a run.
    #[error("not a results.json")]
    NotResults(#[source] serde_json::Error),
    /// Something is missing or of another type.
    #[error("not a whole {SCHEMA}")]
    NotWhole(#[source] serde_json::Error),
    /// Written by another version of brunt.
    #[error("this is `{0}`, and this version reads {SCHEMA}")]
    OtherVersion(String),
}

/// Reads results.json. The schema is looked at first, so that a file of another version is called that, and not broken.
pub fn read(text: &str) -> Result<Results, ReadError> {
    #[derive(Deserialize)]
    struct Marked {
        schema: String,
    }
    let marked: Marked = serde_json::from_str(text).map_err(ReadError::NotResults)?;
    if marked.schema != SCHEMA {
        return Err(ReadError::OtherVersion(marked.schema));
    }
    serde_json::from_str(text).map_err(ReadError::NotWhole)
}

/// Writes results.json, a line break at its end. The same results give the same bytes.
pub fn write(results: &Results) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, layout::Layout::default());
    results
        .serialize(&mut serializer)
        .expect("plain data whose keys are strings has a JSON form, and a vector takes it");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// An instant in seconds, to the microsecond: how every `_s` is written.
pub fn seconds(at: Offset) -> f64 {
    rounded_seconds(at.as_secs_f64())
}

/// A span in seconds, to the microsecond.
pub fn seconds_of(span: Duration) -> f64 {
    rounded_seconds(span.as_secs_f64())
}

/// Seconds, a rate or a fraction, to six places.
pub fn rounded_seconds(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Microseconds in milliseconds, to the microsecond: how every `_ms` is written.
pub fn millis_of_micros(micros: f64) -> f64 {
    micros.round() / 1e3
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// Small, made for `jq`.
    pub summary: Summary,
    /// Histograms and slices: what the charts are drawn from.
    pub series: Vec<SeriesData>,
    /// Who served the requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<ServedData>,
    /// Spans of all windows, `recovery:<id>` included, for fault bands.
    pub spans: Vec<SpanData>,
    /// The objectives and where they were broken.
    pub slos: Vec<SloData>,
    /// Load changes of the timeline, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_changes: Vec<LoadChangeData>,
    /// What a person did by hand, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator: Vec<OperatorData>,
    /// What happened, in order of time.
    pub events: Vec<Event>,
    /// Probes.
    pub probes: Vec<ProbeData>,
    /// Pods of the targets, in the order in which they were first seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodData>,
    /// Nodes that carried those pods, in the order in which they were first heard of. Empty where there are none, and where
    /// they could not be seen, which the event `nodes.unknown` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeData>,
    /// Autoscalers of what those pods belong to; empty as `nodes` may be, and the event is `autoscalers.unknown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub autoscalers: Vec<AutoscalerData>,
    /// The workers, if the load came from pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crew: Option<CrewData>,
    /// What was asked for.
    pub plan: PlanData,
    /// Where it ran.
    pub environment: Environment,
}
