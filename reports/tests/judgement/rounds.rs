//! A fault with `repeat`: one window, the worst value, and every round to be seen by itself.

use std::time::Duration;

use brunt_report::facts::Effect;
use brunt_report::results::{GateVerdict, Verdict};
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Item, Repeat};

use crate::story::{Story, at, fault, gate, order};

const BEARABLE: &str = "{ id: bearable, metric: error_rate, window: 'fault:killed', max: 50% }";
const RECOVERS: &str = "{ id: recovers, metric: recovery_time, window: 'fault:killed', max: 2s }";

/// The kill of the scenario three times, 10 s from one to the next, each whole again after 2 s.
fn three_kills(fails: impl Fn(f64) -> bool) -> Story {
    let mut story = Story::with_gates(&[RECOVERS, BEARABLE]);
    for item in &mut story.plan.timeline {
        if let Item::Fault(fault) = item
            && fault.id == "killed"
        {
            fault.repeat = Some(Repeat { times: 3, every: Duration::from_secs(10) });
        }
    }
    story
        .requests(0.0, 45.0, |start| (5.0, fails(start).then_some(ErrorClass::Reset)))
        .baseline(0.0, 10.0)
        .round("killed", (1, 3), 10.0, 12.0)
        .round("killed", (2, 3), 20.0, 22.0)
        .round("killed", (3, 3), 30.0, 32.0)
        .recover(&["killed"], 32.0, 36.0)
}

fn within(start: f64, from: f64, to: f64) -> bool {
    (from..to).contains(&start)
}

#[test]
fn the_window_is_the_union_of_the_rounds_and_holds_nothing_of_the_time_between_them() {
    let results = three_kills(|_| false).judged();
    let window = &results.summary.windows["fault:killed"];
    assert_eq!((window.from_s, window.to_s, window.length_s), (10.0, 32.0, 6.0));
    // Both edges included, and `read`, which starts 5 ms after each `order`, as well.
    assert_eq!(order(&results, "fault:killed").requests, 3 * 201);
    let spans: Vec<(f64, f64)> = results
        .spans
        .iter()
        .filter(|span| span.window == "fault:killed")
        .map(|span| (span.from_s, span.to_s))
        .collect();
    assert_eq!(spans, [(10.0, 12.0), (20.0, 22.0), (30.0, 32.0)]);
}

#[test]
fn the_values_are_those_of_the_worst_round_and_every_round_keeps_its_own() {
    // The second round hurts longest; nothing shows of the third.
    let results = three_kills(|start| within(start, 10.2, 10.6) || within(start, 20.5, 21.9)).judged();
    let killed = fault(&results, "killed");
    let of = |measure: fn(&brunt_report::results::RoundData) -> Option<f64>| -> Vec<Option<f64>> {
        killed.rounds.iter().map(measure).collect()
    };
    assert_eq!((killed.rounds_planned, killed.rounds.len()), (Some(3), 3));
    let recovery = of(|round| round.recovery_time_s);
    assert_eq!(recovery[2], Some(0.0), "nothing broke in the third round");
    assert!(recovery[0] < recovery[1], "{recovery:?}");
    assert_eq!(killed.recovery_time_s, recovery[1]);
    // A failure ends 5 ms after its start; that of the third round was never seen.
    assert_eq!(of(|round| round.time_to_detect_s), [Some(0.205), Some(0.505), None]);
    assert_eq!(killed.time_to_detect_s, Some(0.505));
    let degraded = of(|round| round.degraded_for_s);
    assert!(degraded[0] < degraded[1] && degraded[2] == Some(0.0), "{degraded:?}");
    assert_eq!(killed.degraded_for_s, degraded[1]);
    assert!(degraded[1] < Some(5.0), "a round's damage ends with its recovery: {degraded:?}");
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::Pass);
    assert_eq!((killed.injecting_at_s, killed.removed_at_s), (Some(10.0), Some(32.0)));
}

#[test]
fn a_system_that_is_not_well_again_before_the_next_round_is_degraded_all_the_while() {
    // From the first kill to a second after the last one.
    let results = three_kills(|start| within(start, 10.0, 31.0)).judged();
    let killed = fault(&results, "killed");
    // Broken from the first to the last failure; looking back, 20 ms of errors are borne by a span of 2 s.
    assert!(killed.degraded_for_s.is_some_and(|seconds| (20.5..=21.5).contains(&seconds)), "{killed:?}");
    assert!(killed.recovery_time_s.is_some_and(|seconds| (20.5..=21.5).contains(&seconds)), "{killed:?}");
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::Fail);
}

#[test]
fn the_recovery_window_is_the_union_as_well() {
    let results = three_kills(|start| within(start, 10.0, 12.5) || within(start, 20.0, 22.5)).judged();
    let spans: Vec<f64> =
        results.spans.iter().filter(|span| span.window == "recovery:killed").map(|span| span.from_s).collect();
    assert_eq!(spans, [12.0, 22.0, 32.0]);
    let window = &results.summary.windows["recovery:killed"];
    assert!(window.requests > 90 && window.errors > 80, "{window:?}");
}

#[test]
fn one_round_that_no_traffic_met_makes_the_run_inconclusive_and_is_named() {
    let results = three_kills(|_| false)
        .with(|facts| facts.faults[1].effect = Effect::NotExercised("no request came".into()))
        .judged();
    assert_eq!(results.summary.verdict, Verdict::Inconclusive);
    insta::assert_snapshot!(results.summary.sentence, @"No traffic exercised `killed` (round 2 of 3): no request came.");
    let killed = fault(&results, "killed");
    assert_eq!((killed.verified, killed.reason.as_str()), (false, "round 2: not exercised: no request came"));
}

#[test]
fn one_round_that_could_not_be_undone_is_a_fault_that_could_not() {
    let results = three_kills(|_| false).with(|facts| facts.faults[0].rollback_verified = Some(false)).judged();
    assert_eq!(fault(&results, "killed").rollback_verified, Some(false));
    assert_eq!(results.summary.exit_code, 6);
}

#[test]
fn rounds_that_a_signal_prevented_leave_the_window_cut_short() {
    let results = three_kills(|_| false)
        .with(|facts| {
            facts.faults.truncate(2);
            facts.recovers.clear();
            facts.stopped = Some(brunt_report::facts::Stopped::Signal(2));
            facts.load_ended = at(25.0);
        })
        .judged();
    let killed = fault(&results, "killed");
    assert_eq!((killed.rounds_planned, killed.rounds.len()), (Some(3), 2));
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::NotReached);
    let bearable = gate(&results, "bearable");
    assert!(bearable.note.contains("cut short"), "a round is missing: {bearable:?}");
}
