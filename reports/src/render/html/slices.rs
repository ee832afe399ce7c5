//! The time axis of a run: its series pooled into bins of equal width, as many as a drawing or a zoom needs.

use std::collections::BTreeMap;

use crate::results::{Results, SeriesData, SliceData};

/// More points than this are closer than a pixel.
pub const MOST: usize = 300;

/// Points that a reader may zoom into: an hour to the second.
pub const MOST_ZOOMED: usize = 3_600;

/// Rows of the heat-map a decade of latency.
pub const ROWS_A_DECADE: usize = 8;
/// From a microsecond to a thousand seconds.
const ROWS: usize = 9 * ROWS_A_DECADE;

/// What happened in one bin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bin {
    /// Requests whose intended start lies in it.
    pub offered: u64,
    /// Requests that ended in it.
    pub completed: u64,
    /// Failed requests, by index into [`Slices::classes`].
    pub errors: Vec<u64>,
    /// Requests by latency: [`ROWS_A_DECADE`] rows a decade, from a microsecond on; empty without samples.
    pub rows: Vec<u64>,
    /// p50, p90, p99 and maximum in milliseconds; `None` without samples.
    pub latency_ms: Option<[f64; 4]>,
    /// How many samples stand behind the latency.
    pub samples: u64,
}

/// The run in bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Slices {
    /// Width of a bin, a whole multiple of the recorder's slice.
    pub width_s: f64,
    /// Where the time axis ends.
    pub end_s: f64,
    /// Classes of errors, most frequent first.
    pub classes: Vec<String>,
    /// From run zero.
    pub bins: Vec<Bin>,
}

impl Slices {
    /// All series of a run together, as fine as a drawing needs.
    pub fn of(results: &Results) -> Self {
        Self::at_most(results, MOST)
    }

    /// All series of a run together, in at most so many bins.
    pub fn at_most(results: &Results, most: usize) -> Self {
        Self::pooled(results, &results.series, most, classes(results))
    }

    /// One series alone, over the same time axis as all.
    pub fn of_one(results: &Results, series: &SeriesData, most: usize) -> Self {
        Self::pooled(results, std::slice::from_ref(series), most, Vec::new())
    }

    fn pooled(results: &Results, series: &[SeriesData], most: usize, classes: Vec<String>) -> Self {
        let end_s = end(results);
        let slice_s = series.iter().map(|series| series.slice_s).fold(0.0, f64::max);
        let slice_s = if slice_s > 0.0 { slice_s } else { 0.25 };
        let width_s = width(end_s, slice_s, most);
        let bins = (end_s / width_s).ceil().max(1.0) as usize;
        let mut by_bin: Vec<Vec<&SliceData>> = vec![Vec::new(); bins];
        for slice in series.iter().flat_map(|series| &series.slices) {
            // A slice begins at a multiple of its width; the small addition keeps 0.75 / 0.25 from being 2.999.
            let bin = ((slice.at_s / width_s) + 1e-6).floor().max(0.0) as usize;
            by_bin[bin.min(bins - 1)].push(slice);
        }
        let mut counts = Counts::new();
        let bins = by_bin.iter().map(|slices| pooled(slices, &classes, &mut counts)).collect();
        Self { width_s, end_s, classes, bins }
    }

    /// The middle of a bin, seconds.
    pub fn middle(&self, bin: usize) -> f64 {
        ((bin as f64 + 0.5) * self.width_s).min(self.end_s)
    }

    /// A count of one bin as a rate. The last bin may be cut short by the end of the run.
    pub fn rate(&self, bin: usize, count: u64) -> f64 {
        let from = bin as f64 * self.width_s;
        let width = (self.end_s - from).min(self.width_s);
        // Less than half a bin says more about where the run was cut than about its rate.
        count as f64 / width.max(self.width_s / 2.0)
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.bins.iter().all(|bin| bin.offered == 0 && bin.completed == 0)
    }
}

/// The width of a bin: a whole multiple of the recorder's slice, and one that people know if there is any.
fn width(end_s: f64, slice_s: f64, most: usize) -> f64 {
    const KNOWN: [f64; 14] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
    let slices = (end_s / slice_s / most as f64).ceil().max(1.0);
    let whole = |width: f64| (width / slice_s - (width / slice_s).round()).abs() < 1e-6;
    KNOWN.into_iter().find(|&width| width >= slices * slice_s && whole(width)).unwrap_or(slices * slice_s)
}

/// The time axis ends when everything has: the last slice, span, fault and event.
fn end(results: &Results) -> f64 {
    let summary = &results.summary;
    let slices = results.series.iter().filter_map(|series| Some(series.slices.last()?.at_s + series.slice_s));
    let faults = summary.faults.iter().filter_map(|fault| fault.removed_at_s);
    let events = results.events.iter().map(|event| event.at_s);
    let spans = results.spans.iter().map(|span| span.to_s);
    let end =
        slices.chain(faults).chain(events).chain(spans).filter(|at| at.is_finite()).fold(summary.duration_s, f64::max);
    if end > 0.0 { end } else { 1.0 }
}

fn classes(results: &Results) -> Vec<String> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for slice in results.series.iter().flat_map(|series| &series.slices) {
        for (class, count) in &slice.errors {
            *totals.entry(class).or_default() += count;
        }
    }
    let mut classes: Vec<(&str, u64)> = totals.into_iter().filter(|(_, count)| *count > 0).collect();
    classes.sort_by_key(|&(class, count)| (std::cmp::Reverse(count), class));
    classes.into_iter().map(|(class, _)| class.to_owned()).collect()
}

fn pooled(slices: &[&SliceData], classes: &[String], counts: &mut Counts) -> Bin {
    let mut bin = Bin { errors: vec![0; classes.len()], ..Bin::default() };
    counts.clear();
    for slice in slices {
        bin.offered += slice.offered;
        bin.completed += slice.completed;
        for (index, class) in classes.iter().enumerate() {
            bin.errors[index] += slice.errors.get(class).copied().unwrap_or(0);
        }
        for &(us, count) in &slice.latency_us {
            counts.add(us, count);
        }
    }
    bin.samples = counts.total;
    bin.latency_ms = counts.latency_ms();
    bin.rows = counts.rows();
    bin
}

/// Latencies counted at three digits, in slots that are found without searching: an hour of a hundred endpoints is some
/// ten million pairs.
struct Counts {
    slots: Vec<u64>,
    used: Vec<usize>,
    max_us: u64,
    total: u64,
}

impl Counts {
    fn new() -> Self {
        // 20 decades of a u64, 1000 slots each.
        Self { slots: vec![0; 20_000], used: Vec::new(), max_us: 0, total: 0 }
    }

    fn clear(&mut self) {
        for slot in self.used.drain(..) {
            self.slots[slot] = 0;
        }
        (self.max_us, self.total) = (0, 0);
    }

    fn add(&mut self, us: u64, count: u64) {
        let power = us.max(1).ilog10().saturating_sub(2);
        let slot = power as usize * 1000 + (us / 10_u64.pow(power)) as usize;
        if self.slots[slot] == 0 && count > 0 {
            self.used.push(slot);
        }
        self.slots[slot] += count;
        self.total += count;
        self.max_us = self.max_us.max(us);
    }

    fn latency_ms(&mut self) -> Option<[f64; 4]> {
        if self.total == 0 {
            return None;
        }
        self.used.sort_unstable();
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|quantile| self.at(quantile));
        Some([p50, p90, p99, self.max_us as f64 / 1e3])
    }

    /// By latency, in [`ROWS`] rows; none without samples.
    fn rows(&self) -> Vec<u64> {
        if self.total == 0 {
            return Vec::new();
        }
        let mut rows = vec![0; ROWS];
        for &slot in &self.used {
            rows[row(us_of(slot))] += self.slots[slot];
        }
        rows
    }

    /// Nearest rank.
    fn at(&self, quantile: f64) -> f64 {
        let rank = ((quantile * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for &slot in &self.used {
            seen += self.slots[slot];
            if seen >= rank {
                return us_of(slot) / 1e3;
            }
        }
        self.max_us as f64 / 1e3
    }
}

/// The latency that a slot stands for, microseconds.
fn us_of(slot: usize) -> f64 {
    (slot % 1000) as f64 * 10_f64.powi((slot / 1000) as i32)
}

/// The row of a latency.
fn row(us: f64) -> usize {
    // The small addition keeps 1000 us, whose logarithm is not quite 3, in its own row.
    ((us.max(1.0).log10() * ROWS_A_DECADE as f64 + 1e-9) as usize).min(ROWS - 1)
}

/// Where a row begins, milliseconds.
pub fn row_from_ms(row: usize) -> f64 {
    10_f64.powf(row as f64 / ROWS_A_DECADE as f64) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank_at_three_digits() {
        let mut counts = Counts::new();
        for us in 1..=100 {
            counts.add(us * 1000, 1);
        }
        assert_eq!(counts.latency_ms(), Some([50.0, 90.0, 99.0, 100.0]));
        counts.clear();
        assert_eq!(counts.latency_ms(), None);
        counts.add(7, 3);
        counts.add(u64::MAX, 1);
        assert_eq!(counts.latency_ms().map(|ms| ms[0]), Some(0.007));
    }

    #[test]
    fn bins_have_widths_that_people_know() {
        assert_eq!((width(25.2, 0.25, MOST), width(3600.4, 1.0, MOST), width(90.0, 0.25, MOST)), (0.25, 15.0, 0.5));
        assert_eq!(width(90_000.0, 256.0, MOST), 512.0);
    }

    #[test]
    fn every_request_has_a_row_of_the_heat_map_and_only_one() {
        let mut counts = Counts::new();
        for us in [0, 1, 999, 1_000, 1_333, 1_334, u64::MAX] {
            counts.add(us, 2);
        }
        let rows = counts.rows();
        assert_eq!(rows.iter().sum::<u64>(), 14);
        assert_eq!((rows[23], rows[24], rows[ROWS - 1]), (2, 6, 2));
        assert!((row_from_ms(24) - 1.0).abs() < 1e-9);
    }
}
