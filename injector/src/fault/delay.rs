//! How long a latency holds each message: `latency`, `jitter`, `distribution`, `table`, `correlation`.
//!
//! | `distribution` | a delay is |
//! |---|---|
//! | `constant` | `latency` |
//! | `uniform` (default) | evenly between `latency - jitter` and `latency + jitter` |
//! | `normal` | normal, `latency` its mean and `jitter` its standard deviation |
//! | `pareto` | Pareto with shape 3, moved and stretched so that `latency` is its mean and `jitter` its standard deviation |
//! | `table` | one of the durations of `table`, each as likely as it is frequent there |
//!
//! The words and the shape 3 are those of tc-netem(8), so that a scenario moves between a link and an interface. Three things
//! are different there: netem's tables end at four jitters, where these tails have no end (the longest of a million pareto
//! delays is more than a hundred jitters above the mean); its pareto is 1.15 times as wide as the jitter that was asked for; and its
//! `table` is a shape for latency and jitter, where this one holds the delays themselves. Nothing is held for less than no
//! time: what would be negative is zero, which moves the mean of a jitter that is wider than its latency.
//!
//! `correlation` makes a delay depend on the one before it on the same connection, in the same direction. netem averages each
//! draw with the last one, which narrows the distribution (at 50 % to less than six tenths of the jitter). Here a first-order
//! autoregression runs beneath, over standard normal values: `z' = c z + sqrt(1 - c^2) e`, which stays standard normal; the
//! delay is the quantile of the distribution at the rank of `z` (a Gaussian copula). So every single delay has the distribution
//! that was asked for, the first one too. Successive `normal` delays have correlation `c`; those of another distribution
//! have it in their ranks, as a rank correlation of `6/pi asin(c/2)` (0.48 for 50 %), and delays cut at zero have less.
//!
//! A delay is a function of (seed, link, listener, fault, connection, direction, which message).

use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::Params;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::proxy::Draws;

/// The shape of `pareto`: as in netem. Its variance is finite, its fourth moment is not.
const SHAPE: f64 = 3.0;
/// Mean of a Pareto distribution from 1 with that shape.
const PARETO_MEAN: f64 = SHAPE / (SHAPE - 1.0);
/// Its standard deviation, the root of `a / ((a - 1)^2 (a - 2))`.
const PARETO_DEVIATION: f64 = 0.866_025_403_784_438_6;

/// What delays are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    distribution: Distribution,
    /// 0 to 1.
    correlation: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Distribution {
    Constant {
        latency: f64,
    },
    Uniform {
        latency: f64,
        jitter: f64,
    },
    Normal {
        latency: f64,
        jitter: f64,
    },
    Pareto {
        latency: f64,
        jitter: f64,
    },
    /// In ascending order, not empty.
    Table(Arc<[f64]>),
}

impl Delays {
    /// Reads `latency`, `jitter` (none), `distribution` (`uniform`), `table` and `correlation` (none).
    pub fn from_params(kind: &str, with: &Params) -> Result<Self, Error> {
        let unfit = |why: &str| Error::Unfit { kind: kind.into(), why: why.into() };
        let correlation = with.share("correlation").unwrap_or_default();
        if !(0.0..=1.0).contains(&correlation) {
            return Err(unfit("`correlation` is from 0% to 100%"));
        }
        if let Some(table) = with.durations("table") {
            let mut table: Vec<f64> = table.iter().map(Duration::as_secs_f64).collect();
            if table.is_empty() {
                return Err(unfit("`table` holds no durations"));
            }
            table.sort_by(f64::total_cmp);
            return Ok(Self { distribution: Distribution::Table(table.into()), correlation });
        }
        let latency = with.duration("latency").ok_or_else(|| unfit("`latency` is missing, as in `latency: 200ms`"))?;
        let (latency, jitter) = (latency.as_secs_f64(), with.duration("jitter").unwrap_or_default().as_secs_f64());
        let distribution = match with.word("distribution").unwrap_or("uniform") {
            "uniform" => Distribution::Uniform { latency, jitter },
            "constant" => Distribution::Constant { latency },
            "normal" => Distribution::Normal { latency, jitter },
            "pareto" => Distribution::Pareto { latency, jitter },
            other => return Err(unfit(&format!("`distribution: {other}` needs `table`"))),
        };
        Ok(Self { distribution, correlation })
    }
}

impl Delays {
    /// The delay, where all are the same.
    pub fn constant(&self) -> Option<Duration> {
        match self.distribution {
            Distribution::Constant { latency } => Some(latency),
            Distribution::Uniform { latency, jitter }
            | Distribution::Normal { latency, jitter }
            | Distribution::Pareto { latency, jitter } => (jitter == 0.0).then_some(latency),
            Distribution::Table(_) => None,
        }
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

impl Distribution {
    /// In seconds, the delay that is exceeded with probability `above` (more than 0, at most 1).
    fn quantile(&self, above: f64) -> f64 {
        match self {
            Self::Constant { latency } => *latency,
            Self::Uniform { latency, jitter } => latency + jitter * (1.0 - 2.0 * above),
            // Drawn as it is: see `Delay::draw`.
            Self::Normal { latency, .. } => *latency,
            Self::Pareto { latency, jitter } => {
                latency + jitter * (above.powf(-1.0 / SHAPE) - PARETO_MEAN) / PARETO_DEVIATION
            }
            Self::Table(table) => {
                let rank = ((1.0 - above) * table.len() as f64) as usize;
                table[rank.min(table.len() - 1)]
            }
        }
    }
}

/// The delays of one connection in one direction, one after another.
pub(crate) struct Delay {
    delays: Delays,
    /// The last standard normal value beneath.
    last: Option<f64>,
}

impl Delay {
    /// Before the first draw.
    pub fn new(delays: &Delays) -> Self {
        Self { delays: delays.clone(), last: None }
    }

    /// The next delay.
    pub fn draw(&mut self, draws: &mut Draws) -> Duration {
        let Delays { distribution, correlation } = &self.delays;
        let seconds = match distribution {
            Distribution::Constant { latency } => *latency,
            Distribution::Normal { latency, jitter } => latency + jitter * next(&mut self.last, *correlation, draws),
            _ if *correlation == 0.0 => distribution.quantile(1.0 - draws.fraction()),
            _ => {
                let beneath = next(&mut self.last, *correlation, draws);
                // The upper tail of the standard normal distribution, exact where it is thin.
                let above = 0.5 * libm::erfc(beneath / std::f64::consts::SQRT_2);
                distribution.quantile(above.max(f64::MIN_POSITIVE))
            }
        };
        let delay = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        draws.held(delay);
        delay
    }
}

/// The next value of the autoregression, which starts where it will be in the long run.
fn next(last: &mut Option<f64>, correlation: f64, draws: &mut Draws) -> f64 {
    let fresh = draws.normal();
    let value = last.map_or(fresh, |last| correlation * last + (1.0 - correlation * correlation).sqrt() * fresh);
    *last = Some(value);
    value
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::ParamValue;
    use brunt_scenario::units::Share;

    use super::*;
    use crate::proxy::lab::{ms, word};

    const DRAWS: usize = 100_000;

    fn correlation(value: f64) -> (&'static str, ParamValue) {
        ("correlation", ParamValue::Percent(Share(value)))
    }

    fn table(all: &[u64]) -> (&'static str, ParamValue) {
        ("table", ParamValue::Durations(all.iter().copied().map(Duration::from_millis).collect()))
    }

    fn delays(with: &[(&'static str, ParamValue)]) -> Delays {
        Delays::from_params("network.latency", &Params(with.iter().cloned().collect())).unwrap()
    }

    /// What one connection draws, in milliseconds.
    fn drawn(with: &[(&'static str, ParamValue)]) -> Vec<f64> {
        let mut delay = Delay::new(&delays(with));
        let mut draws = Draws::new(11, 3, 1.0, true, Arc::default());
        (0..DRAWS).map(|_| delay.draw(&mut draws).as_secs_f64() * 1e3).collect()
    }

    fn mean(all: &[f64]) -> f64 {
        all.iter().sum::<f64>() / all.len() as f64
    }

    fn deviation(all: &[f64]) -> f64 {
        let mean = mean(all);
        mean_of(all.iter().map(|value| (value - mean).powi(2))).sqrt()
    }

    fn mean_of(all: impl Iterator<Item = f64>) -> f64 {
        mean(&all.collect::<Vec<_>>())
    }

    /// The correlation of each value with the one before it.
    fn of_neighbours(all: &[f64]) -> f64 {
        let (mean, deviation) = (mean(all), deviation(all));
        mean_of(all.windows(2).map(|two| (two[0] - mean) * (two[1] - mean))) / (deviation * deviation)
    }

    /// Each value's place in the order.
    fn ranks(all: &[f64]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|one, other| all[*one].total_cmp(&all[*other]));
        let mut ranks = vec![0.0; all.len()];
        for (rank, place) in order.into_iter().enumerate() {
            ranks[place] = rank as f64;
        }
        ranks
    }

    /// The greatest distance between the share of values below a point and what `below` says it should be (Kolmogorov,
    /// Smirnov).
    fn distance(all: &[f64], below: impl Fn(f64) -> f64) -> f64 {
        let mut sorted = all.to_vec();
        sorted.sort_by(f64::total_cmp);
        let total = all.len() as f64;
        sorted.iter().enumerate().fold(0.0, |most, (place, value)| {
            let found = (place as f64 / total, (place + 1) as f64 / total);
            f64::max(most, (below(*value) - found.0).abs().max((below(*value) - found.1).abs()))
        })
    }

    /// The share of delays that are shorter, of 100 ms give or take 10 ms.
    type Below = fn(f64) -> f64;

    fn normal_below(value: f64) -> f64 {
        0.5 * libm::erfc(-(value - 100.0) / 10.0 / std::f64::consts::SQRT_2)
    }

    fn uniform_below(value: f64) -> f64 {
        ((value - 90.0) / 20.0).clamp(0.0, 1.0)
    }

    fn pareto_below(value: f64) -> f64 {
        let scaled = (value - 100.0) / 10.0 * PARETO_DEVIATION + PARETO_MEAN;
        1.0 - scaled.max(1.0).powf(-SHAPE)
    }

    /// 100,000 independent draws stay within this in all but one case of 10^8; those that follow each other need more.
    const NEAR: f64 = 0.01;

    #[test]
    fn each_distribution_is_the_one_that_was_asked_for_with_and_without_correlation() {
        let known: [(&'static str, Below); 3] =
            [("uniform", uniform_below), ("normal", normal_below), ("pareto", pareto_below)];
        for (name, below) in known {
            for share in [0.0, 0.25, 0.7] {
                let all =
                    drawn(&[ms("latency", 100), ms("jitter", 10), word("distribution", name), correlation(share)]);
                let found = distance(&all, below);
                assert!(found < NEAR, "{name} at {share}: {found} from its distribution");
                assert!((mean(&all) - 100.0).abs() < 0.3, "{name} at {share}: mean {}", mean(&all));
            }
        }
    }

    #[test]
    fn jitter_is_the_half_width_of_uniform_and_the_standard_deviation_of_the_others() {
        let of = |name| drawn(&[ms("latency", 100), ms("jitter", 10), word("distribution", name)]);
        let uniform = of("uniform");
        assert!(uniform.iter().all(|value| (90.0..=110.0).contains(value)));
        assert!((deviation(&uniform) - 10.0 / 3f64.sqrt()).abs() < 0.1, "{}", deviation(&uniform));
        assert!((deviation(&of("normal")) - 10.0).abs() < 0.1);
        // The variance of a sample with such a tail settles slowly.
        let pareto = deviation(&of("pareto"));
        assert!((8.5..12.5).contains(&pareto), "{pareto}");
        assert!(of("constant").iter().all(|value| (value - 100.0).abs() < 1e-6));
    }

    #[test]
    fn correlation_ties_each_delay_to_the_one_before_it_and_no_further() {
        for share in [0.25, 0.5, 0.9] {
            let of =
                |name| drawn(&[ms("latency", 100), ms("jitter", 10), word("distribution", name), correlation(share)]);
            let normal = of_neighbours(&of("normal"));
            assert!((normal - share).abs() < 0.02, "normal at {share}: {normal}");
            let in_ranks = 6.0 / std::f64::consts::PI * (share / 2.0).asin();
            for name in ["uniform", "pareto"] {
                let found = of_neighbours(&ranks(&of(name)));
                assert!((found - in_ranks).abs() < 0.02, "{name} at {share}: {found}, not {in_ranks}");
            }
            let second: Vec<f64> = of("normal").into_iter().step_by(2).collect();
            let found = of_neighbours(&second);
            assert!((found - share * share).abs() < 0.025, "two steps at {share}: {found}");
        }
        let independent = of_neighbours(&drawn(&[ms("latency", 100), ms("jitter", 10)]));
        assert!(independent.abs() < 0.015, "{independent}");
    }

    #[test]
    fn at_full_correlation_a_connection_keeps_its_first_delay_and_others_have_their_own() {
        let with = [ms("latency", 100), ms("jitter", 10), correlation(1.0)];
        let of = |connection| {
            let (mut delay, mut draws) =
                (Delay::new(&delays(&with)), Draws::new(1, connection, 1.0, true, Arc::default()));
            [(); 5].map(|()| delay.draw(&mut draws))
        };
        assert!(of(1).iter().all(|delay| *delay == of(1)[0]));
        assert_ne!(of(1)[0], of(2)[0]);
    }

    #[test]
    fn a_table_gives_what_is_in_it_as_often_as_it_is_there() {
        for share in [0.0, 0.6] {
            let all = drawn(&[table(&[30, 10, 10, 200]), correlation(share)]);
            let share_of =
                |wanted: f64| all.iter().filter(|value| (**value - wanted).abs() < 1e-6).count() as f64 / DRAWS as f64;
            let found = [share_of(10.0), share_of(30.0), share_of(200.0)];
            for (found, expected) in found.into_iter().zip([0.5, 0.25, 0.25]) {
                assert!((found - expected).abs() < 0.015, "{found} instead of {expected} at {share}");
            }
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9, "something else was drawn");
        }
        assert!(drawn(&[table(&[7])]).iter().all(|value| (value - 7.0).abs() < 1e-6));
    }

    #[test]
    fn no_delay_is_negative_however_wide_the_jitter_is() {
        for name in ["uniform", "normal", "pareto"] {
            let all = drawn(&[ms("latency", 5), ms("jitter", 50), word("distribution", name), correlation(0.3)]);
            assert!(all.iter().all(|value| *value >= 0.0 && value.is_finite()));
            assert!(all.contains(&0.0), "{name} is cut at zero");
        }
    }

    #[test]
    fn the_same_connection_draws_the_same_delays_in_every_run() {
        let with = [ms("latency", 100), ms("jitter", 10), word("distribution", "pareto"), correlation(0.4)];
        assert_eq!(drawn(&with), drawn(&with));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let told = |with: &[(&'static str, ParamValue)]| {
            let params = Params(with.iter().cloned().collect());
            Delays::from_params("network.latency", &params).unwrap_err().to_string()
        };
        assert_eq!(told(&[]), "network.latency: `latency` is missing, as in `latency: 200ms`");
        assert_eq!(told(&[table(&[])]), "network.latency: `table` holds no durations");
        let wrong = told(&[ms("latency", 1), word("distribution", "table")]);
        assert_eq!(wrong, "network.latency: `distribution: table` needs `table`");
        assert_eq!(told(&[ms("latency", 1), correlation(1.5)]), "network.latency: `correlation` is from 0% to 100%");
    }
}
