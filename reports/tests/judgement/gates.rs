use brunt_report::results::{Event, GateVerdict, Verdict};
use brunt_report::sample::ErrorClass;

use crate::story::{Story, gate, is, shop};

const CONTAINED: &str =
    "{ id: contained, metric: latency.p90, step: order, window: 'fault:slow', max: { baseline: 3x, floor: 150ms } }";
const ERRORS: &str = "{ id: no-errors, metric: error_rate, max: 1% }";

#[test]
fn slow_payments_fail_the_gate_that_names_them() {
    let results = shop(&[CONTAINED, ERRORS], 452.0).judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Fail, 99));
    let contained = gate(&results, "contained");
    assert!(is(contained.actual, 452.0));
    // 600 during the fault, two that were open when it began, and the one that started when it was removed.
    assert_eq!((contained.limit, contained.samples), (Some(150.0), 603));
    assert_eq!(gate(&results, "no-errors").verdict, GateVerdict::Pass);
    insta::assert_snapshot!(results.summary.sentence, @"`contained`: p90 latency of `order` during `slow` (network.latency on payments) was 452 ms, the limit is at most 150 ms (3 x baseline 20 ms, at least 150 ms).");
}

#[test]
fn a_shop_that_hides_the_fault_passes() {
    let results = shop(&[CONTAINED, ERRORS], 60.0).judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Pass, 0));
    insta::assert_snapshot!(results.summary.sentence, @"All 2 gates held under 2 faults.");
}

#[test]
fn the_floor_keeps_a_fast_baseline_from_making_a_tiny_limit_and_the_factor_rules_a_slow_one() {
    let limit = |baseline_ms| {
        let story = Story::with_gates(&[CONTAINED]).traffic(0.0, 10.0, baseline_ms).baseline(0.0, 10.0);
        gate(&story.traffic(10.0, 16.0, 30.0).fault("slow", 10.0, 16.0).judged(), "contained").limit
    };
    assert_eq!(limit(20.0), Some(150.0));
    assert!(is(limit(100.0), 300.0));
}

#[test]
fn a_percentile_needs_ten_samples_beyond_it() {
    let gates = ["{ id: p99, metric: latency.p99, step: order, max: 1s }"];
    let few = Story::with_gates(&gates).traffic(0.0, 9.99, 20.0).judged();
    assert_eq!(gate(&few, "p99").verdict, GateVerdict::Inconclusive);
    assert_eq!((few.summary.verdict, few.summary.exit_code), (Verdict::Inconclusive, 5));
    insta::assert_snapshot!(few.summary.sentence, @"`p99` cannot be judged: 999 samples of the 1,000 that it takes.");
    let enough = Story::with_gates(&gates).traffic(0.0, 10.0, 20.0).judged();
    assert_eq!(enough.summary.verdict, Verdict::Pass);
}

#[test]
fn an_inconclusive_gate_counts_as_its_author_wants() {
    let verdict = |if_inconclusive: &str| {
        let gate = format!("{{ metric: latency.p99_9, max: 1s, if_inconclusive: {if_inconclusive} }}");
        Story::with_gates(&[&gate, ERRORS]).traffic(0.0, 2.0, 20.0).judged().summary.exit_code
    };
    assert_eq!([verdict("fail"), verdict("warn"), verdict("pass")], [5, 0, 0]);
}

#[test]
fn without_a_single_request_nothing_passes_even_if_every_gate_lets_it() {
    let gates = [
        "{ metric: error_rate, max: 1%, if_inconclusive: pass }",
        "{ metric: dropped, max: 0, if_inconclusive: warn }",
    ];
    let results = Story::with_gates(&gates).judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Inconclusive, 5));
    insta::assert_snapshot!(results.summary.sentence, @"No request was sent outside warm-up, so there is nothing to judge.");
}

#[test]
fn a_share_at_its_bound_holds_and_one_request_more_does_not() {
    let failing = |n: f64| {
        let gates = [
            "{ id: e, metric: error_rate, step: order, max: 1% }",
            "{ id: s, metric: success_rate, step: order, min: 99% }",
        ];
        let results = Story::with_gates(&gates)
            .requests(0.0, 10.0, |start| (20.0, (start < n / 100.0 - 0.001).then_some(ErrorClass::Status5xx)))
            .judged();
        [gate(&results, "e").verdict, gate(&results, "s").verdict]
    };
    assert_eq!(failing(10.0), [GateVerdict::Pass; 2]);
    assert_eq!(failing(11.0), [GateVerdict::Fail; 2]);
}

#[test]
fn a_baseline_with_too_few_samples_gives_no_limit() {
    let gates = ["{ id: p99, metric: latency.p99, window: 'fault:slow', max: { baseline: 3x, floor: 150ms } }"];
    let story = Story::with_gates(&gates).traffic(0.0, 2.0, 20.0).baseline(0.0, 2.0).traffic(2.0, 10.0, 20.0);
    let results = story.fault("slow", 2.0, 10.0).judged();
    assert_eq!((gate(&results, "p99").verdict, gate(&results, "p99").limit), (GateVerdict::Inconclusive, None));
    insta::assert_snapshot!(gate(&results, "p99").note, @"the baseline has 396 samples, too few to compare with");
}

#[test]
fn an_instance_that_ends_by_itself_makes_later_windows_inconclusive_and_earlier_ones_stay() {
    let gates = [
        "{ id: before, metric: error_rate, window: baseline, max: 1% }",
        "{ id: after, metric: error_rate, window: 'fault:killed', max: 1% }",
    ];
    let exit = Event { at_s: 17.0, kind: "service.exited".into(), subject: "ledger-1".into(), text: String::new() };
    let results = shop(&gates, 20.0).with(|facts| facts.events.push(exit)).judged();
    assert_eq!(gate(&results, "before").verdict, GateVerdict::Pass);
    assert_eq!(gate(&results, "after").verdict, GateVerdict::Inconclusive);
    assert_eq!(results.summary.exit_code, 5);
    insta::assert_snapshot!(gate(&results, "after").note, @"`ledger-1` ended by itself at 17 s, before the window began");
}

#[test]
fn a_failed_gate_is_stronger_than_an_inconclusive_one() {
    let results = shop(&[CONTAINED, "{ metric: latency.p99_9, max: 1s }"], 452.0).judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Fail, 99));
}
