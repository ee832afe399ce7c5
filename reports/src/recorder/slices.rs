//! The time axis: what happened in each short span of the run, for the charts and for resampling.

use std::ops::Range;

use brunt_scenario::units::Offset;

use super::cells::micros;
use crate::sample::{ErrorClass, Request};
use crate::stats::sparse::TwoDigits;

/// A run of at most ten minutes has slices of this width, nanoseconds.
const FINE: u64 = 250_000_000;
/// A longer one begins with this width.
const COARSE: u64 = 1_000_000_000;
/// With one slice more, neighbours are merged and the width grows.
const MOST: usize = 2400;

/// What happened in one slice, to one series. Warm-up counts here: the time axis shows all of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// Requests whose intended start lies in it.
    pub offered: u32,
    /// Requests that ended in it.
    pub completed: u32,
    /// Failed ones by class, by intended start; in the order in which the classes were first seen.
    pub errors: Vec<(ErrorClass, u32)>,
    /// Latencies in microseconds, by intended start.
    pub latency: TwoDigits,
}

impl Slice {
    /// Nothing happened in it.
    pub fn is_empty(&self) -> bool {
        self.offered == 0 && self.completed == 0
    }

    /// Failed requests of all classes.
    pub fn failed(&self) -> u32 {
        self.errors.iter().map(|(_, count)| count).sum()
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.completed += other.completed;
        for (class, count) in &other.errors {
            self.count_error(*class, *count);
        }
        self.latency.merge(&other.latency);
    }

    fn count_error(&mut self, class: ErrorClass, count: u32) {
        match self.errors.iter_mut().find(|(known, _)| *known == class) {
            Some((_, total)) => *total += count,
            None => self.errors.push((class, count)),
        }
    }
}

/// The slices of all series; all have the same width.
#[derive(Debug, Clone)]
pub struct Slices {
    width: u64,
    series: Vec<Vec<Slice>>,
}

impl Slices {
    /// No slices yet, for so many series.
    pub fn new(series: usize) -> Self {
        Self { width: FINE, series: vec![Vec::new(); series] }
    }

    /// Width of all slices, nanoseconds.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Files a request: its latency and error where it should have started, its completion where it ended.
    pub fn file(&mut self, request: &Request) {
        let series = usize::from(request.series);
        let slice = self.at(series, request.intended);
        slice.offered += 1;
        slice.latency.record(micros(request.intended, request.done));
        if let Some(class) = request.error {
            slice.count_error(class, 1);
        }
        self.at(series, request.done).completed += 1;
    }

    /// All slices of a series from the start of the run, empty ones included.
    pub fn of(&self, series: usize) -> &[Slice] {
        &self.series[series]
    }

    /// The slices of a series that lie in a span as a whole.
    pub fn within(&self, series: usize, from: Offset, to: Offset) -> &[Slice] {
        self.part(series, self.whole(from, to))
    }

    /// Slices by number; what was never reached is left out.
    pub fn part(&self, series: usize, range: Range<usize>) -> &[Slice] {
        let all = &self.series[series];
        let start = range.start.min(all.len());
        &all[start..range.end.clamp(start, all.len())]
    }

    /// The numbers of the slices that lie in a span as a whole.
    pub fn whole(&self, from: Offset, to: Offset) -> Range<usize> {
        let first = usize::try_from(from.0.div_ceil(self.width)).unwrap_or(usize::MAX);
        let end = usize::try_from(to.0 / self.width).unwrap_or(usize::MAX);
        first..end.max(first)
    }

    fn at(&mut self, series: usize, at: Offset) -> &mut Slice {
        let mut index = at.0 / self.width;
        while index >= MOST as u64 {
            self.widen();
            index = at.0 / self.width;
        }
        let slices = &mut self.series[series];
        let index = usize::try_from(index).unwrap_or(MOST - 1);
        if slices.len() <= index {
            slices.resize_with(index + 1, Slice::default);
        }
        &mut slices[index]
    }

    /// Merges neighbours: four to one after ten minutes, then two to one.
    fn widen(&mut self) {
        let wider = if self.width < COARSE { COARSE } else { self.width.saturating_mul(2) };
        let group = usize::try_from(wider / self.width).unwrap_or(2);
        for slices in &mut self.series {
            *slices = slices
                .chunks(group)
                .map(|group| {
                    let mut all = Slice::default();
                    group.iter().for_each(|slice| all.merge(slice));
                    all
                })
                .collect();
        }
        self.width = wider;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(intended: u64, latency: u64, error: Option<ErrorClass>) -> Request {
        Request {
            series: 0,
            instance: 0,
            error,
            warmup: false,
            intended: Offset(intended),
            sent: Some(Offset(intended)),
            first_byte: None,
            done: Offset(intended + latency),
            queued_ns: 0,
            connect_ns: 0,
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_first_ten_minutes_have_quarter_seconds_then_seconds_then_two_seconds() {
        let mut slices = Slices::new(1);
        slices.file(&request(599 * SECOND, 1000, None));
        assert_eq!(slices.width(), SECOND / 4);
        slices.file(&request(600 * SECOND, 1000, None));
        assert_eq!(slices.width(), SECOND);
        slices.file(&request(2400 * SECOND, 1000, None));
        assert_eq!(slices.width(), 2 * SECOND);
        assert_eq!(slices.of(0).iter().filter(|slice| !slice.is_empty()).count(), 3);
    }

    #[test]
    fn only_slices_that_lie_in_a_span_as_a_whole_are_taken() {
        let mut slices = Slices::new(1);
        for tenth in 0..40 {
            slices.file(&request(tenth * SECOND / 10, 1000, None));
        }
        assert_eq!(slices.whole(Offset(SECOND / 2 + 1), Offset(2 * SECOND - 1)), 3..7);
        assert_eq!(slices.within(0, Offset(3 * SECOND), Offset(100 * SECOND)).len(), 4);
        assert!(slices.within(0, Offset(90 * SECOND), Offset(100 * SECOND)).is_empty());
    }

    proptest! {
        #[test]
        fn merging_neighbours_conserves_every_count(starts in prop::collection::vec(0u64..20_000, 1..300)) {
            let mut slices = Slices::new(1);
            for (index, start) in starts.iter().enumerate() {
                let error = (index % 3 == 0).then_some(if index % 2 == 0 { ErrorClass::Reset } else { ErrorClass::Timeout });
                slices.file(&request(start * SECOND, 1_000_000, error));
            }
            let all = slices.of(0);
            let n = starts.len() as u64;
            prop_assert!(all.len() <= MOST);
            prop_assert_eq!(all.iter().map(|s| u64::from(s.offered)).sum::<u64>(), n);
            prop_assert_eq!(all.iter().map(|s| u64::from(s.completed)).sum::<u64>(), n);
            prop_assert_eq!(all.iter().map(|s| s.latency.count()).sum::<u64>(), n);
            prop_assert_eq!(all.iter().map(|s| u64::from(s.failed())).sum::<u64>(), n.div_ceil(3));
        }
    }
}
