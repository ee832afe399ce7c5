use brunt_report::results::{GateVerdict, Verdict};
use brunt_report::sample::ErrorClass;
use proptest::prelude::*;

use crate::story::{Story, at, fault, gate, is, order, shop};

const RECOVERS: &str = "{ id: recovers, metric: recovery_time, window: 'fault:slow', max: 2s }";

/// `order` takes 400 ms until `slow_until`, then 20 ms; the fault lasts from 10 to 16 s.
fn slow_until(slow_until: f64) -> Story {
    Story::with_gates(&[RECOVERS])
        .traffic(0.0, 10.0, 20.0)
        .baseline(0.0, 10.0)
        .traffic(10.0, slow_until, 400.0)
        .fault("slow", 10.0, 16.0)
        .traffic(slow_until, 30.0, 20.0)
        .recover(&["slow"], 16.0, 20.0)
}

#[test]
fn recovery_is_found_looking_back_so_that_the_span_is_not_added() {
    // Slow until 1.2 s after the removal. p95 over 2 s at 100/s bears ten slow ones of 200: the tenth of a second before.
    let results = slow_until(17.2).judged();
    let slow = fault(&results, "slow");
    assert_eq!((slow.recovery_time_s, slow.recovered), (Some(1.1), Some(true)));
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::Pass);
    assert_eq!(results.summary.windows["recovery:slow"].from_s, 16.0);
    assert_eq!(results.summary.windows["recovery:slow"].to_s, 17.1);
}

#[test]
fn the_recovery_window_holds_what_started_between_removal_and_recovery() {
    let results = slow_until(17.2).judged();
    let window = order(&results, "recovery:slow");
    // 16.00 is the removal itself and overlaps the fault; 16.01 to 17.09 are left.
    assert_eq!(window.requests, 109);
    assert!(is(window.latency_ms.p50, 400.0));
    assert_eq!(window.offered_per_s, 99.090909);
}

#[test]
fn a_fault_that_broke_nothing_needs_no_recovery() {
    let results = shop(&[RECOVERS], 200.0).judged();
    let slow = fault(&results, "slow");
    assert_eq!((slow.recovery_time_s, slow.degraded_for_s, slow.time_to_detect_s), (Some(0.0), Some(0.0), None));
    assert_eq!(results.summary.exit_code, 0);
}

#[test]
fn no_recovery_takes_no_time_even_if_the_removal_lies_between_two_points_of_the_grid() {
    let results = Story::with_gates(&[])
        .traffic(0.0, 30.0, 20.0)
        .fault("slow", 10.0, 16.02)
        .recover(&["slow"], 16.02, 18.1)
        .judged();
    assert_eq!(fault(&results, "slow").recovery_time_s, Some(0.0));
}

#[test]
fn a_request_that_the_next_fault_catches_is_not_one_of_the_recovery() {
    let story = |late: Option<f64>| {
        let told = slow_until(17.2).fault("killed", 17.5, 18.0);
        let told = late.into_iter().fold(told, |told, ms| told.request(crate::story::request(0, 17.0, ms)));
        let results = told.judged();
        let window = order(&results, "recovery:slow");
        (window.requests, (window.offered_per_s * window.length_s).round())
    };
    let (requests, offered) = story(None);
    assert_eq!(story(Some(450.0)), (requests + 1, offered + 1.0));
    assert_eq!(story(Some(600.0)), (requests, offered + 1.0), "it was due there, and belongs to the kill");
}

#[test]
fn what_does_not_recover_within_its_time_fails_and_is_a_finding() {
    let results = slow_until(25.0).with(|facts| facts.recovers[0].to = at(21.0)).judged();
    let slow = fault(&results, "slow");
    assert_eq!((slow.recovery_time_s, slow.recovered), (None, Some(false)));
    assert_eq!(results.summary.exit_code, 99);
    insta::assert_snapshot!(results.summary.sentence, @"`recovers`: recovery time during `slow` (network.latency on payments) has no value (the steady state did not hold again within 5 s); at most 2 s was asked for.");
    insta::assert_snapshot!(results.summary.findings[0].text, @"The steady state did not hold again within 5 s after `slow`.");
}

#[test]
fn degradation_lasts_from_the_first_to_the_last_broken_span() {
    let results = slow_until(17.2).judged();
    // Spans of 2 s on a grid of 250 ms: the one that holds the injection is the first, 17.0 to 19.0 is the last.
    assert_eq!(fault(&results, "slow").degraded_for_s, Some(7.0));
    let broken = results.slos.iter().find(|slo| slo.id == "order-latency").map(|slo| slo.broken.clone());
    assert_eq!(broken, Some(vec![[8.25, 17.0]]));
}

#[test]
fn trouble_is_seen_when_a_request_outlives_the_bound_not_when_it_ends() {
    let results = slow_until(16.0).judged();
    // The first request after the injection starts with it; 250 ms later its age is above the objective's bound.
    assert_eq!(fault(&results, "slow").time_to_detect_s, Some(0.25));
    let refused = Story::with_gates(&[])
        .requests(0.0, 20.0, |start| (2.0, (10.5..11.0).contains(&start).then_some(ErrorClass::ConnectRefused)))
        .fault("slow", 10.0, 16.0);
    assert_eq!(fault(&refused.judged(), "slow").time_to_detect_s, Some(0.502));
}

#[test]
fn a_kill_counts_from_the_act_and_its_window_until_the_target_is_whole() {
    let results = Story::with_gates(&["{ id: fast, metric: recovery_time, window: 'fault:killed', max: 2s }"])
        .requests(0.0, 30.0, |start| (5.0, (20.0..20.6).contains(&start).then_some(ErrorClass::Reset)))
        .fault("killed", 20.0, 23.0)
        .recover(&["killed"], 23.0, 25.0)
        .judged();
    let killed = fault(&results, "killed");
    // 99 % of all requests over 2 s: three of the about 390 may fail, so the span may begin 30 ms before the last failure.
    assert_eq!(killed.recovery_time_s, Some(0.6));
    assert_eq!(results.summary.windows["fault:killed"].to_s, 23.0);
    let after = &results.summary.windows["recovery:killed"];
    assert_eq!((after.requests, after.length_s), (0, 0.0), "it had recovered before the target was whole");
    assert_eq!(gate(&results, "fast").verdict, GateVerdict::Pass);
}

#[test]
fn faults_that_overlap_recover_together_from_the_last_removal() {
    let results = Story::with_gates(&[])
        .traffic(0.0, 10.0, 20.0)
        .traffic(10.0, 18.0, 400.0)
        .traffic(18.0, 30.0, 20.0)
        .fault("slow", 10.0, 14.0)
        .fault("killed", 12.0, 16.0)
        .with(|facts| facts.faults[1].instant = false)
        .recover(&["slow", "killed"], 16.0, 20.0)
        .judged();
    assert_eq!(fault(&results, "slow").recovery_time_s, fault(&results, "killed").recovery_time_s);
    assert_eq!(fault(&results, "slow").recovery_time_s, Some(1.9));
    assert_eq!(results.summary.windows["recovery:slow"].from_s, 16.0);
}

#[test]
fn too_few_requests_to_know_is_not_a_recovery() {
    let story = Story::with_gates(&[RECOVERS]).traffic(0.0, 15.99, 20.0).baseline(0.0, 10.0).fault("slow", 10.0, 16.0);
    let results = story.traffic(29.0, 30.0, 20.0).recover(&["slow"], 16.0, 21.0).judged();
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::Inconclusive);
    assert_eq!(results.summary.verdict, Verdict::Inconclusive);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Against the definition, evaluated naively: the earliest span on the grid whose p95 and success rate keep their bounds.
    #[test]
    fn recovery_time_is_what_the_definition_says(
        slow in prop::collection::vec(0.0f64..1.0, 600),
        until in 16.0f64..19.0,
    ) {
        let latency = |start: f64| {
            let draw = slow[((start * 100.0).round() as usize) % slow.len()];
            if start >= 10.0 && start < until && draw < 0.5 { 300.0 } else { 20.0 }
        };
        let results = Story::with_gates(&[])
            .requests(0.0, 30.0, |start| (latency(start), None))
            .fault("slow", 10.0, 16.0)
            .recover(&["slow"], 16.0, 20.0)
            .judged();
        let holds = |t: f64| {
            let n = (0..200).filter(|i| latency(t + f64::from(*i) / 100.0) > 250.0).count();
            n <= 10
        };
        let broke = (0..28).any(|quarter| !holds(10.0 + f64::from(quarter) / 4.0));
        let expected = (0..100).map(|step| f64::from(step) * 0.05).find(|after| holds(16.0 + after));
        let expected = if broke { expected } else { Some(0.0) };
        let got = fault(&results, "slow").recovery_time_s;
        prop_assert_eq!(got.map(|s| (s * 1000.0).round()), expected.map(|s| (s * 1000.0).round()));
    }
}
