//! Requests that may belong to a recovery window. How far `recovery:<id>` reaches is known only when the run is over, so
//! they wait in pieces of 50 ms by intended start; those before the recovery are merged then.

use std::collections::BTreeMap;

use brunt_scenario::plan::{Item, Plan};
use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;

use super::cells::{Cell, IterationCell, Waiting, micros_of, record};
use super::places::Placement;
use super::slo::GRID;
use crate::sample::{Iteration, Repeat, Request};
use crate::stats::sparse::ThreeDigits;

/// What waits, by the removal that it follows.
#[derive(Debug, Clone)]
pub struct Recoveries {
    /// Later than so many nanoseconds after a removal no `recover` item can end.
    horizon: u64,
    pieces: BTreeMap<Offset, Pieces>,
}

#[derive(Debug, Clone, Default)]
struct Pieces {
    /// By piece of the grid and series.
    requests: BTreeMap<(u64, u16), Waiting>,
    /// By piece of the grid and journey.
    iterations: BTreeMap<(u64, u16), ThreeDigits>,
}

impl Recoveries {
    /// Nothing waits.
    pub fn new(plan: &Plan) -> Self {
        Self { horizon: plan.timeline.iter().map(longest).sum::<u64>().saturating_add(GRID), pieces: BTreeMap::new() }
    }

    /// Files a request and its part in the rates.
    pub fn file(&mut self, request: &Request, place: &Placement) {
        if let Some(removal) = place.removal_before_start
            && let Some(waiting) = self.waiting(removal, request.intended, request.series)
        {
            waiting.offered += 1;
            if place.may_recover {
                waiting.file(request);
            }
        }
        if let Some(removal) = place.removal_before_end
            && let Some(waiting) = self.waiting(removal, request.done, request.series)
        {
            waiting.completed += 1;
        }
    }

    /// Counts a dropped arrival at the first step of its journey.
    pub fn drop_arrival(&mut self, series: u16, intended: Offset, place: &Placement) {
        if let Some(removal) = place.removal_before_start
            && let Some(waiting) = self.waiting(removal, intended, series)
        {
            waiting.dropped += 1;
        }
    }

    /// Counts a further request of a step that asks again.
    pub fn repeat(&mut self, repeat: &Repeat, place: &Placement) {
        if let Some(removal) = place.removal_before_start
            && let Some(waiting) = self.waiting(removal, repeat.at, repeat.series)
        {
            waiting.repeats += 1;
        }
    }

    /// Files an iteration.
    pub fn file_iteration(&mut self, iteration: &Iteration, place: &Placement) {
        if let Some(removal) = place.removal_before_start.filter(|_| place.may_recover)
            && iteration.intended.0 - removal.0 <= self.horizon
        {
            let key = (iteration.intended.0 / GRID, iteration.journey);
            let pieces = self.pieces.entry(removal).or_default();
            pieces.iterations.entry(key).or_default().record(micros_of(iteration.busy_ns));
        }
    }

    /// The requests of each series that started between `removal` and `end`, which lies on the grid of 50 ms or is rounded
    /// up to it.
    pub fn requests(&self, removal: Offset, end: Offset) -> BTreeMap<u16, Cell> {
        let mut cells: BTreeMap<u16, Cell> = BTreeMap::new();
        if let Some(pieces) = self.pieces.get(&removal).filter(|_| removal < end) {
            for ((_, series), waiting) in pieces.requests.range(..(end.0.div_ceil(GRID), 0)) {
                cells.entry(*series).or_default().absorb(waiting);
            }
        }
        cells
    }

    /// The iterations of each journey that started between `removal` and `end`.
    pub fn iterations(&self, removal: Offset, end: Offset) -> BTreeMap<u16, IterationCell> {
        let mut cells: BTreeMap<u16, IterationCell> = BTreeMap::new();
        if let Some(pieces) = self.pieces.get(&removal).filter(|_| removal < end) {
            for ((_, journey), waiting) in pieces.iterations.range(..(end.0.div_ceil(GRID), 0)) {
                let busy: &mut Histogram<u64> = &mut cells.entry(*journey).or_default().busy;
                waiting.iter().for_each(|(value, count)| record(busy, value, count));
            }
        }
        cells
    }

    fn waiting(&mut self, removal: Offset, at: Offset, series: u16) -> Option<&mut Waiting> {
        if at.0 - removal.0 > self.horizon {
            return None;
        }
        let pieces = self.pieces.entry(removal).or_default();
        Some(pieces.requests.entry((at.0 / GRID, series)).or_default())
    }
}

/// How long an item can keep a recovery from ending: everything that may stand between a fault and the end of its `recover`.
fn longest(item: &Item) -> u64 {
    let span = match item {
        Item::Baseline(span) | Item::Pause(span) | Item::Recover { within: span } => *span,
        Item::Load(_) => brunt_scenario::plan::LOAD_CHANGE,
        // From one round to the next.
        Item::Fault(fault) => fault.repeat.map_or(std::time::Duration::ZERO, |repeat| repeat.every),
        Item::Parallel(members) => {
            return members.iter().map(|member| nanos(member.delay).saturating_add(longest(&member.item))).sum();
        }
    };
    nanos(span)
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 1024)
}
