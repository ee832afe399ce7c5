//! Objectives and guardrails over a sliding span: do they hold now, since when, and where were they broken.
//!
//! Requests are counted in buckets of 50 ms by intended start. A percentile needs only two counts a bucket, because the
//! nearest-rank percentile is at most the bound exactly when at least ceil(q n) requests are. So the answer is exact and a
//! bucket has 16 bytes. Spans whose requests have all ended are judged once, kept as runs of equal states, and their buckets
//! freed; memory does not grow with time.

mod history;
mod recent;
mod rule;

use std::collections::VecDeque;
use std::time::Duration;

use brunt_scenario::metric::Metric;
use brunt_scenario::plan::{Bound, Guardrail, Plan, Scope, Slo};
use brunt_scenario::units::Offset;

pub use self::history::{History, State};
use self::recent::Recent;
pub use self::rule::keeps;
use self::rule::{Rule, Tally};
use super::Newest;
use crate::metric::series_in;
use crate::sample::{Arrival, Iteration, OpenRequest, Repeat, Request, Series};

/// Width of a bucket, and the grid on which a recovery is found: 50 ms.
pub const GRID: u64 = 50_000_000;
/// A broken span is looked for at every fifth bucket: each 250 ms.
pub const TICK: u64 = 5;
/// Spans are judged for good when all their requests have ended and this long has passed: a worker that hands its batch over
/// late is still counted.
const MARGIN: u64 = 60_000_000_000 / GRID;

/// Values are kept for a span and this many buckets more: what is late, and a look back.
const LATE: u64 = 2_000_000_000 / GRID;
/// A worker that has said nothing for this long is stuck: one second, nanoseconds.
const SILENCE: u64 = 1_000_000_000;

/// What is asked of a sliding span, by an objective or by a guardrail: both are judged by the same arithmetic.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    metric: Metric,
    scope: &'a Scope,
    bound: Bound,
    over: Duration,
}

impl<'a> From<&'a Slo> for Asked<'a> {
    fn from(slo: &'a Slo) -> Self {
        Self { metric: slo.metric, scope: &slo.scope, bound: slo.bound, over: slo.over }
    }
}

impl<'a> From<&'a Guardrail> for Asked<'a> {
    fn from(guard: &'a Guardrail) -> Self {
        Self { metric: guard.metric, scope: &guard.scope, bound: guard.bound, over: guard.over }
    }
}

/// All objectives of a plan, or all its guardrails.
#[derive(Debug)]
pub struct Objectives {
    all: Vec<Objective>,
    /// Guardrails look at the warm-up as well: what goes wrong there is as real.
    warm_up: bool,
    /// Indices of those that the steady state is made of; all of them, when a plan has objectives but no steady state.
    pub steady: Vec<usize>,
    /// By series: the objectives that count its requests.
    by_series: Vec<Vec<usize>>,
}

/// One objective.
#[derive(Debug)]
struct Objective {
    rule: Rule,
    /// Buckets that a span has.
    over: u64,
    /// The journeys that it is about, by index.
    journeys: Vec<bool>,
    buckets: VecDeque<Tally>,
    /// Of a percentile: the values of the last spans.
    recent: Option<Recent>,
    /// Number of the first bucket that is kept; spans that start before it stand in `history`.
    base: u64,
    history: History,
}

/// The tally of a span and what follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// What it means.
    pub state: State,
    /// The measured value, in the metric's unit; `None` when the state is unknown. Percentiles have two digits.
    pub value: Option<f64>,
}

impl Objectives {
    /// The objectives of a plan, nothing counted yet.
    pub fn new(plan: &Plan, series: &[Series]) -> Self {
        let mut objectives = Self::asked(plan.slos.iter().map(Asked::from), plan, series);
        objectives.steady = match &plan.steady_state {
            Some(steady) => steady.slos.clone(),
            None => (0..objectives.all.len()).collect(),
        };
        objectives
    }

    /// The guardrails of a plan, nothing counted yet.
    pub fn of_guardrails(plan: &Plan, series: &[Series]) -> Self {
        Self { warm_up: true, ..Self::asked(plan.guardrails.iter().map(Asked::from), plan, series) }
    }

    fn asked<'a>(asked: impl Iterator<Item = Asked<'a>>, plan: &Plan, series: &[Series]) -> Self {
        let mut by_series = vec![Vec::new(); series.len()];
        let mut all = Vec::new();
        for (index, asked) in asked.enumerate() {
            let scope = series_in(series, asked.scope);
            scope.iter().for_each(|series| by_series[*series].push(index));
            let in_scope = |name: &str| scope.iter().any(|at| series[*at].journey == name);
            let rule = Rule::new(asked.metric, asked.bound);
            let over = u64::try_from(asked.over.as_nanos()).unwrap_or(u64::MAX).div_ceil(GRID).max(1);
            all.push(Objective {
                rule,
                over,
                recent: rule.quantile().map(|_| Recent::new(over + LATE)),
                journeys: plan.journeys.iter().map(|journey| in_scope(&journey.name)).collect(),
                buckets: VecDeque::new(),
                base: 0,
                history: History::default(),
            });
        }
        Self { all, warm_up: false, steady: Vec::new(), by_series }
    }

    /// Counts a request; one of the warm-up only where that is looked at.
    pub fn file(&mut self, request: &Request) {
        if request.warmup && !self.warm_up {
            return;
        }
        for index in &self.by_series[usize::from(request.series)] {
            let objective = &mut self.all[*index];
            for (at, tally) in objective.rule.request(request).into_iter().flatten() {
                objective.count(at, tally);
            }
        }
    }

    /// Counts a further request of a step that asks again; one of the warm-up only where that is looked at.
    pub fn file_repeat(&mut self, repeat: &Repeat) {
        if repeat.warmup && !self.warm_up {
            return;
        }
        for index in &self.by_series[usize::from(repeat.series)] {
            let objective = &mut self.all[*index];
            if let Some(tally) = objective.rule.repeat() {
                objective.count(repeat.at, tally);
            }
        }
    }

    /// Counts an iteration; one of the warm-up only where that is looked at.
    pub fn file_iteration(&mut self, iteration: &Iteration) {
        if iteration.warmup && !self.warm_up {
            return;
        }
        for objective in &mut self.all {
            if objective.journeys.get(usize::from(iteration.journey)) == Some(&true)
                && let Some(tally) = objective.rule.iteration(iteration)
            {
                objective.count(iteration.intended, tally);
            }
        }
    }

    /// Counts an arrival, one of the warm-up only where that is looked at; `first_series` is the first step of its journey.
    pub fn file_arrival(&mut self, arrival: &Arrival, first_series: Option<u16>) {
        if arrival.warmup && !self.warm_up {
            return;
        }
        let Some(series) = first_series else { return };
        for index in &self.by_series[usize::from(series)] {
            let objective = &mut self.all[*index];
            if let Some(tally) = objective.rule.arrival(arrival) {
                objective.count(arrival.intended, tally);
            }
        }
    }

    /// Judges the spans in which nothing can change any more, and frees their buckets.
    pub fn settle(&mut self, workers: &[Newest]) {
        let Some(upto) = workers.iter().map(Newest::complete_upto).min() else { return };
        let complete = (upto.0 / GRID).saturating_sub(MARGIN);
        self.all.iter_mut().for_each(|objective| objective.settle(complete));
    }

    /// Judges every span that ends by `end`; for the end of the run, when every request has ended.
    pub fn settle_all(&mut self, end: Offset) {
        self.all.iter_mut().for_each(|objective| objective.settle(end.0 / GRID));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// How many buckets a span of an objective has.
    pub fn over(&self, index: usize) -> u64 {
        self.all[index].over
    }

    /// Judges the span of an objective that ends at `at`, rounded down to the grid, open requests included.
    pub fn status(&self, index: usize, at: Offset, workers: &[Newest]) -> Judged {
        let objective = &self.all[index];
        let end = visible(at, workers) / GRID;
        let start = end.saturating_sub(objective.over);
        let overlay = self.overlay(index, (start, end), at, workers, Rule::open);
        let tally = objective.sum(start, end, &overlay);
        let (state, value) = objective.rule.judge(tally, end - start);
        let percentile = || {
            let (recent, q) = objective.recent.as_ref().zip(objective.rule.quantile())?;
            let ages =
                self.open_in(index, start, end, at, workers).filter_map(|(_, age)| objective.rule.open(age)?.micros());
            recent.quantile(q, start, end, ages).map(|micros| objective.rule.on_its_side(state, micros as f64 / 1e3))
        };
        let value = if state == State::Unknown { None } else { value.or_else(percentile) };
        Judged { state, value }
    }

    /// The earliest instant on the grid, not before `since`, such that every objective of the steady state holds over the
    /// span that begins there and ends by `at`, whatever becomes of the requests that are open: what the end of the run says
    /// of the recovery, when they have ended, must not be another thing. `None`: not yet.
    pub fn earliest_hold_since(&self, since: Offset, at: Offset, workers: &[Newest]) -> Option<Offset> {
        let first = since.0.div_ceil(GRID);
        let end = visible(at, workers) / GRID;
        let mut states = Vec::new();
        for index in &self.steady {
            let starts = (end + 1).saturating_sub(self.all[*index].over);
            let overlay = self.overlay(*index, (first, end), at, workers, Rule::open_at_worst);
            states.push(self.all[*index].states(first, starts, &overlay));
        }
        let shortest = states.iter().map(Vec::len).min()?;
        let found = (0..shortest).find(|at| states.iter().all(|states| states[*at] == State::Holds))?;
        Some(Offset((first + found as u64) * GRID))
    }

    /// The state of the spans of an objective, by their start. Complete only after [`Objectives::settle_all`].
    pub fn history(&self, index: usize) -> &History {
        &self.all[index].history
    }

    /// What the open requests add to the buckets from `start` to `end`, each as `counts` has it.
    fn overlay(
        &self,
        index: usize,
        (start, end): (u64, u64),
        at: Offset,
        workers: &[Newest],
        counts: fn(&Rule, u64) -> Option<Tally>,
    ) -> Vec<Tally> {
        let mut overlay = vec![Tally::default(); usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        for (bucket, age) in self.open_in(index, start, end, at, workers) {
            if let Some(tally) = counts(&self.all[index].rule, age) {
                overlay[(bucket - start) as usize].add(tally);
            }
        }
        overlay
    }

    /// Bucket and age of the open requests that an objective counts in the buckets from `start` to `end`.
    fn open_in<'a>(
        &'a self,
        index: usize,
        start: u64,
        end: u64,
        at: Offset,
        workers: &'a [Newest],
    ) -> impl Iterator<Item = (u64, u64)> + 'a {
        let open = workers.iter().flat_map(move |worker| {
            let seen_until = worker.seen_until(at);
            worker.open.iter().map(move |request| (request, seen_until))
        });
        open.filter_map(move |(request, seen_until)| {
            let bucket = request.intended.0 / GRID;
            let looked_at = self.warm_up || !request.warmup;
            let counted = looked_at && (start..end).contains(&bucket) && self.counts(index, request);
            counted.then(|| (bucket, seen_until.saturating_sub(request.intended.0)))
        })
    }

    fn counts(&self, index: usize, request: &OpenRequest) -> bool {
        self.by_series.get(usize::from(request.series)).is_some_and(|of| of.contains(&index))
    }
}

/// Until when the data may be looked at: what the slowest worker has handed over.
fn visible(at: Offset, workers: &[Newest]) -> u64 {
    workers.iter().map(|worker| worker.seen_until(at)).min().unwrap_or(at.0)
}

impl Newest {
    /// Until when this worker's requests are known: as of its last word, because what was open then may have ended since.
    /// After a second without a word its silence counts.
    fn seen_until(&self, at: Offset) -> u64 {
        if at.0.saturating_sub(self.upto.0) > SILENCE { at.0 } else { self.upto.0.min(at.0) }
    }

    /// Every request that should have started before it has ended and is filed.
    fn complete_upto(&self) -> Offset {
        self.open.iter().map(|request| request.intended).min().unwrap_or(self.upto).min(self.upto)
    }
}

impl Objective {
    fn count(&mut self, at: Offset, tally: Tally) {
        if let Some((recent, micros)) = self.recent.as_mut().zip(tally.micros()) {
            recent.record(at.0 / GRID, micros);
        }
        // A sample of a settled span would come more than a minute late; it is left out of the objective.
        let Some(index) = (at.0 / GRID).checked_sub(self.base) else { return };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, Tally::default());
        }
        self.buckets[index].add(tally);
    }

    /// Judges every span that ends by the bucket `complete`.
    fn settle(&mut self, complete: u64) {
        let starts = (complete + 1).saturating_sub(self.over);
        if starts <= self.base {
            return;
        }
        let states = self.states(self.base, starts, &[]);
        for (start, state) in (self.base..).zip(states) {
            self.history.push(start, state);
        }
        let gone = usize::try_from(starts - self.base).unwrap_or(usize::MAX).min(self.buckets.len());
        self.buckets.drain(..gone);
        self.base = starts;
    }

    /// The states of the spans that start at the buckets `first..end`. `overlay` is added to the buckets from `first` on.
    fn states(&self, first: u64, end: u64, overlay: &[Tally]) -> Vec<State> {
        let mut states = Vec::new();
        let mut tally: Option<Tally> = None;
        for start in first..end {
            if start < self.base {
                states.push(self.history.at(start));
                continue;
            }
            let at = |bucket: u64| {
                let mut both = self.bucket(bucket);
                both.add(overlay.get((bucket - first) as usize).copied().unwrap_or_default());
                both
            };
            let sum = match tally {
                Some(mut sum) => {
                    sum.remove(at(start - 1));
                    sum.add(at(start + self.over - 1));
                    sum
                }
                None => (start..start + self.over).map(at).fold(Tally::default(), |mut sum, one| {
                    sum.add(one);
                    sum
                }),
            };
            tally = Some(sum);
            states.push(self.rule.judge(sum, self.over).0);
        }
        states
    }

    fn sum(&self, start: u64, end: u64, overlay: &[Tally]) -> Tally {
        let mut sum = Tally::default();
        for bucket in start..end {
            sum.add(self.bucket(bucket));
        }
        overlay.iter().for_each(|tally| sum.add(*tally));
        sum
    }

    fn bucket(&self, number: u64) -> Tally {
        let index = number.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.buckets.get(index)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
