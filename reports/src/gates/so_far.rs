//! What gates would compare if the run ended now. A value "so far" is no verdict: a window that has not ended, an interval and
//! everything that makes a gate inconclusive are judged once, at the end.

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Bound, Gate, Limit};

use super::{EPSILON, baseline, is_max};
use crate::measured::Measured;
use crate::metric::measure;

/// One gate while the run goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSoFar {
    /// Its id.
    pub id: String,
    /// `latency.p99`.
    pub metric: String,
    /// `fault:slow-payment`.
    pub window: String,
    /// Its window has begun.
    pub began: bool,
    /// The value over its window so far, if there are enough samples for one.
    pub actual: Option<f64>,
    /// The limit; `None` while it hangs on a baseline that has no value.
    pub limit: Option<f64>,
    /// It is an upper limit.
    pub is_max: bool,
    /// ms, s, fraction, count or per_s.
    pub unit: &'static str,
    /// How the two compare; `None` without both.
    pub holds: Option<bool>,
}

/// Compares one gate by what is measured so far. Recoveries are measured at the end only.
pub fn compare(measured: &Measured, gate: &Gate) -> GateSoFar {
    let value = measure(measured, gate.metric, &gate.scope, &gate.window);
    let actual = value.and_then(|value| value.value.filter(|_| value.enough));
    let of_baseline = |factor, floor, pick| baseline::demand(measured, gate, factor, floor, pick, "");
    let limit = match gate.limit {
        Limit::Absolute(Bound::Max(limit) | Bound::Min(limit)) => Some(limit),
        // The baseline is still going on: a limit made of half of it would move.
        _ if gate.window == WindowName::Baseline => None,
        Limit::MaxOfBaseline { factor, floor } => of_baseline(factor, floor, f64::max).ok().map(|demand| demand.limit),
        Limit::MinOfBaseline { factor, floor } => of_baseline(factor, floor, f64::min).ok().map(|demand| demand.limit),
    };
    let tolerance = |limit: f64| EPSILON * limit.abs();
    let holds = actual.zip(limit).map(|(actual, limit)| match is_max(gate) {
        true => actual <= limit + tolerance(limit),
        false => actual >= limit - tolerance(limit),
    });
    GateSoFar {
        id: gate.id.clone(),
        metric: gate.metric.to_string(),
        window: gate.window.to_string(),
        began: measured.windows.contains_key(&gate.window),
        actual,
        limit,
        is_max: is_max(gate),
        unit: gate.metric.unit().word(),
        holds,
    }
}
