//! Failed requests with what they looked like, and probes.

use crate::render::format;
use crate::render::html::rows::dash;
use crate::results::{ErrorData, ProbeData, Results};

/// Errors of one class at one step.
pub struct ErrorRow {
    /// The class.
    pub class: String,
    /// Journey and step.
    pub step: String,
    /// How many.
    pub count: String,
    /// From first to last.
    pub span: String,
    /// What they looked like.
    pub examples: Vec<String>,
}

/// One probe.
pub struct ProbeRow {
    /// Its id.
    pub id: String,
    /// How often it was asked.
    pub asked: String,
    /// How often it failed.
    pub failed: String,
    /// The last failure.
    pub last: String,
}

/// Errors with what they looked like.
pub fn errors(results: &Results) -> Vec<ErrorRow> {
    let row = |error: &ErrorData| ErrorRow {
        class: error.class.clone(),
        step: format!("{} / {}", error.journey, error.step),
        count: format::count(error.count),
        span: format!("{} to {}", format::seconds(error.first_s), format::seconds(error.last_s)),
        examples: error.examples.clone(),
    };
    results.summary.errors.iter().map(row).collect()
}

/// All probes.
pub fn probes(results: &Results) -> Vec<ProbeRow> {
    let row = |probe: &ProbeData| ProbeRow {
        id: probe.id.clone(),
        asked: format::count(probe.asked),
        failed: format::count(probe.failed),
        last: probe.last_failure.clone().unwrap_or_else(dash),
    };
    results.probes.iter().map(row).collect()
}
