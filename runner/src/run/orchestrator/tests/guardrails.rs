//! When a guardrail stops the run, and when it does not.

use std::time::Duration;

use brunt_report::facts::{Stopped, Tripped};
use brunt_report::sample::{Batch, ErrorClass, Request};
use brunt_scenario::metric::Metric;
use brunt_scenario::plan::{Bound, Guardrail, Item, Scope};

use super::*;

/// Broken for a second of more than half failed.
fn meltdown() -> Guardrail {
    Guardrail {
        id: "meltdown".into(),
        metric: Metric::ErrorRate,
        scope: Scope::default(),
        bound: Bound::Max(0.5),
        over: Duration::from_secs(1),
        lasts: Duration::from_secs(1),
        line: None,
    }
}

fn guarded(steady: &str, change: impl FnOnce(&mut Plan)) -> Story {
    let mut plan = plan(steady);
    plan.guardrails = vec![meltdown()];
    change(&mut plan);
    let plan = Arc::new(plan);
    let record = Record::new(&plan, Clock::start());
    Story { orchestrator: Orchestrator::new(plan, Arc::clone(&record), Offset::default()), record }
}

/// Nothing but a baseline.
fn no_faults(plan: &mut Plan) {
    plan.timeline = vec![Item::Baseline(Duration::from_secs(60))];
}

impl Story {
    /// A hundred requests a second of which so many of ten fail, filed when they have ended.
    fn traffic(&mut self, from_s: f64, to_s: f64, failed: usize) -> &mut Self {
        let (first, end) = ((from_s * 100.0).round() as usize, (to_s * 100.0).round() as usize);
        let request = |number: usize| Request {
            series: 0,
            instance: 0,
            error: (number % 10 < failed).then_some(ErrorClass::Status5xx),
            warmup: false,
            intended: at(number as f64 / 100.0),
            sent: None,
            first_byte: None,
            done: at(number as f64 / 100.0),
            queued_ns: 0,
            connect_ns: 0,
        };
        let requests = (first..end).map(request).collect();
        {
            let inner = &mut *self.record.lock();
            inner.recorder.file(Batch { upto: at(to_s), requests, ..Batch::default() }, &inner.windows);
        }
        self
    }

    /// Looks each quarter of a second until something is to be done about it.
    fn look(&mut self, from_s: f64, to_s: f64, failed: usize) -> Option<(f64, Vec<Todo>)> {
        let looks = (1..=((to_s - from_s) * 4.0).round() as u32).map(|number| from_s + f64::from(number) * 0.25);
        for now in looks {
            self.traffic(now - 0.25, now, failed);
            let mut todos = self.tell(now, Input::Look);
            todos.retain(|todo| !matches!(todo, Todo::Verify(_)));
            if !todos.is_empty() {
                return Some((now, todos));
            }
        }
        None
    }
}

#[test]
fn a_guardrail_that_is_broken_long_enough_stops_the_run_and_takes_every_fault_off() {
    let mut story = guarded("", |_| {});
    assert_eq!(story.look(0.0, 2.0, 0), None);
    story.tell(2.0, Input::Due);
    assert_eq!(story.look(2.0, 5.0, 0), Some((5.0, vec![Todo::Inject(0)])));
    story.tell(5.0, injected(0));
    let stopped = story.look(5.0, 9.0, 10);
    // More than half of the last second has failed at 5.75 s for the first time, and at every look for a second more.
    assert_eq!(stopped, Some((6.75, vec![Todo::StopLoad, Todo::Revert(0)])));
    story.tell(6.8, Input::Verified { fault: 0, outcome: Err("no such fault".into()) });
    story.tell(6.8, reverted(0));
    story.tell(6.9, Input::LoadOver { broke: None });
    assert!(story.orchestrator.is_over());
    let said = story.orchestrator.take_said();
    let of =
        |kind: &str| said.iter().filter(|event| event.kind == kind).map(|event| event.text.clone()).collect::<Vec<_>>();
    assert_eq!(of("guardrail.broken").len(), 1, "{said:?}");
    insta::assert_snapshot!(of("guardrail.tripped").join("\n"), @"error_rate over the last 1 s was 100 %, the limit is at most 50 %, broken since 5.75 s");
    let facts = story.orchestrator.into_facts();
    assert!(
        matches!(&facts.stopped, Some(Stopped::Guardrail(what)) if what.starts_with("`meltdown`: error_rate")),
        "{:?}",
        facts.stopped
    );
    assert_eq!(facts.guardrails[0].tripped, Some(Tripped { value: 1.0, at: at(6.75), since: at(5.75) }));
    assert_eq!(facts.faults_not_reached, ["kill"]);
}

#[test]
fn a_guardrail_that_holds_again_in_time_does_not_stop_the_run() {
    let mut story = guarded("", no_faults);
    assert_eq!(story.look(0.0, 1.0, 0), None);
    for begin in [1.0, 3.0, 5.0] {
        assert_eq!(story.look(begin, begin + 1.0, 10), None, "broken for less than a second");
        assert_eq!(story.look(begin + 1.0, begin + 2.0, 0), None);
    }
    let said = story.kinds();
    let count = |kind: &str| said.iter().filter(|said| *said == kind).count();
    assert_eq!((count("guardrail.broken"), count("guardrail.holds")), (3, 3), "{said:?}");
    let facts = story.orchestrator.into_facts();
    assert_eq!((facts.stopped, facts.guardrails[0].tripped), (None, None));
    assert_eq!(facts.guardrails[0].worst.map(|(value, _)| value), Some(1.0), "it is told how near it came");
}

#[test]
fn a_look_that_knows_nothing_begins_anew() {
    let mut story = guarded("", |plan| {
        no_faults(plan);
        plan.guardrails[0].lasts = Duration::from_secs(3);
    });
    assert_eq!(story.look(0.0, 1.0, 10), None);
    // Then nothing, until the span is empty and nobody knows.
    for quarter in 5..=9 {
        let now = f64::from(quarter) * 0.25;
        story.traffic(now, now, 0);
        assert_eq!(story.tell(now, Input::Look), []);
    }
    let stopped = story.look(2.25, 9.0, 10).expect("it is broken again for three seconds");
    assert_eq!(stopped.0, 5.5, "counted from the first look that knew it broken again");
}

#[test]
fn warm_up_and_the_wait_for_the_steady_state_are_guarded() {
    let mut warm = guarded("", |_| {});
    assert_eq!(warm.look(0.0, 2.0, 10), Some((1.25, vec![Todo::StopLoad])), "in the warm-up");

    let mut waiting = guarded("  before: { hold_for: 30s, within: 60s }", |_| {});
    assert_eq!(waiting.look(0.0, 4.0, 0), None);
    let (_, todos) = waiting.look(4.0, 9.0, 10).expect("it stops while the steady state is waited for");
    assert_eq!(todos, [Todo::StopLoad]);
    let facts = waiting.orchestrator.into_facts();
    assert_eq!(facts.faults_not_reached, ["freeze", "kill"]);
    assert!(matches!(facts.stopped, Some(Stopped::Guardrail(_))), "{:?}", facts.stopped);
}

#[test]
fn a_load_that_outlives_the_timeline_is_guarded_to_its_end_and_its_drain_is_not() {
    let fixed = |plan: &mut Plan| {
        plan.timeline.clear();
        plan.load[0].stages.iter_mut().for_each(|stage| stage.length = Some(Duration::from_secs(5)));
    };
    let mut story = guarded("", fixed);
    let over = Some((5.0, vec![Todo::EndOpenEndedLoad]));
    assert_eq!(story.look(0.0, 5.0, 0), over, "the timeline is over, five seconds of load are not");
    assert_eq!(story.look(5.0, 9.0, 10), Some((6.75, vec![Todo::StopLoad])));

    let mut drained = guarded("", fixed);
    assert_eq!(drained.look(0.0, 5.0, 0), over);
    assert_eq!(drained.look(5.0, 9.0, 0), None);
    assert_eq!(drained.look(9.0, 14.0, 10), None, "after the last arrival there is nothing left to protect");
}

#[test]
fn without_a_for_the_first_broken_look_stops_the_run() {
    let mut story = guarded("", |plan| plan.guardrails[0].lasts = Duration::ZERO);
    let (at_s, todos) = story.look(0.0, 2.0, 10).expect("it is broken");
    assert_eq!((at_s, todos), (0.25, vec![Todo::StopLoad]));
    assert!(!story.kinds().contains(&"guardrail.broken".to_owned()), "it is told once");
}
