//! The numbers of windows, steps and slices as the plain data of results.json.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use brunt_scenario::metric::Statistic;
use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SeriesData, SliceData, SpanData, rounded_seconds, seconds};
use crate::measured::{Measured, Window};
use crate::metric::statistic_of;
use crate::recorder::cells::Cell;
use crate::recorder::slices::Slice;
use crate::sample::Series;

/// Requests of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowData {
    /// First instant of its first span.
    pub from_s: f64,
    /// Last instant of its last span.
    pub to_s: f64,
    /// Sum of its spans.
    pub length_s: f64,
    /// Requests that belong to it.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// errors / requests; null without requests.
    pub error_rate: Option<f64>,
    /// Requests whose intended start lies in it, a second (dropped arrivals and `repeats` included).
    pub offered_per_s: f64,
    /// Requests that ended in it, a second (`repeats` included).
    pub completed_per_s: f64,
    /// Arrivals above `max_in_flight` whose intended start lies in it.
    pub dropped: u64,
    /// Further requests of `retry_until` steps that were sent in it; a step that asks five times is one of `requests`.
    #[serde(default)]
    pub repeats: u64,
    /// Requests that were open when the drain ended.
    pub unfinished: u64,
    /// Requests that failed a check.
    pub check_failures: u64,
    /// From the intended start to the last byte.
    pub latency_ms: LatencyData,
    /// From the first write to the last byte.
    pub service_ms: LatencyData,
}

/// A latency distribution in milliseconds; null without samples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LatencyData {
    /// 50th percentile.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p99_9: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
}

/// One step's windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepData {
    /// By name.
    pub windows: BTreeMap<String, WindowData>,
}

/// All windows by name, requests pooled.
pub fn window_table(measured: &Measured) -> BTreeMap<String, WindowData> {
    measured.windows.iter().map(|(name, window)| (name.to_string(), window_data(window, &window.all()))).collect()
}

fn window_data(window: &Window, pool: &Cell) -> WindowData {
    WindowData {
        from_s: seconds(window.from()),
        to_s: seconds(window.to()),
        length_s: rounded_seconds(window.length_s()),
        requests: pool.requests,
        errors: pool.errors,
        error_rate: (pool.requests > 0).then(|| rounded_seconds(pool.errors as f64 / pool.requests as f64)),
        offered_per_s: window.a_second(pool.wire_offered()),
        completed_per_s: window.a_second(pool.wire_completed()),
        dropped: pool.dropped,
        repeats: pool.repeats,
        unfinished: pool.unfinished,
        check_failures: pool.checks,
        latency_ms: latency_data(&pool.latency),
        service_ms: latency_data(&pool.service),
    }
}

fn latency_data(histogram: &Histogram<u64>) -> LatencyData {
    let of = |statistic| statistic_of(histogram, statistic);
    LatencyData {
        p50: of(Statistic::P50),
        p90: of(Statistic::P90),
        p95: of(Statistic::P95),
        p99: of(Statistic::P99),
        p99_9: of(Statistic::P99_9),
        max: of(Statistic::Max),
        mean: of(Statistic::Mean),
    }
}

/// Journey, then step, then window.
pub fn step_table(measured: &Measured) -> BTreeMap<String, BTreeMap<String, StepData>> {
    let mut journeys: BTreeMap<String, BTreeMap<String, StepData>> = BTreeMap::new();
    for (index, series) in measured.series.iter().enumerate() {
        let in_window = |window: &Window| {
            let cell = window.cells.get(&index).cloned().unwrap_or_default();
            window_data(window, &cell)
        };
        let windows = measured.windows.iter().map(|(name, window)| (name.to_string(), in_window(window))).collect();
        journeys.entry(series.journey.clone()).or_default().insert(series.step.clone(), StepData { windows });
    }
    journeys
}

/// Histograms and slices of every step.
pub fn series_data(measured: &Measured) -> Vec<SeriesData> {
    let data = |(index, series): (usize, &Series)| {
        let histograms = measured.windows.iter().filter_map(|(name, window)| {
            let cell = window.cells.get(&index).filter(|cell| cell.requests > 0)?;
            Some((name.to_string(), encoded(&cell.latency)))
        });
        let width = Offset(measured.slices.width());
        let slices = measured.slices.of(index).iter().enumerate().filter(|(_, slice)| !slice.is_empty());
        SeriesData {
            journey: series.journey.clone(),
            step: series.step.clone(),
            histograms: histograms.collect(),
            slice_s: seconds(width),
            slices: slices.map(|(number, slice)| slice_data(Offset(width.0 * number as u64), slice)).collect(),
        }
    };
    measured.series.iter().enumerate().map(data).collect()
}

fn slice_data(at: Offset, slice: &Slice) -> SliceData {
    SliceData {
        at_s: seconds(at),
        offered: u64::from(slice.offered),
        completed: u64::from(slice.completed),
        errors: slice.errors.iter().map(|(class, count)| (class.word().to_owned(), u64::from(*count))).collect(),
        latency_us: slice.latency.iter().collect(),
    }
}

/// HdrHistogram V2, deflated, in base64: what every HdrHistogram library reads.
fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a vector takes every write and the histogram is small");
    BASE64.encode(bytes)
}

/// The spans of all windows, in order of time.
pub fn span_data(measured: &Measured) -> Vec<SpanData> {
    let mut spans: Vec<SpanData> = Vec::new();
    for (name, window) in &measured.windows {
        spans.extend(window.spans.iter().map(|(from, to)| SpanData {
            window: name.to_string(),
            from_s: seconds(*from),
            to_s: seconds(*to),
        }));
    }
    spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    spans
}
