use crate::story::{READ, Story, is, order, request, shop};

#[test]
fn no_sample_of_the_baseline_shows_a_fault_that_it_met() {
    // Started a millisecond before the injection, and was caught by it.
    let results = shop(&[], 220.0).request(request(0, 9.999, 300.0)).judged();
    assert!(is(order(&results, "baseline").latency_ms.max, 20.0));
    assert!(is(order(&results, "fault:slow").latency_ms.max, 300.0));
}

#[test]
fn windows_do_not_add_up_to_the_run_because_a_request_may_be_in_several() {
    let results =
        Story::with_gates(&[]).traffic(0.0, 10.0, 20.0).fault("slow", 2.0, 6.0).fault("killed", 4.0, 8.0).judged();
    let requests = |window: &str| order(&results, window).requests;
    // Evenly spaced each 10 ms, open for 20 ms: the two before an injection overlap it, and the one at the removal.
    assert_eq!((requests("fault:slow"), requests("fault:killed"), requests("run")), (403, 403, 1000));
}

#[test]
fn rates_count_what_was_due_and_what_ended_in_the_window() {
    let results = Story::with_gates(&[])
        .traffic(0.0, 4.0, 20.0)
        .baseline(0.0, 4.0)
        .traffic(4.0, 6.0, 1500.0)
        .fault("slow", 4.0, 6.0)
        .traffic(6.0, 10.0, 20.0)
        .judged();
    let slow = order(&results, "fault:slow");
    assert_eq!(slow.offered_per_s, 100.0);
    // 4.0 to 4.5 ended by 6.0, and two of the baseline in the first 20 ms.
    assert_eq!(slow.completed_per_s, 26.0);
    assert_eq!((slow.from_s, slow.to_s, slow.length_s), (4.0, 6.0, 2.0));
}

#[test]
fn two_baselines_are_one_window_of_two_spans() {
    let results = Story::with_gates(&[]).traffic(0.0, 10.0, 20.0).baseline(0.0, 2.0).baseline(6.0, 10.0).judged();
    let baseline = order(&results, "baseline");
    assert_eq!((baseline.from_s, baseline.to_s, baseline.length_s), (0.0, 10.0, 6.0));
    assert_eq!((baseline.requests, baseline.offered_per_s), (600, 100.0));
    assert_eq!(results.spans.iter().filter(|span| span.window == "baseline").count(), 2);
}

#[test]
fn a_window_without_samples_has_nulls_not_zeros() {
    let results = Story::with_gates(&[]).traffic(0.0, 4.0, 20.0).fault("slow", 4.5, 5.0).judged();
    let slow = order(&results, "fault:slow");
    assert_eq!((slow.requests, slow.error_rate, slow.latency_ms.p99, slow.latency_ms.max), (0, None, None, None));
}

#[test]
fn warm_up_stays_out_of_everything_else() {
    let mut story = Story::with_gates(&[]).traffic(1.0, 4.0, 20.0);
    for number in 0..100 {
        let start = f64::from(number) / 100.0;
        story = story.request(brunt_report::sample::Request { warmup: true, ..request(READ, start, 900.0) });
    }
    let results = story.judged();
    let window = |name: &str| &results.summary.windows[name];
    assert_eq!((window("warmup").requests, window("warmup").to_s), (100, 1.0));
    assert_eq!((window("run").requests, window("run").from_s), (600, 1.0));
    assert!(is(window("run").latency_ms.max, 20.0));
}

#[test]
fn what_ends_in_the_drain_is_offered_to_the_run_but_not_completed_in_it() {
    let results = Story::with_gates(&[]).traffic(0.0, 9.0, 20.0).traffic(9.0, 10.0, 3000.0).judged();
    assert_eq!(order(&results, "run").offered_per_s, 100.0);
    assert_eq!(order(&results, "run").completed_per_s, 90.0);
    assert_eq!(order(&results, "run").requests, 1000);
    // The `read` after each of the late orders would have started in the drain.
    assert_eq!(results.summary.steps["buy"]["read"].windows["run"].offered_per_s, 90.0);
}

#[test]
fn a_step_that_asks_again_is_one_sample_and_all_of_its_requests_are_in_the_rates() {
    let mut story = Story::with_gates(&["{ metric: rate.offered, window: baseline, max: 1/s }"])
        .traffic(0.0, 10.0, 20.0)
        .baseline(0.0, 5.0)
        .fault("slow", 5.0, 10.0);
    for number in 0..250 {
        story = story.repeat(0, 2.0 + f64::from(number) / 100.0);
    }
    // One after the load has ended is not part of any rate.
    let results = story.repeat(0, 10.5).judged();
    let (baseline, run) = (order(&results, "baseline"), order(&results, "run"));
    assert_eq!((baseline.requests, run.requests), (498, 1000), "steps; two of the baseline met the fault");
    assert_eq!((baseline.repeats, run.repeats, order(&results, "fault:slow").repeats), (250, 250, 0));
    assert_eq!((baseline.offered_per_s, run.offered_per_s), (150.0, 125.0));
    // The last two of the baseline end after it.
    assert_eq!(baseline.completed_per_s, 149.6);
    assert!(run.latency_ms.max.is_some_and(|max| max < 21.0), "and no latency is another one for it");
    let gate = crate::story::gate(&results, "rate.offered@baseline");
    assert_eq!(gate.actual, Some(249.6), "orders with their repeats, and reads");
}
