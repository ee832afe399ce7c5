//! What happened when: spans of windows, objectives and where they broke, load changes, events, probes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One span of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpanData {
    /// The window.
    pub window: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
}

/// A load entry that got another level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadChangeData {
    /// From then on.
    pub at_s: f64,
    /// The load entry.
    pub load: String,
    /// So many times what its stages say.
    pub factor: f64,
}

/// An objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SloData {
    /// Its id.
    pub id: String,
    /// `latency.p95`.
    pub metric: String,
    /// Only this journey.
    pub journey: Option<String>,
    /// Only this step.
    pub step: Option<String>,
    /// `max` or `min`.
    pub bound: String,
    /// The bound.
    pub limit: f64,
    /// ms, fraction, ...
    pub unit: String,
    /// The sliding span.
    pub over_s: f64,
    /// Spans during which it did not hold: starts of broken spans, [first, last].
    pub broken: Vec<[f64; 2]>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When.
    pub at_s: f64,
    /// `run.started`, `service.ready`, `fault.injecting`, `fault.active`, `fault.verified`, `fault.removing`,
    /// `fault.removed`, `load.changed`, `baseline.started`, `recover.started`, `recover.ended`, `slo.broken`, `slo.holds`,
    /// `service.exited` (by itself), `service.killed` (by a fault), `service.started`, `probe.failed`, `guardrail.broken`, `guardrail.holds`,
    /// `guardrail.tripped`, `operator.hold`, `operator.resume`, `operator.removes`, `operator.injects`, `operator.note`,
    /// `operator.refused`, `pod.created`, `pod.ready`, `pod.unready`, `pod.serving`, `pod.left` (no Service sends to it), `pod.ending`,
    /// `pod.gone`, `pod.restarted`, `pods.unknown`, `pods.known`, `signal`, `run.ended`.
    pub kind: String,
    /// The fault, service, SLO or probe.
    pub subject: String,
    /// A sentence.
    pub text: String,
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeData {
    /// Its id.
    pub id: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often it failed.
    pub failed: u64,
    /// The last failure.
    pub last_failure: Option<String>,
}
