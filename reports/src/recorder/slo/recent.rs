//! The values behind a percentile objective, for as long as a screen may ask for them. Whether the objective holds follows
//! from two counts; what the percentile is does not.

use std::collections::VecDeque;

use crate::stats::quantile::of_counts;
use crate::stats::sparse::TwoDigits;

/// Values of the last buckets, at two digits.
#[derive(Debug, Clone)]
pub struct Recent {
    keep: usize,
    base: u64,
    buckets: VecDeque<TwoDigits>,
}

impl Recent {
    /// Keeps the values of so many buckets.
    pub fn new(keep: u64) -> Self {
        Self { keep: usize::try_from(keep).unwrap_or(usize::MAX), base: 0, buckets: VecDeque::new() }
    }

    /// Adds a value in microseconds to a bucket; one that has been let go is left out.
    pub fn record(&mut self, bucket: u64, micros: u64) {
        if self.buckets.is_empty() {
            self.base = self.base.max(bucket);
        }
        let Some(index) = bucket.checked_sub(self.base) else { return };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        while self.buckets.len() <= index {
            self.buckets.push_back(TwoDigits::default());
        }
        self.buckets[index].record(micros);
        let gone = self.buckets.len().saturating_sub(self.keep);
        self.buckets.drain(..gone);
        self.base += gone as u64;
    }

    /// The quantile over the buckets `start..end` and `more` values, microseconds.
    pub fn quantile(&self, q: f64, start: u64, end: u64, more: impl Iterator<Item = u64>) -> Option<u64> {
        let mut all = TwoDigits::default();
        for (number, bucket) in (self.base..).zip(&self.buckets) {
            if (start..end).contains(&number) {
                all.merge(bucket);
            }
        }
        more.for_each(|micros| all.record(micros));
        of_counts(all.iter(), all.count(), q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_buckets_go_and_late_values_find_their_place() {
        let mut recent = Recent::new(3);
        for bucket in [10, 12, 11, 13, 10, 14] {
            recent.record(bucket, bucket);
        }
        assert_eq!(recent.buckets.len(), 3);
        assert_eq!(recent.quantile(1.0, 0, 100, std::iter::empty()), Some(14));
        assert_eq!(recent.quantile(0.0, 0, 100, std::iter::empty()), Some(12), "11 and 10 are gone");
        assert_eq!(recent.quantile(1.0, 12, 14, std::iter::once(200)), Some(200));
        assert_eq!(recent.quantile(0.5, 50, 60, std::iter::empty()), None);
    }
}
