//! What gates would compare if the run ended now. A value "so far" is no verdict: a window that has not ended, an interval and
//! everything that makes a gate inconclusive are judged once, at the end.

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Gate, Limit};

use super::is_max;
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
    // The baseline is still going on where a gate is about it: a limit made of half of it would move.
    let moves = gate.window == WindowName::Baseline && !matches!(gate.limit, Limit::Absolute(_));
    let limit = if moves { None } else { super::demand(measured, gate).ok().map(|demand| demand.limit) };
    let holds = actual.zip(limit).map(|(actual, limit)| super::holds(gate, actual, limit));
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
