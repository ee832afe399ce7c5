//! The time axis while the run goes on: pure reads, for a screen that draws curves.

use std::ops::Range;

use brunt_scenario::units::Offset;

use super::super::Recorder;
use crate::stats::quantile::of_counts;
use crate::stats::sparse::TwoDigits;

/// What happened in one slice of the time axis, all steps together; percentiles have two digits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Requests whose intended start lies in it.
    pub offered: u32,
    /// Requests that ended in it.
    pub completed: u32,
    /// Requests that failed, by intended start.
    pub errors: u32,
    /// Median latency by intended start, milliseconds; `None` without requests.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
}

impl Recorder {
    /// Width of every slice of the time axis now. A long run widens them: then all slices have other numbers.
    pub fn slice_width(&self) -> Offset {
        Offset(self.slices.width())
    }

    /// The slices with these numbers, all steps together; empty ones where nothing was filed. A caller asks for the part that
    /// may have changed, so that the lock on the recorder is short.
    pub fn points(&self, range: Range<usize>) -> Vec<Point> {
        range.map(|number| self.point(number)).collect()
    }

    fn point(&self, number: usize) -> Point {
        let mut point = Point::default();
        let mut latency = TwoDigits::default();
        for series in 0..self.series.len() {
            for slice in self.slices.part(series, number..number + 1) {
                point.offered += slice.offered;
                point.completed += slice.completed;
                point.errors += slice.failed();
                latency.merge(&slice.latency);
            }
        }
        let ascending: Vec<(u64, u64)> = latency.iter().collect();
        let n = ascending.iter().map(|(_, count)| count).sum();
        let at = |q| of_counts(ascending.iter().copied(), n, q).map(|us| us as f64 / 1e3);
        (point.p50_ms, point.p90_ms, point.p99_ms) = (at(0.5), at(0.9), at(0.99));
        point
    }
}
