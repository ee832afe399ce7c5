//! The timeline as spans: what has begun as it was, what is to come as it is planned behind it.

use std::time::Duration;

use brunt_report::results::Event;
use brunt_scenario::plan::{Item, Plan};
use brunt_scenario::units::Offset;

use super::super::orchestrator::Orchestrator;
use crate::timeline::{FaultPhase, rounds_take};
use crate::ui::snapshot::{Span, SpanKind};

/// The whole timeline, warm-up and the wait for the steady state before it.
pub fn spans(plan: &Plan, orchestrator: &Orchestrator, events: &[Event], now_s: f64) -> Vec<Span> {
    let warm_up = orchestrator.warm_up_end().as_secs_f64();
    let mut walk =
        Walk { orchestrator, events, now_s, cursor: warm_up, baselines: 0, recovers: 0, turns: 0, spans: Vec::new() };
    if warm_up > 0.0 && plan.load.iter().any(|load| load.stages.iter().any(|stage| stage.warmup)) {
        walk.push(
            SpanKind::WarmUp,
            "warm-up".to_owned(),
            Some(0.0),
            Some(warm_up).filter(|end| now_s >= *end),
            warm_up,
        );
    }
    if let Some(before) = plan.steady_state.as_ref().and_then(|steady| steady.before) {
        let held = walk.event("steady_state.held", 0);
        let begun = Some(walk.cursor).filter(|from| now_s >= *from);
        walk.push(SpanKind::Waiting, "steady?".to_owned(), begun, held, before.hold_for.as_secs_f64());
    }
    for item in &plan.timeline {
        walk.item(item);
    }
    walk.spans
}

/// When the run will be over: the timeline, or loads that go on for longer.
pub fn expected_s(plan: &Plan, spans: &[Span]) -> Option<f64> {
    let fixed = |load: &brunt_scenario::plan::Load| {
        load.stages.iter().map(|stage| stage.length).sum::<Option<Duration>>().map(|length| length.as_secs_f64())
    };
    let loads = plan.load.iter().filter_map(fixed).fold(0.0, f64::max);
    let timeline = spans.last().map_or(0.0, |span| span.to_s);
    Some(timeline.max(loads)).filter(|end| *end > 0.0)
}

struct Walk<'a> {
    orchestrator: &'a Orchestrator,
    events: &'a [Event],
    now_s: f64,
    /// Where the next span begins.
    cursor: f64,
    baselines: usize,
    recovers: usize,
    turns: usize,
    spans: Vec<Span>,
}

impl Walk<'_> {
    fn event(&self, kind: &str, number: usize) -> Option<f64> {
        self.events.iter().filter(|event| event.kind == kind).nth(number).map(|event| event.at_s)
    }

    fn push(&mut self, kind: SpanKind, label: String, from: Option<f64>, to: Option<f64>, length_s: f64) {
        let from_s = from.unwrap_or(self.cursor);
        // What takes longer than it was planned to ends now at the earliest.
        let planned = if from.is_some() { (from_s + length_s).max(self.now_s) } else { from_s + length_s };
        let to_s = to.unwrap_or(planned).max(from_s);
        self.cursor = to_s;
        self.spans.push(Span { kind, label, from_s, to_s, begun: from.is_some(), over: to.is_some() });
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Baseline(length) => {
                let (from, to) =
                    (self.event("baseline.started", self.baselines), self.event("baseline.ended", self.baselines));
                self.baselines += 1;
                self.push(SpanKind::Baseline, "baseline".to_owned(), from, to, length.as_secs_f64());
            }
            Item::Pause(length) => {
                let from = Some(self.cursor).filter(|_| self.before_is_over());
                let end = self.cursor + length.as_secs_f64();
                self.push(
                    SpanKind::Pause,
                    String::new(),
                    from,
                    from.and(Some(end)).filter(|end| self.now_s >= *end),
                    end - self.cursor,
                );
            }
            Item::Recover { within } => {
                let (all, going_on) = self.orchestrator.recovers();
                let known = all.get(self.recovers);
                let from = known.map(|recover| recover.from.as_secs_f64());
                let to = known.filter(|_| going_on != Some(self.recovers)).map(|recover| recover.to.as_secs_f64());
                self.recovers += 1;
                self.push(SpanKind::Recover, "recover".to_owned(), from, to, within.as_secs_f64());
            }
            Item::Fault(_) | Item::Parallel(_) => self.faults(item),
            Item::Load(_) => {}
        }
    }

    /// One fault with all its rounds, or a group: from the first beginning to the last end.
    fn faults(&mut self, item: &Item) {
        let faults = crate::timeline::faults_of(std::slice::from_ref(item));
        let turns: usize = faults.iter().map(|fault| fault.rounds() as usize).sum();
        let mut froms: Vec<Offset> = Vec::new();
        let mut tos: Vec<Option<Offset>> = Vec::new();
        for (facts, phase) in self.orchestrator.turns().skip(self.turns).take(turns) {
            froms.extend(facts.injecting_at);
            tos.push(match phase {
                FaultPhase::Removed => facts.removed_at.or(facts.active_at),
                // The timeline goes on as soon as an instant fault has acted.
                FaultPhase::Active(at) if facts.instant => Some(at),
                FaultPhase::Removing if facts.instant => facts.active_at,
                _ => None,
            });
        }
        self.turns += turns;
        let mut label = faults.iter().map(|fault| fault.id.as_str()).collect::<Vec<_>>().join(" + ");
        if let [only] = faults.as_slice()
            && only.rounds() > 1
        {
            label = format!("{label} x{}", only.rounds());
        }
        let length = match item {
            Item::Fault(fault) => rounds_take(fault).as_secs_f64(),
            group => crate::timeline::worst_case(std::slice::from_ref(group)).as_secs_f64(),
        };
        let from = froms.iter().min().map(|from| from.as_secs_f64());
        let whole: Option<Vec<Offset>> = tos.into_iter().collect();
        let to = whole.and_then(|all| all.into_iter().max()).map(|to| to.as_secs_f64());
        if faults.is_empty() {
            // A group of pauses or load changes.
            let end = self.cursor + length;
            let from = Some(self.cursor).filter(|_| self.before_is_over());
            self.push(
                SpanKind::Pause,
                String::new(),
                from,
                from.and(Some(end)).filter(|end| self.now_s >= *end),
                length,
            );
            return;
        }
        self.push(SpanKind::Fault, label, from, to, length);
    }

    fn before_is_over(&self) -> bool {
        self.spans.last().is_none_or(|span| span.over)
    }
}
