//! Windows of two runs beside each other: ratios, and intervals where the slices allow one.

use std::collections::BTreeMap;

use crate::render::words;
use crate::results::{Results, SliceData, WindowData};
use crate::stats::bootstrap::{Estimate, Stretch, ratio_interval};
use crate::stats::interval::{newcombe, overdispersion};

/// The smallest block of the bootstrap, seconds.
const BLOCK_S: f64 = 1.0;
/// Windows that get intervals: resampling costs time, and nobody reads forty.
const WITH_INTERVALS: usize = 12;

/// One figure in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// `p99`, `errors`, `completed`.
    pub name: &'static str,
    /// ms, fraction or per_s.
    pub unit: &'static str,
    /// In the first run.
    pub first: Option<f64>,
    /// In the second run.
    pub second: Option<f64>,
    /// Second by first; for shares second minus first. `None` without both, or when the first is 0.
    pub change: Option<f64>,
    /// 95 % of `change`, from what varied within the runs; `None` where the runs are too short to tell.
    pub interval: Option<[f64; 2]>,
}

impl Figure {
    /// More than the ups and downs within the runs: the interval leaves "the same" out. Not a statement about other runs.
    pub fn stands_out(&self) -> bool {
        let same = if self.unit == "fraction" { 0.0 } else { 1.0 };
        self.interval.is_some_and(|[low, high]| same < low || high < same)
    }
}

/// One window in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowPair {
    /// Its name.
    pub name: String,
    /// Requests of the first run; `None` if it had no such window.
    pub first: Option<u64>,
    /// Requests of the second run.
    pub second: Option<u64>,
    /// p50, p90, p99, errors, completed.
    pub figures: Vec<Figure>,
}

/// All windows of either run but the warm-up, in the order of the first.
pub fn all(first: &Results, second: &Results) -> Vec<WindowPair> {
    let names = |run: &'_ Results| -> Vec<String> {
        let ordered = words::windows_in_order(&run.summary.windows).into_iter().map(|(name, _)| name.to_owned());
        ordered.filter(|name| name != "warmup").collect()
    };
    let mut ordered = names(first);
    let new: Vec<String> = names(second).into_iter().filter(|name| !ordered.contains(name)).collect();
    ordered.extend(new);
    let pair = |(index, name): (usize, &String)| window(first, second, name, index < WITH_INTERVALS);
    ordered.iter().enumerate().map(pair).collect()
}

fn window(first: &Results, second: &Results, name: &str, with_intervals: bool) -> WindowPair {
    let (one, two) = (first.summary.windows.get(name), second.summary.windows.get(name));
    let stretches = with_intervals.then(|| (stretch(first, name), stretch(second, name)));
    let quantile = |label: &'static str, q: f64, value: fn(&WindowData) -> Option<f64>| {
        let interval = match &stretches {
            Some((Some(one), Some(two))) => ratio_interval(two, one, Estimate::Quantile(q), first.summary.seed),
            _ => None,
        };
        figure(label, "ms", one.and_then(value), two.and_then(value), interval)
    };
    let figures = vec![
        quantile("p50", 0.5, |window| window.latency_ms.p50),
        quantile("p90", 0.9, |window| window.latency_ms.p90),
        quantile("p99", 0.99, |window| window.latency_ms.p99),
        errors(first, second, name),
        figure("completed", "per_s", one.map(|w| w.completed_per_s), two.map(|w| w.completed_per_s), None),
    ];
    WindowPair { name: name.to_owned(), first: one.map(|w| w.requests), second: two.map(|w| w.requests), figures }
}

fn figure(
    name: &'static str,
    unit: &'static str,
    first: Option<f64>,
    second: Option<f64>,
    interval: Option<[f64; 2]>,
) -> Figure {
    let change = match (first, second) {
        (Some(one), Some(two)) if unit == "fraction" => Some(two - one),
        (Some(one), Some(two)) if one > 0.0 => Some(two / one),
        _ => None,
    };
    Figure { name, unit, first, second, change, interval: interval.filter(|_| change.is_some()) }
}

/// Shares are held against each other as a difference, each on the number of requests that its clustered errors are worth.
fn errors(first: &Results, second: &Results, name: &str) -> Figure {
    let share = |run: &Results| run.summary.windows.get(name).and_then(|window| window.error_rate);
    let worth = |run: &Results| {
        let requests = run.summary.windows.get(name).map_or(0, |window| window.requests);
        let parts: Vec<(u64, u64)> = slices(run, name)
            .into_values()
            .map(|slices| {
                let failed = slices.iter().flat_map(|slice| slice.errors.values()).sum();
                (failed, slices.iter().map(|slice| slice.offered).sum())
            })
            .collect();
        requests as f64 / overdispersion(&parts)
    };
    let (one, two) = (share(first), share(second));
    let interval = one.zip(two).and_then(|(one, two)| newcombe((two, worth(second)), (one, worth(first))));
    figure("errors", "fraction", one, two, interval)
}

/// The slices of a window for resampling; `None` if it is too short.
fn stretch(run: &Results, name: &str) -> Option<Stretch> {
    let width_s = run.series.first()?.slice_s;
    let pooled: Vec<Vec<(u64, u64)>> = slices(run, name)
        .into_values()
        .map(|slices| {
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for &(us, count) in slices.iter().flat_map(|slice| &slice.latency_us) {
                *counts.entry(us).or_default() += count;
            }
            counts.into_iter().collect()
        })
        .collect();
    Stretch::new(&pooled, (BLOCK_S / width_s).ceil() as usize)
}

/// The slices that lie in a window as a whole, of all steps, by their beginning; those without requests too.
fn slices<'a>(run: &'a Results, name: &str) -> BTreeMap<u64, Vec<&'a SliceData>> {
    let Some(width_s) = run.series.first().map(|series| series.slice_s).filter(|width| *width > 0.0) else {
        return BTreeMap::new();
    };
    let number = |at_s: f64| (at_s / width_s + 1e-6).floor().max(0.0) as u64;
    let mut inside: BTreeMap<u64, Vec<&SliceData>> = BTreeMap::new();
    for span in run.spans.iter().filter(|span| span.window == name) {
        let first = (span.from_s / width_s - 1e-6).ceil().max(0.0) as u64;
        inside.extend((first..number(span.to_s)).map(|slice| (slice, Vec::new())));
    }
    for slice in run.series.iter().flat_map(|series| &series.slices) {
        if let Some(same) = inside.get_mut(&number(slice.at_s)) {
            same.push(slice);
        }
    }
    inside
}
