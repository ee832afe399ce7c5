//! How far the axes of the charts over time reach: for one run as far as it needs, for two runs beside each other as far as
//! either needs, so that equal heights are equal values.

use crate::render::html::slices::Slices;
use crate::render::html::{errors, latency, rate};
use crate::results::Results;

/// Ends of all axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// Where the time axis ends.
    pub end_s: f64,
    /// Lowest and highest latency; `None` without samples.
    pub latency_ms: Option<(f64, f64)>,
    /// Highest rate of requests.
    pub requests_per_s: f64,
    /// Highest rate of failed requests.
    pub errors_per_s: f64,
}

impl Scales {
    /// As far as one run needs.
    pub fn of(results: &Results, slices: &Slices) -> Self {
        Self {
            end_s: slices.end_s,
            latency_ms: latency::axis(results, slices),
            requests_per_s: rate::highest(slices),
            errors_per_s: errors::highest(slices),
        }
    }

    /// As far as both need.
    pub fn both(self, other: Self) -> Self {
        let latency_ms = match (self.latency_ms, other.latency_ms) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
        Self {
            end_s: self.end_s.max(other.end_s),
            latency_ms,
            requests_per_s: self.requests_per_s.max(other.requests_per_s),
            errors_per_s: self.errors_per_s.max(other.errors_per_s),
        }
    }
}
