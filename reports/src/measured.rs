//! All numbers of a finished run, before anything is judged: the recorder makes it, `metric` reads it.

use std::collections::BTreeMap;

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::Scope;
use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;

use crate::recorder::cells::{Cell, IterationCell, add, three_digits};
use crate::recorder::slices::Slices;
use crate::resilience::Resilience;
use crate::sample::Series;

/// A finished run in numbers.
#[derive(Debug)]
pub struct Measured {
    /// All request steps.
    pub series: Vec<Series>,
    /// The journeys' names, in the order of the plan.
    pub journeys: Vec<String>,
    /// Every window that began.
    pub windows: BTreeMap<WindowName, Window>,
    /// By fault.
    pub resilience: BTreeMap<String, Resilience>,
    /// CPU of brunt, of one core a worker; 0 to 1.
    pub generator_cpu: f64,
    /// The time axis.
    pub slices: Slices,
    /// Decides the resampling.
    pub seed: u64,
}

/// One window.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// In order, not overlapping, cut at the last arrival.
    pub spans: Vec<(Offset, Offset)>,
    /// By series; only those with requests.
    pub cells: BTreeMap<usize, Cell>,
    /// By journey.
    pub iterations: BTreeMap<usize, IterationCell>,
    /// How late arrivals of open loads were handled, microseconds.
    pub lag: Option<Histogram<u64>>,
}

impl Window {
    /// First instant of its first span.
    pub fn from(&self) -> Offset {
        self.spans.first().map_or(Offset(0), |(from, _)| *from)
    }

    /// Last instant of its last span.
    pub fn to(&self) -> Offset {
        self.spans.last().map_or(Offset(0), |(_, to)| *to)
    }

    /// Sum of its spans, seconds.
    pub fn length_s(&self) -> f64 {
        self.spans.iter().map(|(from, to)| to.since(*from).as_secs_f64()).sum()
    }

    /// So many a second of its length, to six places; 0 for a window without length.
    pub fn a_second(&self, count: u64) -> f64 {
        let length = self.length_s();
        if length > 0.0 { crate::results::rounded_seconds(count as f64 / length) } else { 0.0 }
    }

    /// The requests of some series together.
    pub fn pool(&self, series: &[usize]) -> Cell {
        let mut pool = Cell::default();
        series.iter().filter_map(|index| self.cells.get(index)).for_each(|cell| pool.merge(cell));
        pool
    }

    /// The requests of all series together.
    pub fn all(&self) -> Cell {
        let mut pool = Cell::default();
        self.cells.values().for_each(|cell| pool.merge(cell));
        pool
    }
}

impl Measured {
    /// The iterations of a journey, or of all, in a window: microseconds without think time.
    pub fn iterations(&self, window: &Window, scope: &Scope) -> Histogram<u64> {
        let mut busy = three_digits();
        for (index, cell) in &window.iterations {
            let name = self.journeys.get(*index);
            if scope.journey.is_none() || scope.journey.as_ref() == name {
                add(&mut busy, &cell.busy);
            }
        }
        busy
    }
}
