//! What is counted of the requests of one step in one window, and of the iterations of one journey in one window.

use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;

use crate::sample::{ErrorClass, Iteration, Request};
use crate::stats::sparse::ThreeDigits;

/// Latencies above it are counted as it: five minutes, in microseconds.
pub const LONGEST_US: u64 = 300_000_000;

/// From `from` to `to` in whole microseconds, rounded, at least 1 and at most [`LONGEST_US`].
pub fn micros(from: Offset, to: Offset) -> u64 {
    micros_of(to.0.saturating_sub(from.0))
}

/// Nanoseconds in whole microseconds, rounded, at least 1 and at most [`LONGEST_US`].
pub fn micros_of(nanoseconds: u64) -> u64 {
    (nanoseconds.saturating_add(500) / 1000).clamp(1, LONGEST_US)
}

/// An empty histogram of microseconds with three digits, which grows with the values that it meets.
pub fn three_digits() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are within the range of the library")
}

/// An empty histogram of microseconds with two digits.
pub fn two_digits() -> Histogram<u64> {
    Histogram::new(2).expect("two digits are within the range of the library")
}

/// Adds `count` values, which [`micros`] has brought into range.
pub fn record(histogram: &mut Histogram<u64>, value: u64, count: u64) {
    histogram
        .record_n(value, count)
        .expect("the histogram resizes itself and five minutes fit into every machine's memory");
}

/// Adds all values of `other`.
pub fn add(histogram: &mut Histogram<u64>, other: &Histogram<u64>) {
    histogram.add(other).expect("the histogram resizes itself and both begin at 1");
}

/// The requests of one step that belong to one window, and the rates of that window.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Requests that belong to the window.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Of these, failed a check.
    pub checks: u64,
    /// Of these, open when the drain ended.
    pub unfinished: u64,
    /// Requests whose intended start lies in the window, whether they belong to it or not.
    pub offered: u64,
    /// Requests that ended in the window, whether they belong to it or not.
    pub completed: u64,
    /// Arrivals above `max_in_flight` whose intended start lies in the window; they stand at a journey's first step.
    pub dropped: u64,
    /// Further requests of steps that ask again, sent in the window: each is one more offered and one more completed, and
    /// no sample.
    pub repeats: u64,
    /// From the intended start to the end, microseconds.
    pub latency: Histogram<u64>,
    /// From the first write to the end, microseconds; only requests that were written.
    pub service: Histogram<u64>,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            requests: 0,
            errors: 0,
            checks: 0,
            unfinished: 0,
            offered: 0,
            completed: 0,
            dropped: 0,
            repeats: 0,
            latency: three_digits(),
            service: three_digits(),
        }
    }
}

impl Cell {
    /// Requests that were to be sent in the window, over the wire: of every arrival the first, and all that asked again.
    pub fn wire_offered(&self) -> u64 {
        self.offered + self.dropped + self.repeats
    }

    /// Requests over the wire that ended in the window.
    pub fn wire_completed(&self) -> u64 {
        self.completed + self.repeats
    }

    /// Files a request that belongs to the window.
    pub fn file(&mut self, request: &Request) {
        self.requests += 1;
        self.errors += u64::from(request.error.is_some());
        self.checks += u64::from(request.error == Some(ErrorClass::Check));
        self.unfinished += u64::from(request.error == Some(ErrorClass::Unfinished));
        record(&mut self.latency, micros(request.intended, request.done), 1);
        if let Some(sent) = request.sent {
            record(&mut self.service, micros(sent, request.done), 1);
        }
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.checks += other.checks;
        self.unfinished += other.unfinished;
        self.offered += other.offered;
        self.completed += other.completed;
        self.dropped += other.dropped;
        self.repeats += other.repeats;
        add(&mut self.latency, &other.latency);
        add(&mut self.service, &other.service);
    }

    /// Adds what waited to learn whether it belongs to the window.
    pub fn absorb(&mut self, waiting: &Waiting) {
        self.requests += waiting.requests;
        self.errors += waiting.errors;
        self.checks += waiting.checks;
        self.unfinished += waiting.unfinished;
        self.offered += waiting.offered;
        self.completed += waiting.completed;
        self.dropped += waiting.dropped;
        self.repeats += waiting.repeats;
        waiting.latency.iter().for_each(|(value, count)| record(&mut self.latency, value, count));
        waiting.service.iter().for_each(|(value, count)| record(&mut self.service, value, count));
    }
}

/// Like a [`Cell`], but small: the requests of 50 ms that may turn out to belong to a recovery window.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    requests: u64,
    errors: u64,
    checks: u64,
    unfinished: u64,
    /// As in [`Cell`].
    pub offered: u64,
    /// As in [`Cell`].
    pub completed: u64,
    /// As in [`Cell`].
    pub dropped: u64,
    /// As in [`Cell`].
    pub repeats: u64,
    latency: ThreeDigits,
    service: ThreeDigits,
}

impl Waiting {
    /// Files a request.
    pub fn file(&mut self, request: &Request) {
        self.requests += 1;
        self.errors += u64::from(request.error.is_some());
        self.checks += u64::from(request.error == Some(ErrorClass::Check));
        self.unfinished += u64::from(request.error == Some(ErrorClass::Unfinished));
        self.latency.record(micros(request.intended, request.done));
        if let Some(sent) = request.sent {
            self.service.record(micros(sent, request.done));
        }
    }
}

/// The iterations of one journey that belong to one window.
#[derive(Debug, Clone)]
pub struct IterationCell {
    /// The whole journey without think time, microseconds.
    pub busy: Histogram<u64>,
}

impl Default for IterationCell {
    fn default() -> Self {
        Self { busy: three_digits() }
    }
}

impl IterationCell {
    /// Files an iteration that belongs to the window.
    pub fn file(&mut self, iteration: &Iteration) {
        record(&mut self.busy, micros_of(iteration.busy_ns), 1);
    }
}
