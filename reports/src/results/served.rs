//! Who served the requests: whether load was spread evenly, and whether one instance was worse than its siblings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One instance, or one address, of a target that load went to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServedData {
    /// The target's name.
    pub target: String,
    /// `payments-1`; the address where instances have no name; `none reached` for requests that got no connection.
    pub instance: String,
    /// `127.0.0.1:43115`; null where there is none.
    pub address: Option<String>,
    /// By name: `run`, `baseline` and faults, as far as it served in them.
    pub windows: BTreeMap<String, ServedWindow>,
}

/// What one instance served in one window, all steps that go to its target together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServedWindow {
    /// Requests that belong to the window and ended at this instance.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// errors / requests.
    pub error_rate: f64,
    /// Median, from the intended start to the last byte; two digits.
    pub p50_ms: Option<f64>,
    /// 99th percentile; two digits.
    pub p99_ms: Option<f64>,
    /// Largest; two digits.
    pub max_ms: Option<f64>,
}
