//! How one objective counts and judges: the arithmetic behind `metric`, `max` and `min`.

use brunt_scenario::metric::Metric;
use brunt_scenario::plan::Bound;
use brunt_scenario::units::Offset;

use super::history::State;
use crate::sample::{Arrival, ErrorClass, Iteration, Request};
use crate::stats::quantile::rank;

/// With fewer requests in a span nothing is known.
const ENOUGH: u64 = 10;
/// Bounds are compared with this tolerance: 1 - 0.01 is 0.99.
const EPSILON: f64 = 1e-9;

/// What is counted in a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    n: u32,
    /// On the wrong side of the bound, or failed, or completed; what the metric is about.
    bad: u32,
    /// Microseconds; only means need it.
    sum: u64,
}

impl Tally {
    /// A request that came to its end here; it is counted where it was due.
    const COMPLETED: Self = Self { n: 0, bad: 1, sum: 0 };

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.n += other.n;
        self.bad += other.bad;
        self.sum += other.sum;
    }

    /// Takes away what was added before.
    pub fn remove(&mut self, other: Self) {
        self.n -= other.n;
        self.bad -= other.bad;
        self.sum -= other.sum;
    }

    /// The value of a single request, microseconds.
    pub fn micros(&self) -> Option<u64> {
        (self.n == 1).then_some(self.sum)
    }

    fn one(bad: bool, nanoseconds: u64) -> Self {
        Self { n: 1, bad: u32::from(bad), sum: nanoseconds / 1000 }
    }
}

/// One objective's metric and bound.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    metric: Metric,
    bound: Bound,
}

impl Rule {
    /// Of an objective or a guardrail of the plan.
    pub fn new(metric: Metric, bound: Bound) -> Self {
        Self { metric, bound }
    }

    /// Which quantile the metric is, if it is one.
    pub fn quantile(&self) -> Option<f64> {
        match self.metric {
            Metric::Latency(statistic) | Metric::Service(statistic) | Metric::Iteration(statistic) => {
                statistic.quantile()
            }
            Metric::SendLagP99 => Some(0.99),
            _ => None,
        }
    }

    /// A value of two digits may come out on the wrong side of the bound although the state is exact; then it is the bound.
    pub fn on_its_side(&self, state: State, value: f64) -> f64 {
        match (self.bound, state) {
            (Bound::Max(max), State::Holds) => value.min(max),
            (Bound::Min(min), State::Holds) => value.max(min),
            _ => value,
        }
    }

    /// What a request counts, and at which instants; nothing if this metric is not taken of requests.
    pub fn request(&self, request: &Request) -> [Option<(Offset, Tally)>; 2] {
        if self.metric == Metric::RateCompleted {
            // It was due at one instant and came at another: a rate that fell to nothing is known by what was due.
            return [Some((request.intended, Tally::one(false, 0))), Some((request.done, Tally::COMPLETED))];
        }
        [self.at_its_start(request).map(|tally| (request.intended, tally)), None]
    }

    fn at_its_start(&self, request: &Request) -> Option<Tally> {
        let intended = request.intended;
        let is = |class| request.error == Some(class);
        Some(match self.metric {
            Metric::Latency(_) => self.timed(request.done.0.saturating_sub(intended.0)),
            Metric::Service(_) => self.timed(request.done.0.saturating_sub(request.sent?.0)),
            Metric::ErrorRate | Metric::SuccessRate => Tally::one(request.error.is_some(), 0),
            Metric::CheckFailures => Tally::one(is(ErrorClass::Check), 0),
            Metric::Unfinished => Tally::one(is(ErrorClass::Unfinished), 0),
            Metric::Requests | Metric::RateOffered => Tally::one(false, 0),
            _ => return None,
        })
    }

    /// What a further request of a step that asks again counts, when it was sent: one of each for the rates, as in windows.
    pub fn repeat(&self) -> Option<Tally> {
        match self.metric {
            Metric::RateOffered => Some(Tally::one(false, 0)),
            Metric::RateCompleted => Some(Tally { bad: 1, ..Tally::one(false, 0) }),
            _ => None,
        }
    }

    /// What an iteration counts, at its intended start.
    pub fn iteration(&self, iteration: &Iteration) -> Option<Tally> {
        matches!(self.metric, Metric::Iteration(_)).then(|| self.timed(iteration.busy_ns))
    }

    /// What an arrival counts, at its intended start.
    pub fn arrival(&self, arrival: &Arrival) -> Option<Tally> {
        match self.metric {
            Metric::Dropped => Some(Tally::one(arrival.dropped, 0)),
            Metric::SendLagP99 => Some(self.timed(arrival.lag_ns)),
            // The schedule asked for it, though no request came of it.
            Metric::RateOffered => arrival.dropped.then(|| Tally::one(false, 0)),
            _ => None,
        }
    }

    /// What a request that is open counts: its age is its latency so far, its outcome is not known.
    pub fn open(&self, age_ns: u64) -> Option<Tally> {
        match self.metric {
            Metric::Latency(_) => Some(self.timed(age_ns)),
            Metric::Requests | Metric::RateOffered | Metric::RateCompleted => Some(Tally::one(false, 0)),
            _ => None,
        }
    }

    /// What a request that is open counts at worst, for who must be sure: whatever it can still become, it does.
    pub fn open_at_worst(&self, age_ns: u64) -> Option<Tally> {
        match self.metric {
            Metric::ErrorRate | Metric::SuccessRate | Metric::CheckFailures | Metric::Unfinished => {
                Some(Tally::one(true, age_ns))
            }
            // The shortest that it can be is known; how long it becomes is not.
            Metric::Latency(_) if matches!(self.bound, Bound::Max(_)) => Some(Tally::one(true, age_ns)),
            _ => self.open(age_ns),
        }
    }

    /// What a tally over `buckets` buckets means, and its value where one follows from it.
    pub fn judge(&self, tally: Tally, buckets: u64) -> (State, Option<f64>) {
        let n = u64::from(tally.n);
        let completed = if self.metric == Metric::RateCompleted { u64::from(tally.bad) } else { 0 };
        if n.max(completed) < ENOUGH {
            return (State::Unknown, None);
        }
        if let Some(q) = self.quantile() {
            return (State::of(self.quantile_holds(q, n, u64::from(tally.bad))), None);
        }
        let (n_f, bad) = (f64::from(tally.n), f64::from(tally.bad));
        let value = match self.metric {
            // The mean: of the others the quantile was taken.
            Metric::Latency(_) | Metric::Service(_) | Metric::Iteration(_) => tally.sum as f64 / n_f / 1e3,
            Metric::ErrorRate => bad / n_f,
            Metric::SuccessRate => 1.0 - bad / n_f,
            Metric::CheckFailures | Metric::Dropped | Metric::Unfinished => bad,
            Metric::Requests => n_f,
            Metric::RateOffered => n_f / seconds(buckets),
            Metric::RateCompleted => bad / seconds(buckets),
            // Not taken of a sliding span; validation refuses them.
            Metric::RecoveryTime
            | Metric::DegradedFor
            | Metric::TimeToDetect
            | Metric::GeneratorCpu
            | Metric::SendLagP99 => {
                return (State::Unknown, None);
            }
        };
        (State::of(keeps(self.bound, value)), Some(value))
    }

    /// Whether the nearest-rank percentile keeps the bound, from the count of values on the wrong side of it.
    fn quantile_holds(&self, q: f64, n: u64, bad: u64) -> bool {
        match self.bound {
            Bound::Max(_) => n - bad >= rank(q, n),
            Bound::Min(_) => bad < rank(q, n),
        }
    }

    fn timed(&self, nanoseconds: u64) -> Tally {
        let bad = match self.bound {
            Bound::Max(max) => nanoseconds as f64 > max * 1e6,
            Bound::Min(min) => (nanoseconds as f64) < min * 1e6,
        };
        Tally::one(bad, nanoseconds)
    }
}

/// Whether a value keeps a bound.
pub fn keeps(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::Max(max) => value <= max + EPSILON,
        Bound::Min(min) => value >= min - EPSILON,
    }
}

fn seconds(buckets: u64) -> f64 {
    buckets as f64 * super::GRID as f64 / 1e9
}

impl State {
    fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }
}
