//! The end of a run: the recorder's counts become [`Measured`], and with the facts [`Results`].

use std::collections::BTreeMap;

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Bound, Plan, Slo};
use brunt_scenario::units::Offset;

use super::Recorder;
use super::cells::{Cell, IterationCell, add};
use super::places::{BASELINE, RUN, WARMUP};
use super::slo::{GRID, TICK};
use crate::facts::Facts;
use crate::gates::{self, Evidence};
use crate::measured::{Measured, Window};
use crate::resilience::{Observed, Resilience};
use crate::results::{
    Results, SCHEMA, SloData, Summary, autoscalers, faults, guardrails, nodes, operator, plan_words, pods, seconds,
    seconds_of, windows,
};
use crate::spans::merged;
use crate::validity;
use crate::verdict::Case;
use crate::window::Windows;

impl Recorder {
    /// Everything that the run came to. All batches must have been filed; `log` is the window log at its end.
    pub fn finish(mut self, plan: &Plan, log: &Windows, facts: Facts) -> Results {
        self.places.learn(log);
        self.objectives.settle_all(facts.load_ended);
        let rounds = self.resilience(&facts);
        let resilience = worst_by_fault(&facts, &rounds);
        let health = validity::health(plan, &facts, &self.watch, &self.places);
        let slos = plan.slos.iter().enumerate().map(|(index, slo)| self.slo_data(index, slo)).collect();
        let errors = std::mem::take(&mut self.errors).into_data(&self.series);
        let answered = |name: &str| self.instances.answered_by(name, &facts.destinations);
        let pods = pods::pod_data(&facts, answered);
        let served = std::mem::take(&mut self.instances).into_data(&self.places.names, &facts.destinations);
        let measured = self.into_measured(plan, &facts, resilience);
        let gates = gates::evaluate(Evidence { plan, measured: &measured, facts: &facts });
        let guardrails = guardrails::guardrail_data(plan, &facts);
        let fault_data = faults::fault_data(plan, &facts, &rounds);
        let requests = measured.windows.get(&WindowName::Run).map_or(0, |run| run.all().requests);
        let case = Case { facts: &facts, faults: &fault_data, gates: &gates, health: &health, requests };
        let conclusion = case.conclude();
        let summary = Summary {
            verdict: conclusion.verdict,
            sentence: conclusion.sentence,
            exit_code: conclusion.exit.code(),
            scenario: plan.title(),
            labels: plan.labels.clone(),
            scenario_sha256: plan.scenario_sha256.clone(),
            schedule_digest: facts.schedule_digest.clone(),
            seed: plan.seed,
            started_at: facts.started_at.clone(),
            duration_s: seconds(facts.load_ended),
            brunt_version: facts.brunt_version.clone(),
            windows: windows::window_table(&measured),
            steps: windows::step_table(&measured),
            gates,
            findings: faults::findings(&facts, &measured, &guardrails),
            guardrails,
            faults: fault_data,
            errors,
            health,
        };
        Results {
            schema: SCHEMA.to_owned(),
            summary,
            series: windows::series_data(&measured),
            served,
            spans: windows::span_data(&measured),
            slos,
            load_changes: faults::load_changes(&facts),
            operator: operator::operator_data(&facts),
            events: faults::events_in_order(&facts),
            probes: faults::probe_data(&facts),
            pods,
            nodes: nodes::node_data(&facts.nodes),
            autoscalers: autoscalers::autoscaler_data(&facts.autoscalers),
            plan: plan_words::plan_data(plan),
            crew: facts.crew,
            environment: facts.environment,
        }
    }

    /// What each fault did, each round of it by itself, in the order of the facts.
    fn resilience(&self, facts: &Facts) -> Vec<Option<Resilience>> {
        let observed = Observed { objectives: &self.objectives, troubles: &self.troubles, facts };
        facts.faults.iter().map(|fault| observed.of(fault)).collect()
    }

    fn slo_data(&self, index: usize, slo: &Slo) -> SloData {
        let (bound, limit) = match slo.bound {
            Bound::Max(limit) => ("max", limit),
            Bound::Min(limit) => ("min", limit),
        };
        let at = |bucket: u64| seconds(Offset(bucket * GRID));
        let broken = self.objectives.history(index).broken(TICK);
        SloData {
            id: slo.id.clone(),
            metric: slo.metric.to_string(),
            journey: slo.scope.journey.clone(),
            step: slo.scope.step.clone(),
            bound: bound.to_owned(),
            limit,
            unit: slo.metric.unit().word().to_owned(),
            over_s: seconds_of(slo.over),
            broken: broken.into_iter().map(|(first, last)| [at(first), at(last)]).collect(),
        }
    }

    fn into_measured(self, plan: &Plan, facts: &Facts, resilience: BTreeMap<String, Resilience>) -> Measured {
        let mut windows = BTreeMap::new();
        for (index, name) in self.places.names.iter().enumerate() {
            let spans = match index {
                WARMUP | RUN => self.implied_span(index, facts),
                // Spans of one name may touch or overlap (a union of parallel items); rates need them apart.
                _ => merged(self.places.spans_of(index, facts.load_ended)),
            };
            let began = !spans.is_empty() || (index != BASELINE && self.has_cells(index));
            if began {
                windows.insert(name.clone(), self.window(index, spans));
            }
        }
        if let Some(run) = windows.get_mut(&WindowName::Run) {
            run.cells.iter_mut().for_each(|(series, cell)| self.tail.cut(*series, facts.load_ended, cell));
        }
        for (fault, of) in &resilience {
            let cut = |&(from, to): &(Offset, Offset)| (from, to.min(facts.load_ended).max(from));
            let spans = merged(of.windows.iter().map(cut).collect());
            if !spans.is_empty() {
                windows.insert(WindowName::Recovery(fault.clone()), self.recovery_window(spans));
            }
        }
        Measured {
            series: self.series,
            journeys: plan.journeys.iter().map(|journey| journey.name.clone()).collect(),
            windows,
            resilience,
            generator_cpu: facts.generator_cpu,
            slices: self.slices,
            seed: plan.seed,
        }
    }

    /// Warm-up ends where the first judged request should have started; `run` begins there and ends at the last arrival.
    fn implied_span(&self, index: usize, facts: &Facts) -> Vec<(Offset, Offset)> {
        let judged_from = self.first_judged.map(|at| at.min(facts.load_ended));
        match (index, judged_from) {
            (RUN, Some(from)) => vec![(from, facts.load_ended)],
            (WARMUP, from) if self.has_cells(WARMUP) => {
                vec![(self.first_seen.unwrap_or_default(), from.unwrap_or(facts.load_ended))]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn has_cells(&self, window: usize) -> bool {
        self.cells.get(window).is_some_and(|row| row.iter().any(Option::is_some))
    }

    pub(super) fn window(&self, index: usize, spans: Vec<(Offset, Offset)>) -> Window {
        let iterations = self.iterations.get(index).into_iter().flatten().enumerate();
        Window {
            spans,
            cells: (0..self.series.len()).filter_map(|at| Some((at, self.filed(index, at)?.clone()))).collect(),
            iterations: iterations
                .filter_map(|(at, cell)| Some((at, IterationCell::clone(cell.as_deref()?))))
                .collect(),
            lag: self.watch.lag_in(index).cloned(),
        }
    }

    fn recovery_window(&self, spans: Vec<(Offset, Offset)>) -> Window {
        let mut cells: BTreeMap<usize, Cell> = BTreeMap::new();
        let mut iterations: BTreeMap<usize, IterationCell> = BTreeMap::new();
        for (from, to) in &spans {
            for (index, cell) in self.recoveries.requests(*from, *to) {
                cells.entry(usize::from(index)).or_default().merge(&cell);
            }
            for (at, cell) in self.recoveries.iterations(*from, *to) {
                add(&mut iterations.entry(usize::from(at)).or_default().busy, &cell.busy);
            }
        }
        Window { spans, cells, iterations, lag: None }
    }
}

/// Of a fault with several rounds the worst of each measure.
fn worst_by_fault(facts: &Facts, rounds: &[Option<Resilience>]) -> BTreeMap<String, Resilience> {
    let mut all: BTreeMap<String, Resilience> = BTreeMap::new();
    for (fault, of) in facts.faults.iter().zip(rounds) {
        let Some(one) = of.clone() else { continue };
        let worst = match all.remove(&fault.id) {
            Some(known) => known.worse_of(one),
            None => one,
        };
        all.insert(fault.id.clone(), worst);
    }
    all
}
