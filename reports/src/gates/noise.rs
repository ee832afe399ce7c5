//! How sure a gate's value is: its 95 % interval, from the slices of its window.
//!
//! Slices go by intended start and the windows of faults by overlap, so at the edges of a fault the two differ by a few
//! requests; and slices have two digits. An interval bears that.

use brunt_scenario::metric::{Metric, WindowName};
use brunt_scenario::plan::{Gate, Limit};

use super::Demand;
use crate::measured::Measured;
use crate::metric::{Value, measure, series_in};
use crate::recorder::slices::Slice;
use crate::results::{millis_of_micros, rounded_seconds};
use crate::stats::bootstrap::{Estimate, Stretch, interval, ratio_interval};
use crate::stats::interval::{overdispersion, wilson};

/// The smallest block, nanoseconds: one second.
const BLOCK: u64 = 1_000_000_000;

/// The 95 % interval of a gate's value. Against a baseline whose value rules the limit: that of the ratio of the two
/// windows, times the baseline's value, because the baseline is as uncertain. `None` when the window is too short to tell,
/// or the metric has none.
pub fn interval_of(measured: &Measured, gate: &Gate, value: Value, demand: Option<&Demand>) -> Option<[f64; 2]> {
    match gate.metric {
        Metric::ErrorRate => share(measured, gate, value),
        Metric::SuccessRate => {
            let failed = Value { value: value.value.map(|share| 1.0 - share), ..value };
            share(measured, gate, failed).map(|[low, high]| [rounded_seconds(1.0 - high), rounded_seconds(1.0 - low)])
        }
        Metric::Latency(statistic) => {
            let estimate = match statistic.quantile() {
                Some(q) if q < 1.0 => Estimate::Quantile(q),
                // Resampling says nothing about a maximum.
                Some(_) => return None,
                None => Estimate::Mean,
            };
            latency(measured, gate, estimate, demand)
        }
        _ => None,
    }
}

fn latency(measured: &Measured, gate: &Gate, estimate: Estimate, demand: Option<&Demand>) -> Option<[f64; 2]> {
    let stretch = |window: &WindowName| {
        let slices: Vec<_> =
            pooled(measured, gate, window).iter().map(|slice| slice.latency.iter().collect()).collect();
        Stretch::new(&slices, usize::try_from(BLOCK.div_ceil(measured.slices.width())).ok()?)
    };
    let of = stretch(&gate.window)?;
    let base = measure(measured, gate.metric, &gate.scope, &WindowName::Baseline).and_then(|value| value.value);
    let ruling = base.zip(demand).filter(|(base, demand)| is_ruled_by_baseline(gate, demand, *base));
    if let Some((base, _)) = ruling {
        let [low, high] = ratio_interval(&of, &stretch(&WindowName::Baseline)?, estimate, measured.seed)?;
        return Some([rounded_seconds(low * base), rounded_seconds(high * base)]);
    }
    interval(&of, estimate, measured.seed).map(|ends| ends.map(millis_of_micros))
}

fn is_ruled_by_baseline(gate: &Gate, demand: &Demand, base: f64) -> bool {
    match gate.limit {
        Limit::Absolute(_) => false,
        Limit::MaxOfBaseline { factor, .. } | Limit::MinOfBaseline { factor, .. } => {
            gate.window != WindowName::Baseline && demand.limit == rounded_seconds(base * factor)
        }
    }
}

/// Wilson's interval on the number of requests that the clustered errors are worth.
fn share(measured: &Measured, gate: &Gate, value: Value) -> Option<[f64; 2]> {
    let parts: Vec<(u64, u64)> = pooled(measured, gate, &gate.window)
        .iter()
        .map(|slice| (u64::from(slice.failed()), u64::from(slice.offered)))
        .collect();
    let n = value.samples as f64 / overdispersion(&parts);
    wilson(value.value?, n).map(|ends| ends.map(rounded_seconds))
}

/// The slices that lie in a window as a whole, the series of the gate's scope together.
fn pooled(measured: &Measured, gate: &Gate, window: &WindowName) -> Vec<Slice> {
    let scope = series_in(&measured.series, &gate.scope);
    let spans = measured.windows.get(window).map(|window| window.spans.as_slice()).unwrap_or_default();
    let mut all = Vec::new();
    for (from, to) in spans {
        let numbers = measured.slices.whole(*from, *to);
        let mut pooled = vec![Slice::default(); numbers.len()];
        for series in &scope {
            for (together, slice) in pooled.iter_mut().zip(measured.slices.part(*series, numbers.clone())) {
                together.merge(slice);
            }
        }
        all.append(&mut pooled);
    }
    all
}
