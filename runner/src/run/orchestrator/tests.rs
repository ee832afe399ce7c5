//! The orchestrator's decisions, told as stories. What it asks for is answered by hand; no time passes but what is given.

use std::sync::Arc;

use brunt_injector::{Event as Said, Reverted, Seen};
use brunt_report::facts::{Effect, Stopped};
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{LoadChange, Plan};
use brunt_scenario::units::Offset;
use brunt_scenario::{LoadOptions, load_text};

use super::{Hit, Input, Orchestrator, Todo};
use crate::clock::Clock;
use crate::run::record::Record;

mod guardrails;
mod operator;

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
    plan_of(&SHOP.replace("STEADY", steady))
}

fn plan_of(text: &str) -> Plan {
    let scenario = load_text("shop.brunt.yaml", text, &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn story(steady: &str) -> Story {
    story_of(plan(steady))
}

fn story_of(plan: Plan) -> Story {
    let plan = Arc::new(plan);
    let record = Record::new(&plan, Clock::start());
    Story { orchestrator: Orchestrator::new(plan, Arc::clone(&record), Offset::default()), record }
}

fn at(seconds: f64) -> Offset {
    Offset::from_secs_f64(seconds)
}

impl Story {
    /// Whoever injects opens the window first and says when the change was made: so here.
    fn tell(&mut self, seconds: f64, input: Input) -> Vec<Todo> {
        if let Input::Injected { fault, outcome: Ok(Hit { instances, .. }) } = &input {
            let made = Input::Made { fault: *fault, instances: instances.clone(), at: at(seconds) };
            assert_eq!(self.orchestrator.handle(made, at(seconds)), []);
        }
        let todos = self.orchestrator.handle(input, at(seconds));
        for todo in &todos {
            if let Todo::Inject(fault) = todo {
                let id = self.orchestrator.faults[*fault].id.clone();
                let opened = self.record.open_window(WindowName::Fault(id));
                let injecting = Input::Injecting { fault: *fault, at: opened };
                assert_eq!(self.orchestrator.handle(injecting, at(seconds)), []);
            }
        }
        todos
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
    Input::Injected { fault, outcome: Ok(Hit { instances: vec!["payments#1".into()], of: 3, rung: None }) }
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
fn a_target_of_strangers_is_whole_again_when_as_many_run_as_before_the_kill() {
    let text = r#"
version: 1
targets:
  api: { url: "http://127.0.0.1:1" }
  ledger: { process: { name: ledger } }
load: { main: { target: api, get: /, rate: 10/s, for: timeline } }
timeline:
  - { id: kill, fault: process.kill, target: ledger }
  - pause: 10s
"#;
    let mut story = story_of(plan_of(text));
    let window = WindowName::Fault("kill".into());
    assert_eq!(story.tell(0.0, Input::Due), [Todo::Inject(0)]);
    story.tell(0.1, injected(0));
    assert!(story.tell(0.25, Input::Look).contains(&Todo::CountMembers(0)));
    assert_eq!(story.tell(0.25, Input::Members { fault: 0, count: 2 }), [], "two of three is not whole");
    assert!(!story.closed(&window));
    let again = story.tell(2.0, Input::Members { fault: 0, count: 3 });
    assert_eq!(again, [Todo::Revert(0)], "its supervisor has started another one");
    assert!(story.closed(&window));
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
fn a_worker_that_is_lost_ends_the_run_with_its_faults_undone_as_nothing_measured_from_then_on_proves_anything() {
    let mut story = Story::frozen();
    let lost = Input::WorkerLost { worker: "worker 2 (pod x on n1)".into(), why: "its pod is gone".into() };
    assert_eq!(story.tell(6.0, lost), [Todo::StopLoad, Todo::Revert(0)]);
    story.tell(6.1, reverted(0));
    assert!(!story.orchestrator.is_over(), "the other workers drain");
    story.tell(6.2, Input::LoadOver { broke: None });
    assert!(story.orchestrator.is_over());
    let facts = story.orchestrator.into_facts();
    assert_eq!(facts.stopped, Some(Stopped::Invalid("worker 2 (pod x on n1) was lost: its pod is gone".into())));
    assert!(facts.events.iter().any(|event| event.kind == "worker.lost"), "{:#?}", facts.events);
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

const ROLLING: &str = r#"
version: 1
services:
  payments: { run: ["payments", "${port}"], instances: 3 }
targets:
  payments: { service: payments }
load:
  main: { get: /, target: payments, rate: 10/s, for: timeline }
timeline:
  - { id: kill, fault: process.kill, target: payments, with: { restart_after: 1s }, repeat: { times: 3, every: 4s } }
  - load: { main: 2x }
  - pause: 10s
"#;

#[test]
fn each_round_is_injected_and_undone_by_itself_and_tells_which_it_is() {
    let mut story = story_of(plan_of(ROLLING));
    assert_eq!(story.tell(1.0, Input::Due), [Todo::Inject(0)]);
    story.tell(1.1, injected(0));
    story.tell(1.1, exited());
    let ready = || Input::InstanceReady { service: "payments".into(), index: 1, log_from: 0, outcome: Ok(()) };
    assert!(story.tell(2.5, ready()).contains(&Todo::Revert(0)));
    story.tell(2.6, reverted(0));
    assert_eq!(story.tell(5.0, Input::Due), [Todo::Inject(1)]);
    story.tell(5.1, injected(1));
    let injecting: Vec<String> = story.orchestrator.take_said().into_iter().map(|event| event.text).collect();
    assert!(injecting.contains(&"process.kill on payments, round 2 of 3".to_owned()), "{injecting:?}");
    story.tell(6.0, Input::Signal(2));
    let facts = story.orchestrator.into_facts();
    let rounds: Vec<(u32, u32)> = facts.faults.iter().map(|fault| (fault.round, fault.rounds)).collect();
    assert_eq!(rounds, [(1, 3), (2, 3)], "the third was not reached");
    assert!(facts.faults_not_reached.is_empty(), "the fault itself was");
}

#[test]
fn a_target_that_is_killed_again_before_it_was_whole_is_whole_only_with_all_its_members() {
    let mut story = story_of(plan_of(ROLLING));
    story.tell(1.0, Input::Due);
    story.tell(1.1, injected(0));
    story.tell(1.1, exited());
    story.tell(5.0, Input::Due);
    story.tell(5.1, injected(1));
    let status = "killed by SIGKILL".to_owned();
    let by_fault = Some("kill#2".to_owned());
    let again = Said::InstanceExited {
        service: "payments".into(),
        index: 2,
        pid: 8,
        log_from: 0,
        at: at(0.0),
        status,
        by_fault,
    };
    story.tell(5.1, Input::Injector(again));
    let ready = |index| Input::InstanceReady { service: "payments".into(), index, log_from: 0, outcome: Ok(()) };
    let todos = story.tell(6.0, ready(1));
    assert!(!todos.contains(&Todo::Revert(0)) && !todos.contains(&Todo::Revert(1)), "two of three: {todos:?}");
    let todos = story.tell(6.5, ready(2));
    assert!(todos.contains(&Todo::Revert(0)) && todos.contains(&Todo::Revert(1)), "{todos:?}");
}

#[test]
fn a_load_change_is_told_for_an_instant_to_come_and_recorded_when_it_has() {
    let mut story = story_of(plan_of(&ROLLING.replace("times: 3", "times: 1")));
    story.tell(1.0, Input::Due);
    let todos = story.tell(2.0, injected(0));
    let change = LoadChange { load: "main".into(), factor: 2.0 };
    assert_eq!(todos, [Todo::ChangeLoad { change, at: at(2.1) }]);
    assert!(!story.kinds().contains(&"load.changed".to_owned()));
    assert_eq!(story.orchestrator.next_deadline(), Some(at(2.1)));
    story.tell(2.1, Input::Due);
    assert!(story.kinds().contains(&"load.changed".to_owned()));
    let facts = story.orchestrator.into_facts();
    assert_eq!((facts.load_changes[0].factor, facts.load_changes[0].at), (2.0, at(2.1)));
}
