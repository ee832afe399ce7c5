//! The orchestrator's decisions, told as stories. What it asks for is answered by hand; no time passes but what is given.

use std::sync::Arc;

use brunt_injector::{Event as Said, Reverted, Seen};
use brunt_report::facts::{Effect, Stopped};
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;
use brunt_scenario::{LoadOptions, load_text};

use super::{Input, Orchestrator, Todo};
use crate::clock::Clock;
use crate::run::record::Record;

mod guardrails;

const SHOP: &str = r#"
version: 1
services:
  payments: { run: ["payments", "${port}"], instances: 3 }
targets:
  payments: { service: payments }
load:
  main: { get: /, target: payments, stages: [ { ramp_to: 10/s, over: 2s, warmup: true }, { hold: 10/s, for: timeline } ] }
slos:
  fast: { metric: latency.p95, max: 250ms, over: 2s }
steady_state:
  title: fast
  all_of: [fast]
STEADY
timeline:
  - baseline: 3s
  - { id: freeze, fault: process.pause, target: payments, for: 4s }
  - { id: kill, fault: process.kill, target: payments, with: { restart_after: 1s } }
  - recover: { within: 5s }
gates: [ { metric: error_rate, max: 1% } ]
"#;

struct Story {
    orchestrator: Orchestrator,
    record: Arc<Record>,
}

fn plan(steady: &str) -> Plan {
    let text = SHOP.replace("STEADY", steady);
    let scenario = load_text("shop.brunt.yaml", &text, &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn story(steady: &str) -> Story {
    let plan = Arc::new(plan(steady));
    let record = Record::new(&plan, Clock::start());
    Story { orchestrator: Orchestrator::new(plan, Arc::clone(&record), Offset::default()), record }
}

fn at(seconds: f64) -> Offset {
    Offset::from_secs_f64(seconds)
}

impl Story {
    fn tell(&mut self, seconds: f64, input: Input) -> Vec<Todo> {
        self.orchestrator.handle(input, at(seconds))
    }

    /// Up to the moment at which the pause is in place.
    fn frozen() -> Self {
        let mut story = story("");
        assert_eq!(story.tell(1.0, Input::Due), []);
        assert_eq!(story.tell(2.0, Input::Due), [], "the baseline begins when the warm-up ends");
        assert_eq!(story.tell(5.0, Input::Due), [Todo::Inject(0)]);
        assert_eq!(story.tell(5.1, injected(0)), []);
        story
    }

    fn kinds(&mut self) -> Vec<String> {
        self.orchestrator.take_said().into_iter().map(|event| event.kind).collect()
    }

    fn closed(&self, window: &WindowName) -> bool {
        let inner = self.record.lock();
        inner.windows.spans.iter().filter(|span| span.name == *window).all(|span| span.to.is_some())
    }
}

fn injected(fault: usize) -> Input {
    Input::Injected { fault, outcome: Ok(vec!["payments#1".into()]) }
}

fn reverted(fault: usize) -> Input {
    let outcome = Reverted {
        effect: Seen::Yes("stopped".into()),
        rollback_verified: Some(true),
        residue: Vec::new(),
        error: None,
    };
    Input::Reverted { fault, outcome }
}

fn exited() -> Input {
    let status = "killed by SIGKILL".to_owned();
    Input::Injector(Said::InstanceExited {
        service: "payments".into(),
        index: 1,
        pid: 7,
        log_from: 0,
        at: at(0.0),
        status,
        by_fault: Some("kill".into()),
    })
}

#[test]
fn a_load_that_breaks_ends_the_run_with_its_faults_undone() {
    let mut story = Story::frozen();
    let broke = Input::LoadOver { broke: Some("load worker 1 panicked".into()) };
    assert_eq!(story.tell(6.0, broke), [Todo::StopLoad, Todo::Revert(0)]);
    story.tell(6.1, reverted(0));
    assert!(story.orchestrator.is_over());
    let stopped = story.orchestrator.into_facts().stopped;
    assert_eq!(stopped, Some(Stopped::Internal("the load broke: load worker 1 panicked".into())));
}

#[test]
fn a_signal_stops_arrivals_and_undoes_what_is_in_place() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(6.0, Input::Signal(2)), [Todo::StopLoad, Todo::Revert(0)]);
    assert!(!story.orchestrator.is_over());
    assert_eq!(story.tell(6.1, reverted(0)), []);
    assert!(!story.orchestrator.is_over(), "open requests still drain");
    story.tell(6.5, Input::LoadOver { broke: None });
    assert!(story.orchestrator.is_over());
    assert!(story.closed(&WindowName::Fault("freeze".into())));
    let facts = story.orchestrator.into_facts();
    assert_eq!(facts.stopped, Some(Stopped::Signal(2)));
    assert_eq!(facts.faults_not_reached, ["kill"]);
}

#[test]
fn the_second_signal_does_not_wait_for_open_requests_and_the_third_gives_up() {
    let mut story = Story::frozen();
    story.tell(6.0, Input::Signal(15));
    assert_eq!(story.tell(6.1, Input::Signal(15)), [Todo::AbortLoad]);
    assert_eq!(story.tell(6.2, Input::Signal(15)), [Todo::GiveUp]);
}

#[test]
fn a_fault_that_becomes_active_after_the_signal_comes_off_at_once() {
    let mut story = story("");
    story.tell(2.0, Input::Due);
    assert_eq!(story.tell(5.0, Input::Due), [Todo::Inject(0)]);
    assert_eq!(story.tell(5.1, Input::Signal(2)), [Todo::StopLoad]);
    assert_eq!(story.tell(5.2, injected(0)), [Todo::Revert(0)]);
}

#[test]
fn an_absent_effect_takes_the_fault_off_and_makes_the_run_invalid() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(5.25, Input::Look), [Todo::Verify(0)]);
    let seen = Input::Verified { fault: 0, outcome: Ok(Seen::Absent("state S, not T".into())) };
    assert_eq!(story.tell(5.3, seen), [Todo::StopLoad, Todo::Revert(0)]);
    story.tell(5.4, reverted(0));
    let facts = story.orchestrator.into_facts();
    assert!(
        matches!(&facts.stopped, Some(Stopped::Invalid(why)) if why.contains("state S, not T")),
        "{:?}",
        facts.stopped
    );
    assert_eq!(facts.faults[0].effect, Effect::Absent("state S, not T".into()));
}

#[test]
fn a_look_that_ends_after_the_fault_was_taken_off_changes_nothing() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(9.0, Input::Look), [Todo::Verify(0)]);
    assert_eq!(story.tell(9.1, Input::Due), [Todo::Revert(0)]);
    let late = Input::Verified { fault: 0, outcome: Err("no such fault".into()) };
    assert_eq!(story.tell(9.2, late), []);
    assert!(story.orchestrator.into_facts().stopped.is_none());
}

#[test]
fn a_fault_that_cannot_be_injected_ends_the_run_as_invalid_and_closes_its_window() {
    let mut story = story("");
    story.tell(2.0, Input::Due);
    story.tell(5.0, Input::Due);
    let refused = Input::Injected { fault: 0, outcome: Err("it is stopped already".into()) };
    assert_eq!(story.tell(5.1, refused), [Todo::StopLoad]);
    assert!(story.closed(&WindowName::Fault("freeze".into())));
}

#[test]
fn a_kill_lasts_until_as_many_instances_are_ready_as_before() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(9.1, Input::Due), [Todo::Revert(0)]);
    assert_eq!(story.tell(9.2, reverted(0)), [Todo::Inject(1)]);
    assert_eq!(story.tell(9.3, injected(1)), [], "recover begins with the act");
    let gone = story.tell(9.3, exited());
    assert_eq!(gone, [Todo::SetReady { service: "payments".into(), index: 1, ready: false }]);
    assert!(!story.closed(&WindowName::Fault("kill".into())));
    let ready = Input::InstanceReady { service: "payments".into(), index: 1, log_from: 0, outcome: Ok(()) };
    let back = Todo::SetReady { service: "payments".into(), index: 1, ready: true };
    assert_eq!(story.tell(10.5, ready), [back, Todo::Revert(1)]);
    assert!(story.closed(&WindowName::Fault("kill".into())));
    assert!(story.kinds().contains(&"fault.removed".to_owned()));
}

#[test]
fn an_exit_without_a_fault_is_a_finding() {
    let mut story = Story::frozen();
    let status = "exit status 1".to_owned();
    let (service, by_fault) = ("payments".to_owned(), None);
    let said = Said::InstanceExited { service, index: 0, pid: 7, log_from: 40, at: at(0.0), status, by_fault };
    let todos = story.tell(6.0, Input::Injector(said));
    let not_ready = Todo::SetReady { service: "payments".into(), index: 0, ready: false };
    let read_log = Todo::ReadLog { finding: 0, service: "payments".into(), index: 0, log_from: 40 };
    assert_eq!(todos, [not_ready, read_log]);
    story.tell(6.1, Input::Signal(2));
    story.tell(6.2, reverted(0));
    story.tell(6.3, Input::LoadOver { broke: None });
    assert!(!story.orchestrator.is_over(), "its last lines are still being read");
    story.tell(6.4, Input::LogRead { finding: 0, lines: vec!["no such table".into()] });
    assert!(story.orchestrator.is_over());
    let facts = story.orchestrator.into_facts();
    assert!(facts.findings[0].text.contains("exited by itself: exit status 1"), "{:?}", facts.findings);
    let instance = facts.findings[0].instance.as_ref().expect("it is about an instance");
    assert_eq!((instance.status.as_deref(), instance.log.as_str()), (Some("exit status 1"), "services/payments-0.log"));
    assert_eq!(instance.last_lines, ["no such table"]);
}

#[test]
fn a_steady_state_that_is_not_met_in_time_stops_the_run_before_anything_is_injected() {
    let mut story = story("  before: { hold_for: 1s, within: 4s }");
    story.tell(2.0, Input::Due);
    assert_eq!(story.tell(5.9, Input::Look), []);
    assert_eq!(story.tell(6.0, Input::Look), [Todo::StopLoad]);
    let facts = story.orchestrator.into_facts();
    assert!(
        matches!(&facts.stopped, Some(Stopped::SteadyStateNotMet(what)) if what.contains("fast")),
        "{:?}",
        facts.stopped
    );
    assert_eq!(facts.faults_not_reached, ["freeze", "kill"]);
}
