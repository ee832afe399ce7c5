//! The loop's mind: every source becomes one [`Input`], `handle` decides, the answer is a list of [`Todo`]s.
//!
//! Nothing here waits or does I/O; `run.rs` carries the todos out and feeds what comes of them back in. Window edges are
//! stamped here, through [`Record`], at the moment of the decision: a fault's window opens before the change is asked for
//! and closes after the last undo is confirmed, so its edges need no correction.
//!
//! How a run ends, in order: arrivals stop; faults that are still in place are undone, each removal shown; open requests
//! get their `drain`; services end; the report is written. The first signal starts this at once, the second one skips the
//! drain, the third leaves it to `brunt cleanup` (exit 6).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use brunt_report::facts::{Effect, Facts, FaultFacts, LoadChangeFacts, ProbeFacts, RecoverFacts, Stopped};
use brunt_report::render::format;
use brunt_report::results::{Event, Finding, Severity};
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{LoadChange, Plan};
use brunt_scenario::units::Offset;

use super::record::Record;
use crate::timeline::{self, Action, FaultPhase, Timeline, World};
use faults::planned;
use guardrails::Watch;
pub use input::{Hit, Input, Todo};
use operator::Hands;

mod autoscalers;
mod clusters;
mod faults;
mod guardrails;
mod input;
mod nodes;
mod operator;
mod pods;
mod services;
mod steady;
#[cfg(test)]
mod tests;
mod view;

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Warm-up stages run.
    WarmUp,
    /// Waits for `steady_state.before`, since this instant.
    Before { since: Offset, holding_since: Option<Offset> },
    /// The timeline runs.
    Timeline,
    /// No more decisions: what is in place comes off, the load ends.
    Ending,
}

/// Everything that is decided during a run.
pub struct Orchestrator {
    plan: Arc<Plan>,
    record: Arc<Record>,
    timeline: Timeline,
    phase: Phase,
    phases: Vec<FaultPhase>,
    verifying: Vec<bool>,
    /// As many ready members as a fault's target had when it was hit: it is whole again when it has as many.
    whole_at: Vec<usize>,
    recovering: Option<usize>,
    /// Faults injected since the last `recover`.
    since_recover: Vec<usize>,
    slos: Vec<Option<bool>>,
    probes: Vec<ProbeState>,
    guardrails: Vec<Watch>,
    ready: BTreeMap<String, Vec<bool>>,
    load_over: bool,
    load_started: Offset,
    signals: u32,
    /// Not yet taken by the caller.
    said: Vec<Event>,
    /// All events so far.
    events: Vec<Event>,
    faults: Vec<FaultFacts>,
    recovers: Vec<RecoverFacts>,
    load_changes: Vec<LoadChangeFacts>,
    findings: Vec<Finding>,
    /// Findings whose last lines are not there yet.
    logs_asked: usize,
    stopped: Option<Stopped>,
    /// What a person did.
    hands: Hands,
    /// Instants of load changes that have been asked for and have not come, in order.
    load_changes_due: VecDeque<Offset>,
    /// What clusters told of the targets.
    clusters: clusters::Clusters,
}

#[derive(Debug, Clone)]
struct ProbeState {
    facts: ProbeFacts,
    holds: Option<bool>,
}

impl Orchestrator {
    /// A run whose services are ready and whose load has just been started.
    pub fn new(plan: Arc<Plan>, record: Arc<Record>, load_started: Offset) -> Self {
        let faults: Vec<FaultFacts> =
            timeline::turns_of(&plan.timeline).into_iter().map(|turn| planned(&plan, turn)).collect();
        let probes = plan.steady_state.iter().flat_map(|steady| &steady.probes).map(|probe| ProbeState {
            facts: ProbeFacts { id: probe.id.clone(), asked: 0, failed: 0, last_failure: None },
            holds: None,
        });
        Self {
            timeline: Timeline::new(&plan.timeline),
            phase: Phase::WarmUp,
            phases: vec![FaultPhase::Planned; faults.len()],
            verifying: vec![false; faults.len()],
            whole_at: vec![0; faults.len()],
            recovering: None,
            since_recover: Vec::new(),
            slos: vec![None; plan.slos.len()],
            probes: probes.collect(),
            guardrails: vec![Watch::default(); plan.guardrails.len()],
            ready: plan.services.iter().map(|service| (service.name.clone(), vec![true; service.instances])).collect(),
            load_over: false,
            load_started,
            events: Vec::new(),
            signals: 0,
            said: Vec::new(),
            recovers: Vec::new(),
            load_changes: Vec::new(),
            findings: Vec::new(),
            logs_asked: 0,
            stopped: None,
            hands: Hands::new(faults.len()),
            load_changes_due: VecDeque::new(),
            clusters: clusters::Clusters::default(),
            faults,
            plan,
            record,
        }
    }

    /// Says that the load has begun.
    pub fn begin(&mut self) {
        let text = format!("{}, seed {}", self.plan.title(), self.plan.seed);
        self.say(self.load_started, "run.started", "run", text);
    }

    /// Whether there is nothing left to wait for.
    pub fn is_over(&self) -> bool {
        let pending = self.phases.iter().any(|phase| matches!(phase, FaultPhase::Injecting | FaultPhase::Removing));
        let waiting = pending || self.logs_asked > 0 || self.verifying.contains(&true);
        self.phase == Phase::Ending && self.load_over && !waiting
    }

    /// The next instant at which time alone decides something.
    pub fn next_deadline(&self) -> Option<Offset> {
        match self.phase {
            Phase::Timeline => self.timeline_deadline(),
            Phase::WarmUp => Some(self.warm_up_ends()),
            Phase::Before { .. } | Phase::Ending => None,
        }
    }

    /// What happened since the last call, in order.
    pub fn take_said(&mut self) -> Vec<Event> {
        let said = std::mem::take(&mut self.said);
        self.events.extend(said.iter().cloned());
        said
    }

    /// What the report needs of it all; the caller adds what it knows of load, clock and machine.
    pub fn into_facts(mut self) -> Facts {
        self.take_said();
        let guardrails = self.guardrail_facts();
        let reached = |phase: &FaultPhase| *phase != FaultPhase::Planned;
        let (faults, planned): (Vec<_>, Vec<_>) =
            self.faults.into_iter().zip(self.phases).partition(|(_, phase)| reached(phase));
        Facts {
            faults: faults.into_iter().map(|(fault, _)| fault).collect(),
            faults_not_reached: planned
                .into_iter()
                .filter(|(fault, _)| fault.round == 1)
                .map(|(fault, _)| fault.id)
                .collect(),
            recovers: self.recovers,
            load_changes: self.load_changes,
            operator: self.hands.into_facts(),
            events: self.events,
            findings: self.findings,
            stopped: self.stopped,
            probes: self.probes.into_iter().map(|probe| probe.facts).collect(),
            guardrails,
            pods: self.clusters.pods.into_facts(),
            nodes: self.clusters.nodes.into_facts(),
            autoscalers: self.clusters.autoscalers.into_facts(),
            ..Facts::default()
        }
    }

    /// Decides.
    pub fn handle(&mut self, input: Input, now: Offset) -> Vec<Todo> {
        let mut todos = match input {
            Input::Due => Vec::new(),
            Input::Look => self.look(now),
            Input::Signal(number) => self.signal(number, now),
            Input::Injecting { fault, at } => self.injecting(fault, at),
            Input::Made { fault, instances, at } => self.made(fault, &instances, at),
            Input::Injected { fault, outcome } => self.injected(fault, outcome, now),
            Input::Verified { fault, outcome } => self.verified(fault, outcome, now),
            Input::Reverted { fault, outcome } => self.reverted(fault, outcome),
            Input::Injector(event) => self.injector_says(event, now),
            Input::InstanceReady { service, index, log_from, outcome } => {
                self.instance_ready((service, index), log_from, outcome, now)
            }
            Input::LogRead { finding, lines } => {
                self.logs_asked -= 1;
                if let Some(instance) = self.findings.get_mut(finding).and_then(|finding| finding.instance.as_mut()) {
                    instance.last_lines = lines;
                }
                Vec::new()
            }
            Input::Members { fault, count } => self.members(fault, count, now),
            Input::Probed { probe, outcome } => self.probed(probe, outcome, now),
            Input::Pods { target, told, at } => {
                self.cluster_told(&target, told, at);
                Vec::new()
            }
            Input::Operator(asked) => self.operated(asked, now),
            Input::WorkerLost { worker, why } => {
                self.say(now, "worker.lost", &worker, why.clone());
                // Nothing that is measured from now on proves anything.
                self.stop(Stopped::Invalid(format!("{worker} was lost: {why}")), now)
            }
            Input::LoadOver { broke } => {
                self.load_over = true;
                match broke {
                    Some(why) => self.stop(Stopped::Internal(format!("the load broke: {why}")), now),
                    // A kill whose target is not whole again has nothing left to wait for.
                    None if self.phase == Phase::Ending => self.revert_active(now),
                    None => self.load_ended_before_the_timeline(now),
                }
            }
        };
        todos.extend(self.move_on(now));
        todos
    }

    /// Moves the phases on as far as `now` allows.
    fn move_on(&mut self, now: Offset) -> Vec<Todo> {
        if self.phase == Phase::WarmUp && now >= self.warm_up_ends() {
            let before = self.plan.steady_state.as_ref().is_some_and(|steady| steady.before.is_some());
            self.phase = if before { Phase::Before { since: now, holding_since: None } } else { Phase::Timeline };
        }
        if let Phase::Before { since, holding_since } = self.phase {
            return self.wait_for_steady_state(since, holding_since, now);
        }
        if self.phase != Phase::Timeline {
            return Vec::new();
        }
        self.let_go_in_time(now);
        if self.hands.is_holding() {
            return Vec::new();
        }
        let mut todos = self.revert_what_hands_injected(now);
        let recovered = self.has_recovered(now);
        // `advance` may go several items on at once (an instant fault, then `recover`), so actions are carried into the
        // phases before the timeline is asked again.
        loop {
            let phases = self.hands.phases_without_holds(&self.phases);
            let actions = self.timeline.advance(self.hands.without_holds(now), World { faults: &phases, recovered });
            if actions.is_empty() {
                break;
            }
            for action in actions {
                todos.extend(self.act(action, now));
            }
        }
        if self.timeline.is_over() && self.phase == Phase::Timeline {
            // Lasting faults are off by now, but for those that a person injected again. A load with a fixed length outlives the timeline and is measured to its own
            // end; a killed instance may come back meanwhile.
            self.phase = Phase::Ending;
            todos.extend(self.revert_lasting(now));
            todos.push(Todo::EndOpenEndedLoad);
            if self.load_over {
                todos.extend(self.revert_active(now));
            }
        }
        todos
    }

    /// Takes off whatever is in place.
    fn revert_active(&mut self, now: Offset) -> Vec<Todo> {
        let active = |phase: &FaultPhase| matches!(phase, FaultPhase::Active(_));
        let all: Vec<usize> = (0..self.phases.len()).filter(|fault| active(&self.phases[*fault])).collect();
        all.into_iter().flat_map(|fault| self.begin_revert(fault, now)).collect()
    }

    /// Takes off the lasting faults that are in place.
    fn revert_lasting(&mut self, now: Offset) -> Vec<Todo> {
        let lasting =
            |fault: &usize| matches!(self.phases[*fault], FaultPhase::Active(_)) && !self.faults[*fault].instant;
        let all: Vec<usize> = (0..self.phases.len()).filter(lasting).collect();
        all.into_iter().flat_map(|fault| self.begin_revert(fault, now)).collect()
    }

    /// The run ends before its timeline does: no arrivals any more, and what is in place comes off at once.
    fn stop(&mut self, why: Stopped, now: Offset) -> Vec<Todo> {
        if self.stopped.is_none() {
            self.stopped = Some(why);
        }
        self.record.close_window(&WindowName::Baseline);
        if let Some(recover) = self.recovering.take() {
            self.recovers[recover].to = now;
            self.recovers[recover].cut_short = true;
        }
        self.phase = Phase::Ending;
        self.hands.let_go(now);
        let mut todos = vec![Todo::StopLoad];
        todos.extend(self.revert_active(now));
        todos
    }

    fn warm_up_ends(&self) -> Offset {
        let warm_up = |load: &brunt_scenario::plan::Load| -> Duration {
            load.stages.iter().filter(|stage| stage.warmup).filter_map(|stage| stage.length).sum()
        };
        self.load_started.after(self.plan.load.iter().map(warm_up).max().unwrap_or_default())
    }

    fn act(&mut self, action: Action, now: Offset) -> Vec<Todo> {
        match action {
            Action::BaselineBegins => {
                let at = self.record.open_window(WindowName::Baseline);
                self.say(at, "baseline.started", "baseline", "the reference window begins".to_owned());
                Vec::new()
            }
            Action::BaselineEnds => {
                let at = self.record.close_window(&WindowName::Baseline);
                self.say(at, "baseline.ended", "baseline", "the reference window ends".to_owned());
                Vec::new()
            }
            Action::ChangeLoad { changes, at } => {
                let at = self.hands.with_holds(at);
                self.load_changes_due.push_back(at);
                changes.into_iter().map(|change| Todo::ChangeLoad { change, at }).collect()
            }
            Action::LoadChanged { changes, at } => {
                // A hold that began after the load was told does not move the instant, only the moment of saying so.
                let told = self.load_changes_due.pop_front();
                self.load_changed(changes, told.unwrap_or(at))
            }
            Action::Inject(fault) => self.begin_inject(fault),
            Action::Revert(fault) => self.begin_revert(fault, now),
            Action::RecoverBegins { within } => {
                let faults = std::mem::take(&mut self.since_recover);
                let mut ids: Vec<String> = faults.iter().map(|fault| self.faults[*fault].id.clone()).collect();
                // Rounds of one fault.
                ids.dedup();
                self.recovering = Some(self.recovers.len());
                self.recovers.push(RecoverFacts { faults: ids, from: now, to: now, within, cut_short: false });
                self.since_recover = faults;
                self.say(
                    now,
                    "recover.started",
                    "recover",
                    format!("waiting up to {} for the steady state", humane(within)),
                );
                Vec::new()
            }
            Action::RecoverEnds { recovered } => {
                if let Some(recover) = self.recovering.take() {
                    self.recovers[recover].to = now;
                    let after = humane(now.since(self.recovers[recover].from));
                    let text = if recovered {
                        format!("the steady state holds again, {after} after the wait began")
                    } else {
                        format!("not recovered within {after}")
                    };
                    self.say(now, "recover.ended", "recover", text);
                }
                self.since_recover.clear();
                Vec::new()
            }
        }
    }

    fn load_changed(&mut self, changes: Vec<LoadChange>, at: Offset) -> Vec<Todo> {
        for LoadChange { load, factor } in changes {
            let text = format!("{}x what its stages say", format::number(factor));
            self.say(at, "load.changed", &load, text);
            self.load_changes.push(LoadChangeFacts { load, factor, at });
        }
        Vec::new()
    }

    fn signal(&mut self, number: i32, now: Offset) -> Vec<Todo> {
        self.signals += 1;
        let name = if number == 15 { "SIGTERM" } else { "Ctrl-C" };
        match self.signals {
            1 => {
                self.say(
                    now,
                    "signal",
                    name,
                    "rolling back, then the report; again: do not wait for open requests".to_owned(),
                );
                self.stop(Stopped::Signal(number), now)
            }
            2 => {
                self.say(now, "signal", name, "not waiting for open requests; again: give up".to_owned());
                vec![Todo::AbortLoad]
            }
            _ => vec![Todo::GiveUp],
        }
    }

    /// Looks at objectives, guardrails and the effects of active faults; called every 250 ms.
    fn look(&mut self, now: Offset) -> Vec<Todo> {
        self.look_at_slos(now);
        let mut todos = self.look_at_guardrails(now);
        for fault in 0..self.phases.len() {
            if !matches!(self.phases[fault], FaultPhase::Active(_)) {
                continue;
            }
            if !self.verifying[fault] && !matches!(self.faults[fault].effect, Effect::Verified(_)) {
                self.verifying[fault] = true;
                todos.push(Todo::Verify(fault));
            }
            if self.faults[fault].instant && self.hits_strangers(fault) {
                todos.push(Todo::CountMembers(fault));
            }
        }
        todos
    }

    fn say(&mut self, at: Offset, kind: &str, subject: &str, text: String) {
        self.said.push(Event { at_s: at.as_secs_f64(), kind: kind.to_owned(), subject: subject.to_owned(), text });
    }

    fn finding(&mut self, severity: Severity, text: String, at: Option<Offset>) {
        self.findings.push(Finding { severity, text, at_s: at.map(Offset::as_secs_f64), instance: None });
    }
}

fn humane(span: Duration) -> String {
    format::seconds(span.as_secs_f64())
}
