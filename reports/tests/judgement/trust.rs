use brunt_report::facts::Effect;
use brunt_report::results::{GateVerdict, Verdict};

use crate::story::{Story, fault, gate, shop};

fn invalid(story: Story) -> String {
    let results = story.judged();
    assert_eq!(
        (results.summary.verdict, results.summary.exit_code),
        (Verdict::Invalid, 5),
        "{}",
        results.summary.sentence
    );
    assert!(!results.summary.health.valid);
    results.summary.sentence
}

#[test]
fn a_dropped_arrival_makes_the_run_invalid() {
    let dropped = shop(&[], 20.0).arrivals(|arrival| arrival.dropped = arrival.intended.0 == 5_000_000_000);
    insta::assert_snapshot!(invalid(dropped), @"The measurement cannot be trusted: 1 arrival was above `max_in_flight` (10,000) and never sent: the system did not keep up with the load. Lower the rate, shorten the steps' `timeout`, or raise `max_in_flight`.");
}

#[test]
fn a_dropped_arrival_was_offered_but_is_no_request() {
    let results = Story::with_gates(&[]).traffic(0.0, 10.0, 20.0).arrivals(|arrival| arrival.dropped = true).judged();
    let run = &results.summary.steps["buy"]["order"].windows["run"];
    assert_eq!((run.dropped, run.requests, run.offered_per_s), (1000, 1000, 200.0));
}

#[test]
fn a_schedule_that_was_not_kept_makes_the_run_invalid() {
    let short = |scheduled| shop(&[], 20.0).with(|facts| facts.scheduled = scheduled);
    insta::assert_snapshot!(invalid(short(20_000)), @"The measurement cannot be trusted: Only 3,000 of 20,000 scheduled arrivals were started (15 %): brunt could not keep up. Lower the rate, give it more `--workers`, or run it on a larger or less busy machine.");
    assert_eq!(short(3_015).judged().summary.exit_code, 0, "99.5 % is enough");
    invalid(short(3_016));
}

#[test]
fn a_send_lag_above_ten_milliseconds_in_a_judged_window_makes_the_run_invalid() {
    let gates = ["{ metric: error_rate, window: 'fault:slow', max: 1% }"];
    let late = |from: u64| {
        shop(&gates, 20.0).arrivals(move |arrival| {
            arrival.lag_ns =
                if (from..from + 1).contains(&(arrival.intended.0 / 1_000_000_000)) { 25_000_000 } else { 10_000 };
        })
    };
    insta::assert_snapshot!(invalid(late(12)), @"The measurement cannot be trusted: 1 % of the arrivals in `fault:slow` were handled more than 25.1 ms late, so latencies contain brunt's own delay. Lower the rate, give brunt more `--workers`, or run it on a larger or less busy machine.");
    assert_eq!(late(5).judged().summary.exit_code, 0, "no gate looks at the fifth second");
}

#[test]
fn a_few_late_arrivals_are_told_because_they_move_no_percentile_that_is_judged() {
    let late = |first: u64| {
        let lag = move |arrival: &mut brunt_report::sample::Arrival| {
            let number = arrival.intended.0 / 10_000_000;
            arrival.lag_ns = if (1_200..1_200 + first).contains(&number) { 25_000_000 } else { 10_000 };
        };
        shop(&["{ metric: error_rate, window: 'fault:slow', max: 1% }"], 20.0).arrivals(lag)
    };
    let results = late(9).judged();
    assert_eq!(results.summary.exit_code, 0);
    insta::assert_snapshot!(results.summary.health.warnings[0], @"9 arrivals in `fault:slow` were handled more than 10 ms late: too few to move a percentile that is judged, but the largest latencies may be brunt's own.");
    invalid(late(10));
}

#[test]
fn what_the_runner_found_makes_the_run_invalid_and_a_busy_processor_only_warns() {
    let ran_out =
        shop(&[], 20.0).with(|facts| facts.invalid.push("Descriptors ran out (EMFILE). Raise `ulimit -n`.".into()));
    insta::assert_snapshot!(invalid(ran_out), @"The measurement cannot be trusted: Descriptors ran out (EMFILE). Raise `ulimit -n`.");
    let busy = shop(&[], 20.0).with(|facts| facts.generator_cpu = 0.97).judged();
    assert_eq!((busy.summary.exit_code, busy.summary.health.warnings.len()), (0, 1));
}

#[test]
fn a_fault_whose_effect_is_absent_makes_the_run_invalid() {
    let story = shop(&[], 20.0).with(|facts| facts.faults[0].effect = Effect::Absent("no message was held".into()));
    insta::assert_snapshot!(invalid(story), @"The measurement cannot be trusted: The effect of `slow` (network.latency) was looked for and is absent: no message was held. Nothing was proved about it; check that the load really goes through `payments`.");
}

#[test]
fn a_fault_that_no_traffic_met_makes_the_run_inconclusive_and_its_gates_too() {
    let gates = [
        "{ id: contained, metric: error_rate, window: 'fault:slow', max: 1% }",
        "{ id: run, metric: error_rate, max: 1% }",
    ];
    let story =
        shop(&gates, 20.0).with(|facts| facts.faults[0].effect = Effect::NotExercised("no message in 6 s".into()));
    let results = story.judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Inconclusive, 5));
    assert_eq!(gate(&results, "contained").verdict, GateVerdict::Inconclusive);
    assert_eq!(gate(&results, "run").verdict, GateVerdict::Pass);
    assert!(!fault(&results, "slow").verified);
    insta::assert_snapshot!(results.summary.sentence, @"No traffic exercised `slow`: no message in 6 s.");
}

#[test]
fn an_untrustworthy_measurement_is_stronger_than_a_failed_gate() {
    let gates = ["{ metric: latency.p90, max: 1ms }"];
    invalid(shop(&gates, 20.0).arrivals(|arrival| arrival.dropped = arrival.intended.0 == 0));
}
