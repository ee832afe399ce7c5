//! What charts are drawn from: a histogram a window, and slices for the time axis.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step's measurements: histograms a window, slices for the time axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesData {
    /// The journey.
    pub journey: String,
    /// The step.
    pub step: String,
    /// Window name to the latency histogram in microseconds, HdrHistogram V2 deflate, base64.
    pub histograms: BTreeMap<String, String>,
    /// Width of all slices, seconds.
    pub slice_s: f64,
    /// Sparse: only slices with requests or arrivals, in order.
    pub slices: Vec<SliceData>,
}

/// One span of the time axis, by intended start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SliceData {
    /// Its beginning.
    pub at_s: f64,
    /// Requests whose intended start lies in it.
    pub offered: u64,
    /// Requests that ended in it.
    pub completed: u64,
    /// Failed requests by class, by intended start.
    pub errors: BTreeMap<String, u64>,
    /// Latencies of the requests whose intended start lies in it: pairs of (microseconds, count), ascending, at two digits
    /// (the histograms of the windows have three).
    pub latency_us: Vec<(u64, u64)>,
}
