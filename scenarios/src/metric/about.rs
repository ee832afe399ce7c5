//! What each metric is, for people who ask: `brunt explain METRIC`, and hover texts of the schema.

use super::{Metric, Statistic, Unit, WindowName};

impl Metric {
    /// How it is counted.
    pub fn counts(self) -> &'static str {
        match self {
            Self::Latency(_) => {
                "from the intended start of a request to its last byte. The schedule says when the first step of an \
                 iteration should start, so waiting for a connection, or for brunt, is part of it. Every outcome counts, \
                 errors too; a request that is open when the drain ends counts with the time that it has taken so far"
            }
            Self::Service(_) => {
                "from the first byte written to the last byte read, without waiting for a connection: what the service \
                 itself took"
            }
            Self::Iteration(_) => {
                "from the intended start of a journey to the end of its last step, without think time"
            }
            Self::ErrorRate => {
                "failed requests of all requests. Failed is a status of 400 or more, a failed check, a timeout, a broken \
                 connection, or one that is open when the drain ends"
            }
            Self::SuccessRate => "requests that did not fail, of all requests: 100% less the error rate",
            Self::CheckFailures => "requests whose reply came and did not pass their `check`",
            Self::Dropped => {
                "arrivals that were not started because `max_in_flight` iterations were open. One of them makes the run \
                 invalid: the load was not the one that was asked for"
            }
            Self::Unfinished => {
                "requests that were still open when the drain (5s by default) after the last arrival ended"
            }
            Self::Requests => "requests that belong to the window",
            Self::RateOffered => "requests that the schedule asked for, a second",
            Self::RateCompleted => "requests that ended, a second, whatever their outcome",
            Self::RecoveryTime => {
                "from the removal of the fault (of a kill: from the act) to the first instant from which every objective of \
                 the steady state held over its whole span. Not recovered within `recover: { within }` fails the gate"
            }
            Self::DegradedFor => "from the first to the last span in which an objective of the steady state was broken",
            Self::TimeToDetect => {
                "from the injection to the first error, or the first request above the bound of an objective: how soon a \
                 user notices"
            }
            Self::GeneratorCpu => {
                "CPU of brunt itself, where 100% is one core for each worker. Near it, brunt was the bottleneck"
            }
            Self::SendLagP99 => {
                "how late brunt itself was: from the intended start to the instant at which a worker turned to it, 99th \
                 percentile"
            }
        }
    }

    /// Over what it is taken.
    pub fn scope(self) -> &'static str {
        match self {
            Self::RecoveryTime | Self::DegradedFor | Self::TimeToDetect => {
                "one fault: needs `window: fault:<id>`, and a `steady_state`"
            }
            Self::GeneratorCpu | Self::SendLagP99 => {
                "brunt itself, over the whole run; takes no `journey` and no `step`"
            }
            Self::Iteration(_) | Self::Dropped => "whole journeys: all, or one by `journey`; takes no `step`",
            _ => "all requests of the window, those of one `journey`, or those of one `step`",
        }
    }

    /// What its statistic is; empty for what has none.
    pub fn statistic_in_words(self) -> &'static str {
        let (Self::Latency(statistic) | Self::Service(statistic) | Self::Iteration(statistic)) = self else {
            return "";
        };
        match statistic {
            Statistic::P50 => "the median: half of them took no longer",
            Statistic::P90 => "90% of them took no longer",
            Statistic::P95 => "95% of them took no longer",
            Statistic::P99 => "99% of them took no longer; needs 1,000 of them or more",
            Statistic::P99_9 => "99.9% of them took no longer; needs 10,000 of them or more",
            Statistic::Mean => "the arithmetic mean; hides the slow ones, prefer a percentile",
            Statistic::Max => "the longest of all",
        }
    }

    /// How its bounds are written.
    pub fn unit_in_words(self) -> &'static str {
        match self.unit() {
            Unit::Milliseconds | Unit::Seconds => "a duration: `200ms`, `3s`",
            Unit::Fraction => "a percentage: `1%`",
            Unit::Count => "a whole number",
            Unit::PerSecond => "a rate: `200/s`",
        }
    }

    /// A scenario, or a part of one, that judges it.
    pub fn example(self) -> String {
        let bound = match self {
            Self::SuccessRate => "min: 99%",
            Self::RateOffered | Self::RateCompleted => "min: 45/s",
            Self::Requests => "min: 1000",
            Self::Dropped | Self::Unfinished | Self::CheckFailures => "max: 0",
            Self::GeneratorCpu => "max: 80%",
            Self::SendLagP99 => "max: 5ms",
            _ => match self.unit() {
                Unit::Milliseconds => "max: 200ms",
                Unit::Seconds => "max: 5s",
                Unit::Fraction => "max: 1%",
                Unit::Count => "max: 10",
                Unit::PerSecond => "min: 45/s",
            },
        };
        if !self.is_resilience() {
            return format!("gates:\n  - {{ metric: {self}, {bound} }}\n");
        }
        format!(
            "slos: {{ fast: {{ metric: latency.p99, max: 200ms }} }}\n\
             steady_state: {{ all_of: [fast] }}\n\
             timeline:\n  - baseline: 20s\n\
             \x20 - {{ id: cut, fault: network.partition, target: wire, for: 10s }}\n\
             \x20 - recover: {{ within: 30s }}\n\
             gates:\n  - {{ metric: {self}, window: \"fault:cut\", {bound} }}\n"
        )
    }
}

impl WindowName {
    /// How each kind of window is written, and what falls into it.
    pub const EXPLAINED: [(&str, &str); 5] = [
        (
            "warmup",
            "The stages of the load that are marked `warmup: true`. Its requests are reported and belong to no other window.",
        ),
        (
            "baseline",
            "All `baseline:` items of the timeline together: what the service does when nobody breaks it. It holds only \
             requests that overlap no fault. Bounds such as `max: { baseline: 3x }` are multiples of its values.",
        ),
        (
            "fault:<id>",
            "From just before the first change that a fault makes until just after the last one is undone; of a kill, from the \
             act until as many instances are ready as before. A request belongs to every fault window that it overlaps, from \
             its intended start to its end, so windows do not add up to `run`.",
        ),
        (
            "recovery:<id>",
            "From the removal of a fault until the steady state holds again, or until `within` of the `recover` that follows \
             has passed.",
        ),
        ("run", "Everything but the warm-up. The window of a gate that names none."),
    ];
}
