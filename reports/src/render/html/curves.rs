//! Percentile curves: one a window, from the histograms of all series, as far as the samples reach.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use crate::results::Results;

/// A quantile is shown when at least this many samples lie beyond it: fewer, and it is the luck of single requests.
pub const BEYOND: u64 = 10;

/// One window's distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The window.
    pub window: String,
    /// How many requests.
    pub samples: u64,
    /// (quantile from 0 to 1, latency in ms), ascending.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// The distribution of a window over all steps; `None` when no series has a readable histogram of it. A histogram that
    /// cannot be read is left out: the tables, which do not need it, are still true.
    pub fn of(results: &Results, window: &str) -> Option<Self> {
        let mut pooled: Option<Histogram<u64>> = None;
        let mut reader = Deserializer::new();
        for encoded in results.series.iter().filter_map(|series| series.histograms.get(window)) {
            let Some(histogram) = decoded(&mut reader, encoded) else { continue };
            match &mut pooled {
                None => pooled = Some(histogram),
                Some(all) => {
                    all.auto(true);
                    all.add(&histogram).ok()?;
                }
            }
        }
        let pooled = pooled.filter(|histogram| !histogram.is_empty())?;
        let last = last_quantile(pooled.len());
        let points = quantiles(last).map(|quantile| (quantile, pooled.value_at_quantile(quantile) as f64 / 1e3));
        Some(Self { window: window.to_owned(), samples: pooled.len(), points: points.collect() })
    }

    /// The latency at a quantile, if the samples reach it.
    pub fn at(&self, quantile: f64) -> Option<f64> {
        let &(last, _) = self.points.last()?;
        if quantile > last + 1e-9 {
            return None;
        }
        self.points.iter().find(|(at, _)| *at >= quantile - 1e-9).map(|&(_, ms)| ms)
    }
}

fn decoded(reader: &mut Deserializer, encoded: &str) -> Option<Histogram<u64>> {
    let bytes = STANDARD.decode(encoded).ok()?;
    reader.deserialize(&mut bytes.as_slice()).ok()
}

fn last_quantile(samples: u64) -> f64 {
    (1.0 - BEYOND as f64 / samples.max(1) as f64).max(0.0)
}

/// Quantiles at equal distances on the axis of nines, from 0 to `last`.
fn quantiles(last: f64) -> impl Iterator<Item = f64> {
    const A_NINE: usize = 40;
    let end = (nines(last) * A_NINE as f64).floor() as usize;
    (0..=end).map(|index| 1.0 - 10_f64.powf(-(index as f64) / A_NINE as f64)).chain((last > 0.0).then_some(last))
}

/// Where a quantile stands on the axis: 0.9 at 1, 0.99 at 2, 0.999 at 3.
pub fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_ten_samples_are_left() {
        assert!((last_quantile(1000) - 0.99).abs() < 1e-12);
        assert_eq!(last_quantile(3), 0.0);
        let points: Vec<f64> = quantiles(0.99).collect();
        assert_eq!((points[0], points.last().copied()), (0.0, Some(0.99)));
        assert!(points.windows(2).all(|two| two[0] <= two[1]), "{points:?}");
    }
}
