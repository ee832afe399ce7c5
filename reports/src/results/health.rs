//! Whether the generator was honest: the figures that say if the others can be trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the generator was honest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Worker handled the arrival minus the intended start; null without arrivals.
    pub send_lag_ms: LagData,
    /// Waiting for a connection.
    pub queued_ms: LagData,
    /// CPU of brunt, of one core a worker; 0 to 1.
    pub generator_cpu: f64,
    /// Most iterations open at once.
    pub in_flight_max: u64,
    /// Arrivals that the schedule asked for.
    pub scheduled: u64,
    /// Arrivals that were started.
    pub started: u64,
    /// Arrivals above `max_in_flight`.
    pub dropped: u64,
    /// Nothing below makes it untrustworthy.
    pub valid: bool,
    /// Why not, each with the cure.
    pub reasons: Vec<String>,
    /// Not enough to make it invalid.
    pub warnings: Vec<String>,
}

/// Three numbers of a distribution, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LagData {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}
