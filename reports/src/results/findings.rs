//! What a reader of a run has to know first, and what a failed instance said last.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// error, warning or info.
    pub severity: Severity,
    /// A sentence.
    pub text: String,
    /// When, if at an instant.
    pub at_s: Option<f64>,
    /// The instance of a service that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceData>,
}

/// An instance that did not behave, and what it said last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceData {
    /// The service.
    pub service: String,
    /// Which instance, from 0.
    pub index: usize,
    /// How it ended: `exit status 7`, `killed by SIGSEGV`; null if it had not.
    pub status: Option<String>,
    /// Its log, relative to the folder of the run.
    pub log: String,
    /// At most 20 lines from the end of it, of this life only; secrets masked.
    pub last_lines: Vec<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The system or the run did something that it should not.
    Error,
    /// Worth a look.
    Warning,
    /// Good to know.
    Info,
}
