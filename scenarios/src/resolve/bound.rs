//! Bounds: a value in the unit of the metric that it stands beside.

use std::time::Duration;

use crate::decode::Decode;
use crate::diagnostic::Problems;
use crate::metric::{Metric, Unit};
use crate::units::{Rate, Share};
use crate::yaml::Node;

/// Reads a bound as a number in the metric's unit (see [`Metric::unit`]); tells when it has another one.
pub(crate) fn read(metric: Metric, node: &Node, problems: &mut Problems) -> Option<f64> {
    match metric.unit() {
        Unit::Milliseconds => Duration::decode(node, problems).map(|span| span.as_secs_f64() * 1e3),
        Unit::Seconds => Duration::decode(node, problems).map(|span| span.as_secs_f64()),
        Unit::Fraction => Share::decode(node, problems).map(|share| share.0),
        Unit::Count => u64::decode(node, problems).map(|count| count as f64),
        Unit::PerSecond => Rate::decode(node, problems).map(|rate| rate.0),
    }
}
