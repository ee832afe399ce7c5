//! What stands in the report's tables, as text. The template only places it.

mod autoscalers;
mod errors;
mod events;
mod gates;
mod health;
mod instances;
mod nodes;
mod percentiles;
mod pods;
mod resilience;
mod steps;
mod timeline;
mod verdict;

pub use autoscalers::{AutoscalerRow, autoscalers};
pub use errors::{ErrorRow, ProbeRow, errors, probes};
pub use events::{EventRow, by_hand, events};
pub use gates::{GateRow, GuardrailRow, gates, guardrails};
pub use health::{environment, health};
pub use instances::{InstanceRow, TargetRows, heads as instance_heads, instances};
pub use nodes::{NodeRow, nodes, unseen_nodes};
pub use percentiles::{QuantileRow, WindowRow, percentile_note, quantiles, windows};
pub use pods::{PodRow, pods};
pub use resilience::{FaultRow, faults};
pub use steps::{SlowerRow, StepRow, slower, slower_heads, steps};
pub use timeline::{BinRow, HeatRow, bins, heat, heat_heads, timeline_note};
pub use verdict::{FindingRow, facts, findings, trust};

use crate::render::format;

/// The sections in order: their place in the page and their names.
pub const SECTIONS: [(&str, &str); 12] = [
    ("gates", "Gates"),
    ("timeline", "Timeline"),
    ("heatmap", "Latency heat-map"),
    ("latency", "Latency by percentile"),
    ("resilience", "Resilience"),
    ("steps", "Steps"),
    ("instances", "Instances"),
    ("errors", "Errors"),
    ("health", "Measurement health"),
    ("environment", "Environment and how to repeat"),
    ("events", "Event log"),
    ("glossary", "Glossary"),
];

/// A label and a value.
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// How it is.
    pub value: String,
    /// It is not as it should be.
    pub bad: bool,
}

fn dash() -> String {
    format::NONE.to_owned()
}

/// When something came to be so, on the run's clock; `None`: it was so already.
fn since(at_s: Option<f64>) -> String {
    at_s.map_or_else(|| "before the run".to_owned(), |at| format!("{at:.3} s"))
}

fn fact(label: &'static str, value: String, bad: bool) -> Fact {
    Fact { label, value, bad }
}
