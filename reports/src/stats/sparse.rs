//! A histogram that costs four bytes a distinct value, for the many short spans in which few values occur.
//!
//! The buckets are those of HdrHistogram (Tene): linear up to twice `2^BITS`, then `2^BITS` buckets an octave. `BITS` = 10
//! gives exactly the buckets of a three-digit HdrHistogram that starts at 1, so merging into one loses nothing; `BITS` = 7 is
//! better than two digits.

/// Counts of microseconds, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sparse<const BITS: u32> {
    /// Bucket in the upper half, count in the lower. A bucket that outgrows 16 bits stands several times in a row.
    cells: Vec<u32>,
}

/// Two digits: what slices of the time axis keep.
pub type TwoDigits = Sparse<7>;
/// Three digits: what waits to be merged into a window.
pub type ThreeDigits = Sparse<10>;

const FULL: u32 = 0xffff;

impl<const BITS: u32> Sparse<BITS> {
    /// Adds one value. Values beyond a day and a half are counted as that.
    pub fn record(&mut self, value: u64) {
        self.add(bucket::<BITS>(value), 1);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for cell in &other.cells {
            self.add(cell >> 16, cell & FULL);
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.cells.iter().map(|cell| u64::from(cell & FULL)).sum()
    }

    /// Pairs of the largest value that a bucket stands for and its count, ascending, each bucket once.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.cells.chunk_by(|a, b| a >> 16 == b >> 16).map(|same| {
            let count = same.iter().map(|cell| u64::from(cell & FULL)).sum();
            (highest::<BITS>(same[0] >> 16), count)
        })
    }

    fn add(&mut self, bucket: u32, mut count: u32) {
        let after = self.cells.partition_point(|cell| cell >> 16 <= bucket);
        if let Some(last) = after.checked_sub(1).and_then(|at| self.cells.get_mut(at))
            && *last >> 16 == bucket
        {
            let room = (FULL - (*last & FULL)).min(count);
            *last += room;
            count -= room;
        }
        if count > 0 {
            self.cells.insert(after, bucket << 16 | count);
        }
    }
}

fn bucket<const BITS: u32>(value: u64) -> u32 {
    let value = value.min((1 << 37) - 1);
    let shift = (63 - (value | 1).leading_zeros()).saturating_sub(BITS);
    (shift << BITS) + (value >> shift) as u32
}

fn highest<const BITS: u32>(bucket: u32) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let mantissa = u64::from(bucket - (shift << BITS));
    ((mantissa + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_that_outgrows_its_cell_loses_no_count() {
        let mut one = TwoDigits::default();
        one.record(1000);
        let mut all = TwoDigits::default();
        for _ in 0..17 {
            let doubled = one.clone();
            one.merge(&doubled);
        }
        all.merge(&one);
        all.merge(&one);
        all.record(5);
        assert_eq!(all.count(), 2 * (1 << 17) + 1);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(5, 1), (1003, 2 << 17)]);
    }

    proptest! {
        #[test]
        fn three_digits_have_the_buckets_of_hdr_histogram(value in 1u64..300_000_000) {
            let reference = Histogram::<u64>::new_with_bounds(1, 300_000_000, 3).unwrap();
            let mut sparse = ThreeDigits::default();
            sparse.record(value);
            prop_assert_eq!(sparse.iter().next(), Some((reference.highest_equivalent(value), 1)));
        }

        #[test]
        fn two_digits_are_off_by_less_than_a_hundredth(value in 0u64..1 << 36) {
            let mut sparse = TwoDigits::default();
            sparse.record(value);
            let (got, _) = sparse.iter().next().unwrap();
            prop_assert!(got >= value && got as f64 <= value as f64 * 1.01);
        }

        #[test]
        fn merging_conserves_counts_and_order(a in prop::collection::vec(0u64..1_000_000, 0..200), b in prop::collection::vec(0u64..1_000_000, 0..200)) {
            let of = |values: &[u64]| values.iter().fold(TwoDigits::default(), |mut all, v| { all.record(*v); all });
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let together: Vec<u64> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(&merged, &of(&together));
            prop_assert!(merged.iter().is_sorted());
        }
    }
}
