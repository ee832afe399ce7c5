//! Where a run took place: what a second run has to have in common with it to be compared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Host name.
    pub host: String,
    /// `Linux 6.18.44 x86_64`.
    pub kernel: String,
    /// Model name.
    pub cpu: String,
    /// Logical processors.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// TCP congestion control.
    pub congestion_control: String,
    /// Load workers.
    pub workers: usize,
    /// The command line, secrets masked.
    pub command: String,
    /// The commit, when a CI system names it.
    pub commit: Option<String>,
}
