//! What a screen may ask while the run goes on.

pub mod axis;
mod gates;
pub mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use brunt_scenario::metric::Metric;
use brunt_scenario::plan::{Guardrail, Plan};
use brunt_scenario::units::Offset;

use super::Recorder;
use super::slo::{State, keeps};
use crate::sample::ErrorClass;
use crate::stats::quantile::of_counts;

/// The short span of a snapshot: 5 s, nanoseconds.
const RECENT: u64 = 5_000_000_000;

/// A snapshot of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// When it was taken.
    pub at: Offset,
    /// The last five seconds, or since the start. Warm-up counts here.
    pub recent: LiveSpan,
    /// Everything since warm-up.
    pub total: LiveSpan,
    /// Failed requests by class, since warm-up.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Requests that are open.
    pub open: u64,
    /// Most iterations open at once.
    pub in_flight_max: u64,
    /// Worker handled the arrival minus the intended start, 99th percentile since warm-up, milliseconds.
    pub send_lag_p99_ms: Option<f64>,
    /// Arrivals above `max_in_flight`, warm-up included.
    pub dropped: u64,
}

/// The numbers of one span. Percentiles of the recent span have two digits, those of the total three.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveSpan {
    /// Its length in seconds.
    pub length_s: f64,
    /// Requests that should have started in it.
    pub offered: u64,
    /// Requests that ended in it.
    pub completed: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Median, milliseconds.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Largest.
    pub max_ms: Option<f64>,
}

impl LiveSpan {
    /// Requests that should have started, a second.
    pub fn offered_per_s(&self) -> f64 {
        per_second(self.offered, self.length_s)
    }

    /// Requests that ended, a second.
    pub fn completed_per_s(&self) -> f64 {
        per_second(self.completed, self.length_s)
    }

    /// Failed requests of all that should have started and have ended; `None` without requests.
    pub fn error_rate(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.errors as f64 / self.offered as f64)
    }

    fn percentiles(&mut self, ascending: &[(u64, u64)]) {
        let n = ascending.iter().map(|(_, count)| count).sum();
        let at = |q| of_counts(ascending.iter().copied(), n, q).map(|us| us as f64 / 1e3);
        (self.p50_ms, self.p90_ms, self.p99_ms, self.max_ms) = (at(0.5), at(0.9), at(0.99), at(1.0));
    }
}

fn per_second(count: u64, length_s: f64) -> f64 {
    if length_s > 0.0 { count as f64 / length_s } else { 0.0 }
}

/// One objective at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct SloStatus {
    /// Its id.
    pub id: String,
    /// `None`: fewer than ten requests in the span, so not known, which never counts as holding.
    pub holds: Option<bool>,
    /// The value over the span, in the metric's unit; percentiles have two digits.
    pub value: Option<f64>,
    /// It belongs to the steady state.
    pub steady: bool,
}

/// One guardrail at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuardrailStatus {
    /// `None`: fewer than ten requests in the span (of `generator.cpu`: less than a span), so not known, which neither
    /// breaks a guardrail nor lets it hold.
    pub holds: Option<bool>,
    /// The value over the span, in the metric's unit; percentiles have two digits.
    pub value: Option<f64>,
}

impl Recorder {
    /// Notes the processor time that brunt has used so far, all threads together; to be called before each look.
    pub fn note_processor(&mut self, at: Offset, used: Duration, workers: usize) {
        self.processor.note(at, used, workers);
    }

    /// Every guardrail over the span that ends at `at`, in the order of the plan.
    pub fn guardrail_status(&self, plan: &Plan, at: Offset) -> Vec<GuardrailStatus> {
        let status = |(index, guard): (usize, &Guardrail)| {
            if guard.metric == Metric::GeneratorCpu {
                let value = self.processor.over(guard.over);
                return GuardrailStatus { holds: value.map(|value| keeps(guard.bound, value)), value };
            }
            let judged = self.guardrails.status(index, at, &self.newest);
            GuardrailStatus { holds: judged.state.holds(), value: judged.value }
        };
        plan.guardrails.iter().enumerate().map(status).collect()
    }

    /// Every objective over the span that ends at `at`, in the order of the plan.
    pub fn slo_status(&self, plan: &Plan, at: Offset) -> Vec<SloStatus> {
        (0..self.objectives.count().min(plan.slos.len()))
            .map(|index| {
                let slo = &plan.slos[index];
                let judged = self.objectives.status(index, at, &self.newest);
                SloStatus {
                    id: slo.id.clone(),
                    holds: judged.state.holds(),
                    value: judged.value,
                    steady: self.objectives.steady.contains(&index),
                }
            })
            .collect()
    }

    /// Whether every objective of the steady state holds over the span that ends at `at`. A steady state of probes alone
    /// has no objective that could be broken.
    pub fn steady(&self, at: Offset) -> bool {
        self.objectives
            .steady
            .iter()
            .all(|index| self.objectives.status(*index, at, &self.newest).state == State::Holds)
    }

    /// The earliest instant on the grid of 50 ms, not before `since`, such that every objective of the steady state holds
    /// over the span that begins there and ends by `at`. `None` while there is none, and when there is no objective.
    pub fn earliest_hold_since(&self, since: Offset, at: Offset) -> Option<Offset> {
        self.objectives.earliest_hold_since(since, at, &self.newest)
    }

    /// A snapshot for a screen.
    pub fn live(&self, at: Offset) -> Live {
        Live {
            at,
            recent: self.recent(at),
            total: self.total(at),
            errors: self.errors.by_class(),
            open: self.newest.iter().map(|worker| worker.open.len() as u64).sum(),
            in_flight_max: self.watch.in_flight_max,
            send_lag_p99_ms: self.watch.lag_data().p99,
            dropped: self.watch.dropped,
        }
    }

    fn recent(&self, at: Offset) -> LiveSpan {
        self.recent_of(at, 0..self.series.len())
    }

    fn total(&self, at: Offset) -> LiveSpan {
        let mut span = LiveSpan {
            length_s: self.first_judged.map_or(0.0, |from| at.since(from).as_secs_f64()),
            ..LiveSpan::default()
        };
        let mut latency = super::cells::three_digits();
        for cell in self.run_cells() {
            span.offered += cell.offered;
            span.completed += cell.completed;
            span.errors += cell.errors;
            super::cells::add(&mut latency, &cell.latency);
        }
        let counts = latency.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
        span.percentiles(&counts.collect::<Vec<_>>());
        span
    }
}
