//! Files what the load workers hand over: batches in, counts and histograms out. Samples are counted, never kept, so memory
//! does not grow with the number of requests.
//!
//! ```text
//! Batch ──file──> places (which windows?) ─> cells (a window and series)     ─┐
//!            │                             ─> recoveries (waiting for the end) │
//!            ├──> slices (the time axis), errors, health                       ├─finish─> Results
//!            └──> slo (the last seconds, and where it was broken)             ─┘
//! ```
//!
//! The runner owns it: it files batches as they come, asks [`Recorder::steady`] and [`Recorder::live`] meanwhile, and calls
//! [`Recorder::finish`] once.

mod answers;
pub mod cells;
mod errors;
mod finish;
pub mod health;
mod instances;
pub mod live;
pub mod places;
pub mod processor;
mod recoveries;
pub mod slices;
pub mod slo;
mod tail;
pub mod trouble;

use brunt_scenario::plan::{Item, Journey, Model, Plan};
use brunt_scenario::units::Offset;

use self::cells::{Cell, IterationCell};
use self::errors::Errors;
use self::health::Watch;
use self::instances::Instances;
use self::places::{Placement, Places, RUN};
use self::processor::Processor;
use self::recoveries::Recoveries;
use self::slices::Slices;
use self::slo::Objectives;
use self::tail::Tail;
use self::trouble::Troubles;
use crate::sample::{Arrival, Batch, Iteration, OpenRequest, Repeat, Request, Series, series_of};
use crate::window::Windows;

/// Everything that was measured so far.
#[derive(Debug)]
pub struct Recorder {
    series: Vec<Series>,
    /// By load entry: its arrivals come by the clock.
    open: Vec<bool>,
    /// By journey: its first step, where dropped arrivals stand.
    first_series: Vec<Option<u16>>,
    places: Places,
    /// By window, then series; a cell is made when first used.
    cells: Vec<Vec<Option<Box<Cell>>>>,
    /// By window, then journey.
    iterations: Vec<Vec<Option<Box<IterationCell>>>>,
    instances: Instances,
    recoveries: Recoveries,
    slices: Slices,
    tail: Tail,
    errors: Errors,
    watch: Watch,
    objectives: Objectives,
    guardrails: Objectives,
    processor: Processor,
    troubles: Troubles,
    /// By worker.
    newest: Vec<Newest>,
    /// The earliest intended start of all, and of all outside warm-up.
    first_seen: Option<Offset>,
    first_judged: Option<Offset>,
    scratch: Placement,
}

/// The state of one worker in its newest batch.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    /// Everything that ended before is filed.
    pub upto: Offset,
    /// Requests that were open then.
    pub open: Vec<OpenRequest>,
    /// Most iterations open at once in that batch.
    pub in_flight: usize,
}

impl Recorder {
    /// An empty recorder for a plan. Memory: about 50 KB for each window and series that gets requests, a few MB for the
    /// time axis of a busy series, 16 bytes for each 50 ms and objective or guardrail of the last minute.
    pub fn new(plan: &Plan) -> Self {
        let series = series_of(plan);
        Self {
            open: plan.load.iter().map(|load| load.model != Model::Closed).collect(),
            first_series: first_series(plan, &series),
            places: Places::new(fault_ids(plan)),
            cells: Vec::new(),
            iterations: Vec::new(),
            instances: Instances::new(plan),
            recoveries: Recoveries::new(plan),
            slices: Slices::new(series.len()),
            tail: Tail::new(plan, series.len()),
            errors: Errors::default(),
            watch: Watch::default(),
            objectives: Objectives::new(plan, &series),
            guardrails: Objectives::of_guardrails(plan, &series),
            processor: Processor::new(plan),
            troubles: Troubles::new(plan, &series),
            newest: Vec::new(),
            first_seen: None,
            first_judged: None,
            scratch: Placement::default(),
            series,
        }
    }

    /// Files one batch. `windows` must be read after the batch was received: then every edge before the end of a request is
    /// known. Batches of different workers may come in any order.
    pub fn file(&mut self, batch: Batch, windows: &Windows) {
        self.places.learn(windows);
        self.troubles.learn(windows);
        for request in &batch.requests {
            self.file_request(request);
        }
        for repeat in &batch.repeats {
            self.file_repeat(repeat);
        }
        for iteration in &batch.iterations {
            self.file_iteration(iteration);
        }
        for arrival in &batch.arrivals {
            self.file_arrival(arrival);
        }
        for example in batch.examples {
            self.errors.keep(example);
        }
        if self.newest.len() <= batch.worker {
            self.newest.resize(batch.worker + 1, Newest::default());
        }
        self.newest[batch.worker] = Newest { upto: batch.upto, open: batch.open, in_flight: batch.in_flight_max };
        self.watch.in_flight(self.newest.iter().map(|worker| worker.in_flight).sum());
        self.objectives.settle(&self.newest);
        self.guardrails.settle(&self.newest);
    }

    fn file_request(&mut self, request: &Request) {
        let mut place = std::mem::take(&mut self.scratch);
        let series = usize::from(request.series);
        self.places.place(request.warmup, request.intended, request.done, &mut place);
        for window in &place.belongs {
            self.cell(*window, series).file(request);
        }
        for window in &place.starts_in {
            self.cell(*window, series).offered += 1;
        }
        for window in &place.ends_in {
            self.cell(*window, series).completed += 1;
        }
        self.instances.file(request, &place.belongs);
        self.slices.file(request);
        self.guardrails.file(request);
        note_earliest(&mut self.first_seen, request.intended);
        if !request.warmup {
            note_earliest(&mut self.first_judged, request.intended);
            self.tail.file(request);
            self.recoveries.file(request, &place);
            self.objectives.file(request);
            self.troubles.file(request);
            self.watch.queued(request.queued_ns);
            if let Some(class) = request.error {
                self.errors.count(request, class);
            }
        }
        self.scratch = place;
    }

    /// A further request of a step that asks again, begun when the one before it had ended: one of each for the rates.
    fn file_repeat(&mut self, repeat: &Repeat) {
        let mut place = std::mem::take(&mut self.scratch);
        self.places.place(repeat.warmup, repeat.at, repeat.at, &mut place);
        for window in &place.starts_in {
            self.cell(*window, usize::from(repeat.series)).repeats += 1;
        }
        if !repeat.warmup {
            self.tail.file_repeat(repeat);
            self.recoveries.repeat(repeat, &place);
        }
        self.objectives.file_repeat(repeat);
        self.guardrails.file_repeat(repeat);
        self.scratch = place;
    }

    fn file_iteration(&mut self, iteration: &Iteration) {
        let mut place = std::mem::take(&mut self.scratch);
        let journey = usize::from(iteration.journey);
        self.places.place(iteration.warmup, iteration.intended, iteration.done, &mut place);
        for window in &place.belongs {
            entry(&mut self.iterations, *window, journey).file(iteration);
        }
        self.guardrails.file_iteration(iteration);
        if !iteration.warmup {
            self.recoveries.file_iteration(iteration, &place);
            self.objectives.file_iteration(iteration);
        }
        self.scratch = place;
    }

    fn file_arrival(&mut self, arrival: &Arrival) {
        let open = self.open.get(usize::from(arrival.load)).copied().unwrap_or(true);
        let first_series = self.first_series.get(usize::from(arrival.journey)).copied().flatten();
        let mut place = std::mem::take(&mut self.scratch);
        self.places.place(arrival.warmup, arrival.intended, arrival.intended, &mut place);
        self.watch.arrival(arrival, open, &place.starts_in);
        if arrival.dropped
            && let Some(series) = first_series
        {
            for window in &place.starts_in {
                self.cell(*window, usize::from(series)).dropped += 1;
            }
            self.recoveries.drop_arrival(series, arrival.intended, &place);
        }
        self.objectives.file_arrival(arrival, first_series);
        self.guardrails.file_arrival(arrival, first_series);
        self.scratch = place;
    }

    fn cell(&mut self, window: usize, series: usize) -> &mut Cell {
        entry(&mut self.cells, window, series)
    }

    /// The cell of a window and series, if a request was filed there.
    fn filed(&self, window: usize, series: usize) -> Option<&Cell> {
        self.cells.get(window)?.get(series)?.as_deref()
    }

    /// The cells of all series in `run`.
    fn run_cells(&self) -> impl Iterator<Item = &Cell> {
        (0..self.series.len()).filter_map(|series| self.filed(RUN, series))
    }
}

/// The first request step of each journey.
fn first_series(plan: &Plan, series: &[Series]) -> Vec<Option<u16>> {
    let first = |journey: &Journey| series.iter().position(|series| series.journey == journey.name);
    plan.journeys.iter().map(|journey| first(journey).and_then(|index| u16::try_from(index).ok())).collect()
}

/// The ids of all faults of the timeline, in its order.
pub fn fault_ids(plan: &Plan) -> Vec<String> {
    fn walk(item: &Item, ids: &mut Vec<String>) {
        match item {
            Item::Fault(fault) => ids.push(fault.id.clone()),
            Item::Parallel(members) => members.iter().for_each(|member| walk(&member.item, ids)),
            Item::Baseline(_) | Item::Pause(_) | Item::Load(_) | Item::Recover { .. } => {}
        }
    }
    let mut ids = Vec::new();
    plan.timeline.iter().for_each(|item| walk(item, &mut ids));
    ids
}

fn note_earliest(earliest: &mut Option<Offset>, at: Offset) {
    *earliest = Some(earliest.map_or(at, |known| known.min(at)));
}

/// The entry at a row and column of a table that grows on demand.
fn entry<T: Default>(table: &mut Vec<Vec<Option<Box<T>>>>, row: usize, column: usize) -> &mut T {
    if table.len() <= row {
        table.resize_with(row + 1, Vec::new);
    }
    let row = &mut table[row];
    if row.len() <= column {
        row.resize_with(column + 1, || None);
    }
    row[column].get_or_insert_with(Box::default)
}
