//! Percentiles as nearest ranks on counts: the smallest value such that at least that share of the samples is no larger
//! (Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996, definition 1). No interpolation, so a percentile is
//! always a latency that somebody had.

use hdrhistogram::Histogram;

/// The rank (from 1 to `n`) of the `q` quantile of `n` samples. `n` must not be zero.
///
/// `q n` is computed in floating point; what is a whole number on paper (0.95 x 100) stays one.
pub fn rank(q: f64, n: u64) -> u64 {
    let exact = q * n as f64;
    let nearest = exact.round();
    let rank = if (exact - nearest).abs() < 1e-6 { nearest } else { exact.ceil() };
    (rank as u64).clamp(1, n.max(1))
}

/// How many of `n` samples lie beyond the `q` quantile. Too few of them, and the percentile is a matter of luck.
pub fn beyond(q: f64, n: u64) -> u64 {
    n.saturating_sub(rank(q, n))
}

/// The `q` quantile of ascending `(value, count)` pairs that hold `n` samples in all; `None` without samples.
pub fn of_counts(ascending: impl IntoIterator<Item = (u64, u64)>, n: u64, q: f64) -> Option<u64> {
    if n == 0 {
        return None;
    }
    let rank = rank(q, n);
    let mut seen = 0;
    for (value, count) in ascending {
        seen += count;
        if seen >= rank {
            return Some(value);
        }
    }
    None
}

/// The `q` quantile of a histogram: the largest value that its bucket stands for, as is usual for HdrHistogram.
pub fn of_histogram(histogram: &Histogram<u64>, q: f64) -> Option<u64> {
    let counts = histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
    of_counts(counts, histogram.len(), q)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rank_is_the_one_of_the_textbook() {
        // The five and the ten values of the worked example under "Percentile", nearest-rank method.
        let five = [(15, 1), (20, 1), (35, 1), (40, 1), (50, 1)];
        let of = |q| of_counts(five, 5, q);
        assert_eq!([of(0.05), of(0.3), of(0.4), of(0.5), of(1.0)], [Some(15), Some(20), Some(20), Some(35), Some(50)]);
        let ten = [(3, 1), (6, 1), (7, 1), (8, 2), (10, 1), (13, 1), (15, 1), (16, 1), (20, 1)];
        let of = |q| of_counts(ten, 10, q);
        assert_eq!([of(0.25), of(0.5), of(0.75), of(1.0)], [Some(7), Some(8), Some(15), Some(20)]);
    }

    #[test]
    fn products_that_are_whole_on_paper_stay_whole() {
        assert_eq!(rank(0.95, 100), 95);
        assert_eq!(rank(0.99, 1000), 990);
        assert_eq!(rank(0.999, 10_000), 9_990);
        assert_eq!(rank(0.9, 110), 99);
        assert_eq!(beyond(0.99, 1000), 10);
        assert_eq!(beyond(0.99, 999), 9);
        assert_eq!(beyond(1.0, 5), 0);
    }

    proptest! {
        #[test]
        fn a_histogram_gives_what_sorting_gives(mut values in prop::collection::vec(1u64..300_000_000, 1..400), q in 0.0f64..=1.0) {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for value in &values {
                histogram.record(*value).unwrap();
            }
            values.sort_unstable();
            let exact = values[usize::try_from(rank(q, values.len() as u64)).unwrap() - 1];
            let got = of_histogram(&histogram, q).unwrap();
            prop_assert!(got >= exact && got as f64 <= exact as f64 * 1.001 + 1.0, "{got} for {exact}");
        }
    }
}
