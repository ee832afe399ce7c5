//! Tables that netem draws delays from: the value at each of many equal steps of probability.
//!
//! The kernel takes `latency + jitter * value / 8192` with a value drawn from the table, so a table of a distribution with
//! mean 0 and standard deviation 1 gives delays whose mean is the latency and whose standard deviation is the jitter. They
//! are computed here from the distributions' own formulas, to mean the same as `distribution` of stream faults; iproute2's
//! files, which come from simulated samples, differ from them by some per cent in places.

use std::time::Duration;

use super::super::message::Message;

/// `NETEM_DIST_SCALE`: a standard deviation.
const SCALE: f64 = 8192.0;
/// Steps of probability, the most useful number below `NETEM_DIST_MAX` (16,384): tails end at 1 of 8,192.
const STEPS: u16 = 4096;
/// Of `pareto`, the same as of stream faults.
const SHAPE: f64 = 3.0;

/// How delays are spread around the latency.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Evenly between latency less jitter and latency plus jitter: netem's own, it needs no table.
    Uniform,
    /// The bell curve. Ends at four standard deviations: values are 16 bits.
    Normal,
    /// Many short ones and few very long ones, with shape 3. Ends at four standard deviations above.
    Pareto,
    /// A quarter normal and three quarters pareto, as the table of that name in iproute2 is mixed.
    ParetoNormal,
    /// What was measured somewhere, in any order. Latency and jitter are computed from it.
    Recorded(Vec<Duration>),
}

/// A distribution as netem takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The mean of the delays.
    pub latency: Duration,
    /// What a value of 8192 stands for.
    pub jitter: Duration,
    /// Standardised values in ascending order; none for the uniform distribution.
    values: Vec<i16>,
}

impl Table {
    /// Of this distribution around `latency`, with `jitter` as its standard deviation (uniform: its half width). A recorded
    /// one has its own latency and jitter; without any durations it is no delay.
    pub fn of(distribution: &Distribution, latency: Duration, jitter: Duration) -> Self {
        let from = |quantile: &dyn Fn(f64) -> f64| {
            let middles = (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS));
            Self { latency, jitter, values: middles.map(|below| scaled(quantile(below))).collect() }
        };
        match distribution {
            Distribution::Uniform => Self { latency, jitter, values: Vec::new() },
            _ if jitter.is_zero() && !matches!(distribution, Distribution::Recorded(_)) => {
                Self { latency, jitter, values: Vec::new() }
            }
            Distribution::Normal => from(&normal),
            Distribution::Pareto => from(&pareto),
            Distribution::ParetoNormal => from(&|below| 0.25 * normal(below) + 0.75 * pareto(below)),
            Distribution::Recorded(delays) => Self::recorded(delays),
        }
    }

    /// Values beyond four standard deviations do not fit, so the jitter is stretched until they do.
    fn recorded(delays: &[Duration]) -> Self {
        let mut seconds: Vec<f64> = delays.iter().map(Duration::as_secs_f64).collect();
        seconds.sort_by(f64::total_cmp);
        let many = seconds.len().max(1) as f64;
        let mean = seconds.iter().sum::<f64>() / many;
        let furthest = seconds.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
        let deviation = (seconds.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / many).sqrt();
        let (latency, jitter) = (Duration::from_secs_f64(mean), deviation.max(furthest * SCALE / f64::from(i16::MAX)));
        if jitter <= 0.0 {
            return Self { latency, jitter: Duration::ZERO, values: Vec::new() };
        }
        let steps = usize::from(STEPS);
        let at = |step: usize| seconds[(step * seconds.len() / steps).min(seconds.len() - 1)];
        let values = (0..steps).map(|step| scaled((at(step) - mean) / jitter)).collect();
        Self { latency, jitter: Duration::from_secs_f64(jitter), values }
    }

    /// The longest delay that can be drawn.
    pub fn longest(&self) -> Duration {
        let most = self.values.last().map_or(1.0, |value| f64::from(*value) / SCALE);
        self.latency + self.jitter.mul_f64(most.max(0.0))
    }

    /// Adds the table, if there is one.
    pub(super) fn write(&self, kind: u16, to: &mut Message) {
        if !self.values.is_empty() {
            let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_ne_bytes()).collect();
            to.attribute(kind, &bytes);
        }
    }
}

fn scaled(deviations: f64) -> i16 {
    (deviations * SCALE).round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// The standard normal value that so much of the probability lies below. Halves the interval until it is below a tenth of
/// what the table can hold.
fn normal(below: f64) -> f64 {
    let (mut low, mut high) = (-8.0_f64, 8.0_f64);
    for _ in 0..22 {
        let middle = f64::midpoint(low, high);
        let probability = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
        if probability < below {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The same of a Pareto distribution, moved and scaled to mean 0 and standard deviation 1.
fn pareto(below: f64) -> f64 {
    let mean = SHAPE / (SHAPE - 1.0);
    let deviation = (SHAPE / ((SHAPE - 1.0).powi(2) * (SHAPE - 2.0))).sqrt();
    ((1.0 - below).powf(-1.0 / SHAPE) - mean) / deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(table: &Table) -> (f64, f64) {
        let many = table.values.len() as f64;
        let values = || table.values.iter().map(|value| f64::from(*value) / SCALE);
        let mean = values().sum::<f64>() / many;
        (mean, (values().map(|value| (value - mean).powi(2)).sum::<f64>() / many).sqrt())
    }

    #[test]
    fn the_jitter_is_the_standard_deviation_and_the_latency_the_mean() {
        let of = |distribution| Table::of(&distribution, Duration::from_millis(50), Duration::from_millis(5));
        let (mean, deviation) = moments(&of(Distribution::Normal));
        assert!(mean.abs() < 1e-4 && (deviation - 1.0).abs() < 0.002, "normal: {mean} {deviation}");
        // The heavy tail is cut at four deviations, which takes a part of the spread with it.
        let (mean, deviation) = moments(&of(Distribution::Pareto));
        assert!(mean.abs() < 0.04 && (0.7..1.0).contains(&deviation), "pareto: {mean} {deviation}");
        let (mean, deviation) = moments(&of(Distribution::ParetoNormal));
        assert!(mean.abs() < 0.04 && (0.7..1.0).contains(&deviation), "mixed: {mean} {deviation}");
    }

    #[test]
    fn a_recorded_distribution_comes_back_as_it_was() {
        let delays: Vec<Duration> = [10, 10, 10, 90].map(Duration::from_millis).to_vec();
        let table = Table::of(&Distribution::Recorded(delays), Duration::ZERO, Duration::ZERO);
        let drawn = |value: i16| table.latency.as_secs_f64() + table.jitter.as_secs_f64() * f64::from(value) / SCALE;
        let short = table.values.iter().filter(|value| (drawn(**value) - 0.010).abs() < 1e-5).count();
        let long = table.values.iter().filter(|value| (drawn(**value) - 0.090).abs() < 1e-5).count();
        assert_eq!((short, long), (3072, 1024));
        assert!((table.longest().as_secs_f64() - 0.090).abs() < 1e-5);
    }

    #[test]
    fn what_does_not_vary_needs_no_table() {
        let same = vec![Duration::from_millis(7); 3];
        let table = Table::of(&Distribution::Recorded(same), Duration::ZERO, Duration::ZERO);
        assert_eq!((table.latency, table.jitter, table.values.len()), (Duration::from_millis(7), Duration::ZERO, 0));
        assert!(Table::of(&Distribution::Recorded(vec![]), Duration::ZERO, Duration::ZERO).values.is_empty());
    }

    #[test]
    fn quantiles_of_the_normal_distribution_are_those_of_every_table() {
        for (below, value) in [(0.5, 0.0), (0.975, 1.959_964), (0.001, -3.090_232), (0.841_344_7, 1.0)] {
            assert!((normal(below) - value).abs() < 1e-5, "{below}: {} instead of {value}", normal(below));
        }
    }
}
