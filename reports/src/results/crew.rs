//! The workers of a load that was sent from pods: who they were, what each did, and how far their clocks were apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LagData;

/// The workers of a load that was sent from a cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CrewData {
    /// The namespace of their job.
    pub namespace: String,
    /// The job.
    pub job: String,
    /// From the first worker's start to the last one's, milliseconds; null when not all of them have started.
    pub start_skew_ms: Option<f64>,
    /// Clocks of workers are known to this at most, milliseconds: half of the shortest round trip, of the worst of them. What is
    /// measured by different workers can be shifted by so much.
    pub clocks_within_ms: f64,
    /// By index.
    pub workers: Vec<WorkerData>,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkerData {
    /// Which one.
    pub index: usize,
    /// Its pod.
    pub pod: String,
    /// Where that ran.
    pub node: String,
    /// Requests outside warm-up that arrived from it.
    pub requests: u64,
    /// How late it handled arrivals; null without an open load, or when it was lost.
    pub send_lag_ms: LagData,
    /// Its processor time, of one core; 0 to 1.
    pub cpu: f64,
    /// The wall clock of its machine minus that of the machine that brunt ran on, milliseconds. Measured, and taken out of
    /// everything that it measured.
    pub clock_ahead_ms: f64,
    /// To this at most, milliseconds.
    pub within_ms: f64,
    /// Latencies outside warm-up as it counted them itself: an HDR histogram of microseconds, V2 deflate, base64. Those of all
    /// workers together are those of the run. Null when it was lost.
    pub latency: Option<String>,
    /// What became of it, if it was lost: the rest of its share is missing.
    pub lost: Option<String>,
}
