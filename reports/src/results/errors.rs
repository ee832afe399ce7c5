//! Failed requests as the plain data of results.json: by class and step, with examples.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Errors of one class at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// `connect.refused`.
    pub class: String,
    /// The journey.
    pub journey: String,
    /// The step.
    pub step: String,
    /// How many, warm-up left out.
    pub count: u64,
    /// The first one.
    pub first_s: f64,
    /// The last one.
    pub last_s: f64,
    /// Up to three.
    pub examples: Vec<String>,
}
