//! Steps, instances and errors while the run goes on: pure reads. They copy histograms' percentiles, never histograms, but walk
//! all of a histogram's counts for each, so a screen asks once a second and not with every frame.

use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;

use super::super::Recorder;
use super::super::cells::{Cell, add, three_digits};
use super::super::places::{BASELINE, RUN};
use super::{LiveSpan, RECENT};
use crate::facts::DestinationFacts;
use crate::metric::statistic_of;
use crate::results::{ErrorData, ServedData};
use crate::sample::Series;
use brunt_scenario::metric::Statistic;

/// One step of one journey.
#[derive(Debug, Clone, PartialEq)]
pub struct StepStatus {
    /// Which.
    pub series: Series,
    /// The last five seconds.
    pub recent: LiveSpan,
    /// The baseline window as far as it got; `None` before it has begun.
    pub base: Option<LiveSpan>,
    /// Since warm-up.
    pub total: LiveSpan,
}

impl Recorder {
    /// Every step, in the order of the plan.
    pub fn steps(&self, at: Offset) -> Vec<StepStatus> {
        let step = |(index, series): (usize, &Series)| StepStatus {
            series: series.clone(),
            recent: self.recent_of(at, index..index + 1),
            base: self.filed(BASELINE, index).map(|cell| self.span_of(BASELINE, &[cell], at)),
            total: self.filed(RUN, index).map_or_else(LiveSpan::default, |cell| self.span_of(RUN, &[cell], at)),
        };
        self.series.iter().enumerate().map(step).collect()
    }

    /// The baseline window as far as it got, all steps together; `None` before it has begun.
    pub fn baseline(&self, at: Offset) -> Option<LiveSpan> {
        let cells: Vec<&Cell> = (0..self.series.len()).filter_map(|series| self.filed(BASELINE, series)).collect();
        (!cells.is_empty()).then(|| self.span_of(BASELINE, &cells, at))
    }

    /// Who served what, by window; `known` names the instances.
    pub fn served(&self, known: &[DestinationFacts]) -> Vec<ServedData> {
        self.instances.clone().into_data(&self.places.names, known)
    }

    /// Failed requests by class and step, most frequent first.
    pub fn failures(&self) -> Vec<ErrorData> {
        self.errors.clone().into_data(&self.series)
    }

    /// Requests of the recent span, for some of the series.
    pub(super) fn recent_of(&self, at: Offset, series: std::ops::Range<usize>) -> LiveSpan {
        // A slice that has just begun would make the rates look low.
        let width = self.slices.width();
        let end = at.0 / width;
        let start = end.saturating_sub(RECENT.div_ceil(width));
        let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
        let mut span = LiveSpan { length_s: (end - start) as f64 * width as f64 / 1e9, ..LiveSpan::default() };
        let mut latency = crate::stats::sparse::TwoDigits::default();
        for index in series {
            for slice in self.slices.part(index, range.clone()) {
                span.offered += u64::from(slice.offered);
                span.completed += u64::from(slice.completed);
                span.errors += u64::from(slice.failed());
                latency.merge(&slice.latency);
            }
        }
        span.percentiles(&latency.iter().collect::<Vec<_>>());
        span
    }

    fn span_of(&self, window: usize, cells: &[&Cell], at: Offset) -> LiveSpan {
        let length_s = match window {
            RUN => self.first_judged.map_or(0.0, |from| at.since(from).as_secs_f64()),
            _ => self.places.spans_of(window, at).iter().map(|(from, to)| to.since(*from).as_secs_f64()).sum(),
        };
        let mut span = LiveSpan { length_s, ..LiveSpan::default() };
        let mut pooled;
        let latency: &Histogram<u64> = match cells {
            [only] => &only.latency,
            several => {
                pooled = three_digits();
                several.iter().for_each(|cell| add(&mut pooled, &cell.latency));
                &pooled
            }
        };
        for cell in cells {
            span.offered += cell.offered;
            span.completed += cell.completed;
            span.errors += cell.errors;
        }
        let of = |statistic| statistic_of(latency, statistic);
        (span.p50_ms, span.p90_ms) = (of(Statistic::P50), of(Statistic::P90));
        (span.p99_ms, span.max_ms) = (of(Statistic::P99), of(Statistic::Max));
        span
    }
}
