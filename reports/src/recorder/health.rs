//! Is the generator honest: how late it was, how long requests queued for a connection, what it dropped.

use hdrhistogram::Histogram;

use super::cells::{LONGEST_US, record, two_digits};
use super::places::RUN;
use crate::results::LagData;
use crate::sample::Arrival;
use crate::stats::quantile::of_histogram;

/// What the recorder watches of the generator itself.
#[derive(Debug, Clone)]
pub struct Watch {
    /// By window: worker handled the arrival minus the intended start, microseconds; open loads only.
    lag: Vec<Option<Histogram<u64>>>,
    /// Waiting for a connection, microseconds, outside warm-up.
    queued: Histogram<u64>,
    /// Arrivals that were started, warm-up included.
    pub started: u64,
    /// Arrivals above `max_in_flight`, warm-up included.
    pub dropped: u64,
    /// Most iterations open at once.
    pub in_flight_max: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self { lag: Vec::new(), queued: two_digits(), started: 0, dropped: 0, in_flight_max: 0 }
    }
}

impl Watch {
    /// Counts an arrival, and its lag in the windows that hold its intended start.
    pub fn arrival(&mut self, arrival: &Arrival, open_model: bool, windows: &[usize]) {
        if arrival.dropped {
            self.dropped += 1;
        } else {
            self.started += 1;
        }
        if !open_model {
            return;
        }
        for window in windows {
            if self.lag.len() <= *window {
                self.lag.resize(window + 1, None);
            }
            record(self.lag[*window].get_or_insert_with(two_digits), from_zero(arrival.lag_ns), 1);
        }
    }

    /// Counts the time that a request waited for a connection.
    pub fn queued(&mut self, nanoseconds: u64) {
        record(&mut self.queued, from_zero(nanoseconds), 1);
    }

    /// Notes how many iterations were open.
    pub fn in_flight(&mut self, iterations: usize) {
        self.in_flight_max = self.in_flight_max.max(iterations as u64);
    }

    /// The lag in one window, microseconds; `None` if no arrival of an open load was due in it.
    pub fn lag_in(&self, window: usize) -> Option<&Histogram<u64>> {
        self.lag.get(window)?.as_ref()
    }

    /// The lag over the whole judged run.
    pub fn lag_data(&self) -> LagData {
        self.lag_in(RUN).map(three_numbers).unwrap_or_default()
    }

    /// The waiting for connections over the whole judged run.
    pub fn queued_data(&self) -> LagData {
        three_numbers(&self.queued)
    }
}

/// Whole microseconds from 0: unlike a latency, a lag may be nothing.
fn from_zero(nanoseconds: u64) -> u64 {
    (nanoseconds.saturating_add(500) / 1000).min(LONGEST_US)
}

fn three_numbers(histogram: &Histogram<u64>) -> LagData {
    let at = |q| of_histogram(histogram, q).map(|us| crate::results::millis_of_micros(us as f64));
    LagData { p50: at(0.5), p99: at(0.99), max: at(1.0) }
}
