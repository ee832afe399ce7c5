//! Every metric's value over any window and scope: one table, so that gates, objectives' bounds and reports never disagree.

use brunt_scenario::metric::{Metric, Statistic, WindowName};
use brunt_scenario::plan::Scope;
use hdrhistogram::Histogram;

use crate::measured::{Measured, Window};
use crate::resilience::Recovery;
use crate::results::{millis_of_micros, rounded_seconds};
use crate::sample::Series;
use crate::stats::quantile::{beyond, of_histogram};

/// A percentile with fewer samples beyond it, or a mean or maximum of fewer samples, is a matter of luck.
pub const ENOUGH: u64 = 10;

/// A metric's value over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// In the metric's unit; `None` without samples, and for a recovery that did not come.
    pub value: Option<f64>,
    /// How many samples stand behind it.
    pub samples: u64,
    /// Whether these are enough to judge it.
    pub enough: bool,
    /// How many would be, where that is not "some".
    pub needed: Option<u64>,
}

impl Value {
    /// A value that any sample is enough for.
    fn of_some(value: f64, samples: u64) -> Self {
        Self { value: (samples > 0).then_some(value), samples, enough: samples > 0, needed: None }
    }

    fn of_seconds(value: Option<f64>, samples: u64) -> Self {
        Self { value, samples, enough: samples > 0, needed: None }
    }
}

/// The series that a scope means, by index.
pub fn series_in(series: &[Series], scope: &Scope) -> Vec<usize> {
    let wanted = |name: &Option<String>, is: &str| name.as_deref().is_none_or(|wanted| wanted == is);
    let matches = |one: &Series| wanted(&scope.journey, &one.journey) && wanted(&scope.step, &one.step);
    (0..series.len()).filter(|index| matches(&series[*index])).collect()
}

/// The value of a metric; `None` if there is no such window.
pub fn measure(measured: &Measured, metric: Metric, scope: &Scope, name: &WindowName) -> Option<Value> {
    if metric.is_resilience() {
        return resilience(measured, metric, name);
    }
    let window = measured.windows.get(name)?;
    let pool = || window.pool(&series_in(&measured.series, scope));
    Some(match metric {
        Metric::Latency(statistic) => timed(&pool().latency, statistic),
        Metric::Service(statistic) => timed(&pool().service, statistic),
        Metric::Iteration(statistic) => timed(&measured.iterations(window, scope), statistic),
        Metric::SendLagP99 => match &window.lag {
            Some(lag) => timed(lag, Statistic::P99),
            None => Value::of_some(0.0, 0),
        },
        Metric::GeneratorCpu => Value::of_some(measured.generator_cpu, window.all().requests),
        counted => of_counts(counted, window, &pool()),
    })
}

fn of_counts(metric: Metric, window: &Window, pool: &crate::recorder::cells::Cell) -> Value {
    let share = |part: u64| if pool.requests > 0 { part as f64 / pool.requests as f64 } else { 0.0 };
    let scheduled = pool.offered + pool.dropped;
    match metric {
        Metric::ErrorRate => Value::of_some(rounded_seconds(share(pool.errors)), pool.requests),
        Metric::SuccessRate => Value::of_some(rounded_seconds(1.0 - share(pool.errors)), pool.requests),
        Metric::CheckFailures => Value::of_some(pool.checks as f64, pool.requests),
        Metric::Unfinished => Value::of_some(pool.unfinished as f64, pool.requests),
        Metric::Requests => Value::of_some(pool.requests as f64, pool.requests),
        Metric::Dropped => Value::of_some(pool.dropped as f64, scheduled),
        Metric::RateOffered => Value::of_some(window.a_second(pool.wire_offered()), scheduled),
        Metric::RateCompleted => Value::of_some(window.a_second(pool.wire_completed()), scheduled),
        // The others are not counts; `measure` has dealt with them.
        _ => Value::of_some(0.0, 0),
    }
}

/// A statistic of a histogram of microseconds, in milliseconds.
fn timed(histogram: &Histogram<u64>, statistic: Statistic) -> Value {
    let samples = histogram.len();
    match statistic.quantile() {
        Some(q) if q < 1.0 => Value {
            value: of_histogram(histogram, q).map(|us| millis_of_micros(us as f64)),
            samples,
            enough: beyond(q, samples) >= ENOUGH,
            needed: Some((ENOUGH as f64 / (1.0 - q)).round() as u64),
        },
        _ => Value {
            value: statistic_of(histogram, statistic),
            samples,
            enough: samples >= ENOUGH,
            needed: Some(ENOUGH),
        },
    }
}

/// A statistic of a histogram of microseconds in milliseconds; `None` without samples.
pub fn statistic_of(histogram: &Histogram<u64>, statistic: Statistic) -> Option<f64> {
    match statistic.quantile() {
        Some(q) => of_histogram(histogram, q).map(|us| millis_of_micros(us as f64)),
        None => (!histogram.is_empty()).then(|| millis_of_micros(histogram.mean())),
    }
}

fn resilience(measured: &Measured, metric: Metric, name: &WindowName) -> Option<Value> {
    let WindowName::Fault(id) = name else { return None };
    let of = measured.resilience.get(id)?;
    let requests = |name: &WindowName| measured.windows.get(name).map_or(0, |window| window.all().requests);
    let samples = requests(name) + requests(&WindowName::Recovery(id.clone()));
    Some(match metric {
        Metric::DegradedFor => Value::of_seconds(of.degraded_for_s, samples),
        Metric::TimeToDetect => Value::of_seconds(of.time_to_detect_s, samples),
        _ => match of.recovery {
            Recovery::After(seconds) => Value::of_seconds(Some(seconds), samples),
            Recovery::NotWithin(_) | Recovery::NotMeasured(_) => Value::of_seconds(None, samples),
        },
    })
}
