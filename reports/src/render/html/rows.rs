//! What stands in the report's tables, as text. The template only places it.

mod faults;
mod gates;
mod measured;
mod run;
mod verdict;

pub use faults::{FaultRow, faults};
pub use gates::{GateRow, GuardrailRow, gates, guardrails};
pub use measured::{
    BinRow, QuantileRow, SlowerRow, WindowRow, bins, percentile_note, quantiles, slower, slower_heads, steps,
    timeline_note, windows,
};
pub use run::{ErrorRow, EventRow, ProbeRow, environment, errors, events, health, probes};
pub use verdict::{FindingRow, facts, findings, trust};

use crate::render::format;

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

fn fact(label: &'static str, value: String, bad: bool) -> Fact {
    Fact { label, value, bad }
}
