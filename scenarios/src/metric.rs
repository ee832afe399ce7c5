//! The names of metrics and windows: one table for parser, gates, SLOs, documentation and results.

mod about;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A statistic of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// 50th percentile.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P99_9,
    /// Arithmetic mean.
    Mean,
    /// Largest value.
    Max,
}

impl Statistic {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 7] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::P99_9, Self::Mean, Self::Max];

    /// The quantile from 0 to 1, or `None` for the mean (the maximum is 1).
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P99_9 => Some(0.999),
            Self::Max => Some(1.0),
            Self::Mean => None,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P99_9 => "p99_9",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }
}

/// What can be measured and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// From the intended start to the last byte; every outcome counts.
    Latency(Statistic),
    /// From the first write to the last byte.
    Service(Statistic),
    /// The whole journey without think time.
    Iteration(Statistic),
    /// Failed requests of all requests.
    ErrorRate,
    /// 1 - error rate.
    SuccessRate,
    /// Requests that failed a check.
    CheckFailures,
    /// Arrivals above `max_in_flight`.
    Dropped,
    /// Requests that were open when the drain ended.
    Unfinished,
    /// Requests.
    Requests,
    /// Requests that the schedule asked for, a second.
    RateOffered,
    /// Requests that ended, a second.
    RateCompleted,
    /// From removal until the steady state held again.
    RecoveryTime,
    /// From the first to the last broken span.
    DegradedFor,
    /// From injection to the first sign of trouble.
    TimeToDetect,
    /// CPU of brunt itself, of one core a worker.
    GeneratorCpu,
    /// Worker handled the arrival minus the intended start, 99th percentile.
    SendLagP99,
}

/// The unit in which a metric's value, bounds and limits are kept and printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A fraction from 0 to 1, shown as percent.
    Fraction,
    /// A whole number.
    Count,
    /// Events a second.
    PerSecond,
}

impl Unit {
    /// As it stands in results.json.
    pub fn word(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Fraction => "fraction",
            Self::Count => "count",
            Self::PerSecond => "per_s",
        }
    }
}

impl Metric {
    /// Every metric, in the order of the documentation.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for family in [Self::Latency, Self::Service, Self::Iteration] {
            all.extend(Statistic::ALL.map(family));
        }
        all.extend([
            Self::ErrorRate,
            Self::SuccessRate,
            Self::CheckFailures,
            Self::Dropped,
            Self::Unfinished,
            Self::Requests,
            Self::RateOffered,
            Self::RateCompleted,
            Self::RecoveryTime,
            Self::DegradedFor,
            Self::TimeToDetect,
            Self::GeneratorCpu,
            Self::SendLagP99,
        ]);
        all
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Latency(_) | Self::Service(_) | Self::Iteration(_) | Self::SendLagP99 => Unit::Milliseconds,
            Self::RecoveryTime | Self::DegradedFor | Self::TimeToDetect => Unit::Seconds,
            Self::ErrorRate | Self::SuccessRate | Self::GeneratorCpu => Unit::Fraction,
            Self::CheckFailures | Self::Dropped | Self::Unfinished | Self::Requests => Unit::Count,
            Self::RateOffered | Self::RateCompleted => Unit::PerSecond,
        }
    }

    /// Whether it is taken of a fault (`fault:<id>` windows only) and not of requests.
    pub fn is_resilience(self) -> bool {
        matches!(self, Self::RecoveryTime | Self::DegradedFor | Self::TimeToDetect)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(s) => write!(f, "latency.{}", s.word()),
            Self::Service(s) => write!(f, "service.{}", s.word()),
            Self::Iteration(s) => write!(f, "iteration.{}", s.word()),
            Self::ErrorRate => f.write_str("error_rate"),
            Self::SuccessRate => f.write_str("success_rate"),
            Self::CheckFailures => f.write_str("check_failures"),
            Self::Dropped => f.write_str("dropped"),
            Self::Unfinished => f.write_str("unfinished"),
            Self::Requests => f.write_str("requests"),
            Self::RateOffered => f.write_str("rate.offered"),
            Self::RateCompleted => f.write_str("rate.completed"),
            Self::RecoveryTime => f.write_str("recovery_time"),
            Self::DegradedFor => f.write_str("degraded_for"),
            Self::TimeToDetect => f.write_str("time_to_detect"),
            Self::GeneratorCpu => f.write_str("generator.cpu"),
            Self::SendLagP99 => f.write_str("send_lag.p99"),
        }
    }
}

/// No metric has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no metric is called `{0}`")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().into_iter().find(|metric| metric.to_string() == text).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

/// A named span of the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WindowName {
    /// Load stages that are marked `warmup: true`.
    Warmup,
    /// All `baseline:` items.
    Baseline,
    /// From just before the first change until just after the last undo.
    Fault(String),
    /// From removal until recovered, or `within`.
    Recovery(String),
    /// All but warm-up.
    Run,
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warmup => f.write_str("warmup"),
            Self::Baseline => f.write_str("baseline"),
            Self::Fault(id) => write!(f, "fault:{id}"),
            Self::Recovery(id) => write!(f, "recovery:{id}"),
            Self::Run => f.write_str("run"),
        }
    }
}

/// No window has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no window is called `{0}`: warmup, baseline, fault:<id>, recovery:<id> or run")]
pub struct UnknownWindow(pub String);

impl FromStr for WindowName {
    type Err = UnknownWindow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("fault", id)) if !id.is_empty() => Ok(Self::Fault(id.to_owned())),
            Some(("recovery", id)) if !id.is_empty() => Ok(Self::Recovery(id.to_owned())),
            _ => match text {
                "warmup" => Ok(Self::Warmup),
                "baseline" => Ok(Self::Baseline),
                "run" => Ok(Self::Run),
                _ => Err(UnknownWindow(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for WindowName {
    type Error = UnknownWindow;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WindowName> for String {
    fn from(name: WindowName) -> Self {
        name.to_string()
    }
}
