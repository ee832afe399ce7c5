//! Intervals of percentiles by the moving-block bootstrap (Künsch, "The jackknife and the bootstrap for general stationary
//! observations", 1989): whole stretches of time are drawn again, because requests that are close in time are not
//! independent. Intervals are the 2.5 % and 97.5 % quantiles of the resampled statistic (Efron's percentile interval).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::quantile::rank;

/// How often the data are drawn again.
const RESAMPLES: usize = 2000;
/// With fewer blocks side by side an interval would be a guess.
const FEWEST_BLOCKS: usize = 10;
/// More blocks than this make it slower and not better.
const MOST_BLOCKS: usize = 100;

/// What is computed of each resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimate {
    /// The nearest-rank quantile.
    Quantile(f64),
    /// The arithmetic mean.
    Mean,
}

/// A stretch of time in equal slices, each with its counts of values, ready to be drawn from.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Ascending, all that occur in any slice.
    values: Vec<u64>,
    /// Counts of all slices before the one with this number; one row more than slices.
    before: Vec<Vec<u32>>,
    block: usize,
}

impl Stretch {
    /// From the ascending counts of each slice. `at_least` is the smallest block, in slices. `None` if fewer than ten blocks
    /// fit side by side.
    pub fn new(slices: &[Vec<(u64, u64)>], at_least: usize) -> Option<Self> {
        let block = block_length(slices).max(at_least).max(slices.len() / MOST_BLOCKS).max(1);
        if slices.len() / block < FEWEST_BLOCKS {
            return None;
        }
        let mut values: Vec<u64> = slices.iter().flatten().map(|(value, _)| *value).collect();
        values.sort_unstable();
        values.dedup();
        let mut before = vec![vec![0u32; values.len()]];
        for slice in slices {
            let mut row = before.last().cloned().unwrap_or_default();
            for (value, count) in slice {
                if let Ok(column) = values.binary_search(value) {
                    row[column] += u32::try_from(*count).unwrap_or(u32::MAX);
                }
            }
            before.push(row);
        }
        Some(Self { values, before, block })
    }

    /// Draws as many blocks as the stretch has and computes the estimate; `None` if all of them were empty.
    fn draw(&self, estimate: Estimate, random: &mut ChaCha8Rng, sum: &mut [u32]) -> Option<f64> {
        sum.fill(0);
        let starts = self.before.len() - self.block;
        for _ in 0..(self.before.len() - 1).div_ceil(self.block) {
            // Bias below 2^-20, for at most 2,400 starts.
            let start = ((u64::from(random.next_u32()) * starts as u64) >> 32) as usize;
            let (from, to) = (&self.before[start], &self.before[start + self.block]);
            for ((sum, from), to) in sum.iter_mut().zip(from).zip(to) {
                *sum += to - from;
            }
        }
        let n: u64 = sum.iter().map(|count| u64::from(*count)).sum();
        if n == 0 {
            return None;
        }
        match estimate {
            Estimate::Mean => {
                let total: f64 =
                    self.values.iter().zip(&*sum).map(|(value, count)| *value as f64 * f64::from(*count)).sum();
                Some(total / n as f64)
            }
            Estimate::Quantile(q) => {
                let rank = rank(q, n);
                let mut seen = 0;
                let at = sum.iter().position(|count| {
                    seen += u64::from(*count);
                    seen >= rank
                });
                at.map(|at| self.values[at] as f64)
            }
        }
    }
}

/// The 95 % interval of an estimate.
pub fn interval(of: &Stretch, estimate: Estimate, seed: u64) -> Option<[f64; 2]> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut sum = vec![0; of.values.len()];
    middle((0..RESAMPLES).filter_map(|_| of.draw(estimate, &mut random, &mut sum)).collect())
}

/// The 95 % interval of the ratio of an estimate to the same estimate of a reference stretch, both drawn again.
pub fn ratio_interval(of: &Stretch, reference: &Stretch, estimate: Estimate, seed: u64) -> Option<[f64; 2]> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut sum, mut reference_sum) = (vec![0; of.values.len()], vec![0; reference.values.len()]);
    let ratios = (0..RESAMPLES).filter_map(|_| {
        let upper = of.draw(estimate, &mut random, &mut sum)?;
        let lower = reference.draw(estimate, &mut random, &mut reference_sum)?;
        (lower > 0.0).then(|| upper / lower)
    });
    middle(ratios.collect())
}

/// The inner 95 % of resampled estimates; `None` if hardly any could be computed.
fn middle(mut estimates: Vec<f64>) -> Option<[f64; 2]> {
    if estimates.len() < RESAMPLES / 2 {
        return None;
    }
    estimates.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| estimates[(rank(q, estimates.len() as u64) - 1) as usize];
    Some([at(0.025), at(0.975)])
}

/// Four times the integrated autocorrelation time of the slices' means (Sokal, "Monte Carlo methods in statistical
/// mechanics", 1997), summed up to the first correlation that is lost in noise.
fn block_length(slices: &[Vec<(u64, u64)>]) -> usize {
    let means: Vec<f64> = slices.iter().filter_map(|slice| mean(slice)).collect();
    if means.len() < 4 {
        return 1;
    }
    let n = means.len();
    let centre = means.iter().sum::<f64>() / n as f64;
    let covariance =
        |lag: usize| (0..n - lag).map(|i| (means[i] - centre) * (means[i + lag] - centre)).sum::<f64>() / n as f64;
    let variance = covariance(0);
    if variance <= 0.0 {
        return 1;
    }
    let noise = 2.0 / (n as f64).sqrt();
    let correlated: f64 =
        (1..n / 2).map(|lag| covariance(lag) / variance).take_while(|correlation| *correlation > noise).sum();
    (4.0 * (0.5 + correlated)).ceil() as usize
}

fn mean(slice: &[(u64, u64)]) -> Option<f64> {
    let (total, n) =
        slice.iter().fold((0.0, 0), |(total, n), (value, count)| (total + (*value * *count) as f64, n + count));
    (n > 0).then(|| total / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u64) -> impl FnMut() -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        move || f64::from(random.next_u32()) / f64::from(u32::MAX)
    }

    /// Slices of `each` exponential values with mean 1,000.
    fn exponential(slices: usize, each: usize, seed: u64) -> Vec<Vec<(u64, u64)>> {
        let mut next = random(seed);
        (0..slices)
            .map(|_| {
                let mut slice: Vec<(u64, u64)> =
                    (0..each).map(|_| ((-100.0 * (1.0 - next()).max(1e-9).ln()) as u64 * 10, 1)).collect();
                slice.sort_unstable();
                slice
            })
            .collect()
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        // Median of an exponential distribution: ln 2. 95 % of 40 are 38; fewer than 33 would be a one in 10,000 accident.
        let truth = 1000.0 * 2f64.ln();
        let covers = |seed| {
            let stretch = Stretch::new(&exponential(60, 20, seed), 4).expect("60 slices are enough");
            let [low, high] = interval(&stretch, Estimate::Quantile(0.5), seed).expect("there are values");
            low <= truth && truth <= high
        };
        let covered = (0..40).filter(|seed| covers(*seed)).count();
        assert!(covered >= 33, "{covered} of 40");
    }

    #[test]
    fn independent_values_give_the_width_of_the_textbook() {
        // Mean of 2,400 exponential values: standard error 1000 / sqrt(2400) = 20.4, so 95 % are 80 wide.
        let stretch = Stretch::new(&exponential(120, 20, 3), 4).expect("120 slices are enough");
        let [low, high] = interval(&stretch, Estimate::Mean, 3).expect("there are values");
        assert!((60.0..100.0).contains(&(high - low)), "{low} to {high}");
    }

    #[test]
    fn values_that_stick_together_give_a_wider_interval() {
        // Each level lasts for ten slices: a tenth of the information.
        let levels = exponential(40, 1, 5);
        let sticky: Vec<Vec<(u64, u64)>> = (0..400).map(|i| vec![(levels[i / 10][0].0, 20)]).collect();
        let shuffled: Vec<Vec<(u64, u64)>> = (0..400).map(|i| sticky[(i * 37) % 400].clone()).collect();
        let width = |slices: &[Vec<(u64, u64)>]| {
            let [low, high] = interval(&Stretch::new(slices, 4).expect("enough"), Estimate::Mean, 5).expect("values");
            high - low
        };
        assert!(width(&sticky) > 2.0 * width(&shuffled), "{} and {}", width(&sticky), width(&shuffled));
    }

    #[test]
    fn fewer_than_ten_blocks_give_no_interval() {
        assert!(Stretch::new(&exponential(39, 20, 1), 4).is_none());
        assert!(Stretch::new(&exponential(60, 20, 1), 4).is_some());
    }

    #[test]
    fn a_ratio_of_equals_lies_around_one_and_the_same_seed_gives_the_same() {
        let (a, b) = (exponential(120, 20, 1), exponential(120, 20, 2));
        let (a, b) = (Stretch::new(&a, 4).expect("enough"), Stretch::new(&b, 4).expect("enough"));
        let first = ratio_interval(&a, &b, Estimate::Quantile(0.9), 7).expect("values");
        assert!(first[0] < 1.0 && 1.0 < first[1], "{first:?}");
        assert_eq!(ratio_interval(&a, &b, Estimate::Quantile(0.9), 7), Some(first));
    }
}
