use std::time::Duration;

use brunt_report::facts::{Effect, GuardrailFacts, Stopped, Tripped};
use brunt_report::recorder::Recorder;
use brunt_report::recorder::live::GuardrailStatus;
use brunt_report::results::{Event, GateVerdict, GuardrailOutcome, Severity, Verdict};
use brunt_report::sample::{Batch, ErrorClass, Iteration, OpenRequest, Repeat};
use brunt_report::window::Windows;
use brunt_scenario::metric::{Metric, Statistic};
use brunt_scenario::plan::{Bound, Guardrail, Scope};

use crate::story::{ORDER, Story, at, gate, request, shop};

fn guard(metric: Metric, bound: Bound) -> Guardrail {
    let (over, lasts) = (Duration::from_secs(2), Duration::ZERO);
    Guardrail { id: metric.to_string(), metric, scope: Scope::default(), bound, over, lasts, line: None }
}

fn of_order(guard: Guardrail) -> Guardrail {
    Guardrail { scope: Scope { journey: Some("buy".into()), step: Some("order".into()) }, ..guard }
}

/// The recorder after everything up to an instant has been filed.
fn told(story: &Story, until_s: f64) -> Recorder {
    let mut recorder = Recorder::new(&story.plan);
    for batch in story.batches().into_iter().take_while(|batch| batch.upto <= at(until_s)) {
        recorder.file(batch, &story.windows);
    }
    recorder
}

fn looked_at(story: &Story, at_s: f64) -> Vec<GuardrailStatus> {
    told(story, at_s).guardrail_status(&story.plan, at(at_s))
}

#[test]
fn a_guardrail_and_an_objective_of_the_same_metric_never_disagree() {
    let mut story = Story::with_gates(&[]).traffic(0.0, 3.0, 20.0).traffic(3.0, 6.0, 452.0).traffic(6.0, 9.0, 20.0);
    let latency = guard(Metric::Latency(Statistic::P95), Bound::Max(250.0));
    let success = guard(Metric::SuccessRate, Bound::Min(0.99));
    story.plan.guardrails = vec![of_order(latency), success];
    let mut broken = 0;
    for quarter in 1..=36 {
        let now = f64::from(quarter) * 0.25;
        let recorder = told(&story, now);
        let slos = recorder.slo_status(&story.plan, at(now));
        for (slo, guard) in slos.iter().zip(recorder.guardrail_status(&story.plan, at(now))) {
            assert_eq!((slo.holds, slo.value), (guard.holds, guard.value), "{} at {now} s", slo.id);
            broken += u32::from(guard.holds == Some(false));
        }
    }
    assert!(broken > 5, "it was broken for more than three seconds, and {broken} looks say so");
}

#[test]
fn each_metric_has_its_value_over_the_span() {
    // A hundred orders a second, every tenth of which fails a check; every twentieth arrival of two was dropped.
    let failing = |start: f64| (20.0, ((start * 100.0).round() as u64).is_multiple_of(10).then_some(ErrorClass::Check));
    let mut story = Story::with_gates(&[]).requests(0.0, 4.0, failing).arrivals(|arrival| {
        arrival.dropped = (arrival.intended.0 / 10_000_000).is_multiple_of(20);
        arrival.lag_ns = 3_000_000;
    });
    let expected = [
        (Metric::ErrorRate, Bound::Max(0.05), 20.0 / 380.0),
        (Metric::SuccessRate, Bound::Min(0.95), 1.0 - 20.0 / 380.0),
        (Metric::CheckFailures, Bound::Max(5.0), 20.0),
        (Metric::Dropped, Bound::Max(5.0), 10.0),
        (Metric::Requests, Bound::Max(5.0), 380.0),
        (Metric::RateOffered, Bound::Max(5.0), 195.0),
        (Metric::RateCompleted, Bound::Max(5.0), 190.0),
        (Metric::Latency(Statistic::Max), Bound::Max(5.0), 20.0),
        (Metric::SendLagP99, Bound::Max(1.0), 3.0),
    ];
    story.plan.guardrails = expected.iter().map(|(metric, bound, _)| guard(*metric, *bound)).collect();
    for (status, (metric, _, value)) in looked_at(&story, 4.0).into_iter().zip(expected) {
        let got = status.value.unwrap_or_else(|| panic!("{metric} has no value"));
        assert!((got / value - 1.0).abs() < 0.03, "{metric} is {got}, not {value}");
        assert_eq!(status.holds, Some(false), "{metric}");
    }
}

#[test]
fn the_warm_up_is_guarded_as_well() {
    let mut story = Story::with_gates(&[]);
    for number in 0..100 {
        let mut warm = request(ORDER, f64::from(number) / 50.0, 5.0);
        (warm.warmup, warm.error) = (true, Some(ErrorClass::Status5xx));
        story = story.request(warm);
    }
    story.plan.guardrails = vec![guard(Metric::ErrorRate, Bound::Max(0.5))];
    let recorder = told(&story, 2.0);
    let status = recorder.guardrail_status(&story.plan, at(2.0))[0];
    assert_eq!((status.holds, status.value), (Some(false), Some(1.0)));
    assert!(recorder.slo_status(&story.plan, at(2.0)).iter().all(|slo| slo.holds.is_none()), "objectives leave it out");
}

#[test]
fn nine_requests_know_nothing_and_ten_do() {
    for (count, holds) in [(9, None), (10, Some(false))] {
        let mut story = Story::with_gates(&[]);
        for number in 0..count {
            let mut failed = request(ORDER, 1.0 + f64::from(number) / 20.0, 5.0);
            failed.error = Some(ErrorClass::Reset);
            story = story.request(failed);
        }
        story.plan.guardrails = vec![guard(Metric::ErrorRate, Bound::Max(0.5))];
        assert_eq!(looked_at(&story, 2.0)[0].holds, holds, "{count} requests");
    }
}

#[test]
fn a_rate_that_fell_to_nothing_is_below_its_limit_although_nothing_ended() {
    let mut story = Story::with_gates(&[]);
    story.plan.guardrails = vec![guard(Metric::RateCompleted, Bound::Min(50.0))];
    let mut recorder = Recorder::new(&story.plan);
    let open = (0..200).map(|number| f64::from(number) / 100.0);
    let open = open.map(|start| OpenRequest { series: ORDER, warmup: false, intended: at(start) });
    recorder.file(Batch { upto: at(2.0), open: open.collect(), ..Batch::default() }, &Windows::default());
    let status = recorder.guardrail_status(&story.plan, at(2.0))[0];
    assert_eq!((status.holds, status.value), (Some(false), Some(0.0)));
}

#[test]
fn what_is_asked_again_counts_for_the_rates_and_for_nothing_else() {
    let mut story = Story::with_gates(&[]);
    story.plan.guardrails = vec![
        guard(Metric::RateOffered, Bound::Max(30.0)),
        guard(Metric::RateCompleted, Bound::Max(30.0)),
        guard(Metric::Requests, Bound::Max(50.0)),
    ];
    let mut recorder = Recorder::new(&story.plan);
    let requests = (0..40).map(|number| request(ORDER, f64::from(number) / 20.0, 5.0)).collect();
    let repeat = |number: u32| Repeat { series: ORDER, warmup: false, at: at(f64::from(number) / 20.0) };
    let repeats = (0..40).map(repeat).collect();
    recorder.file(Batch { upto: at(2.0), requests, repeats, ..Batch::default() }, &Windows::default());
    let values: Vec<_> =
        recorder.guardrail_status(&story.plan, at(2.0)).into_iter().map(|status| status.value).collect();
    assert_eq!(values, [Some(40.0), Some(40.0), Some(40.0)], "40 requests and 40 repeats in two seconds");
}

#[test]
fn journeys_are_guarded_by_their_iterations() {
    let mut story = Story::with_gates(&[]);
    story.plan.guardrails = vec![guard(Metric::Iteration(Statistic::P90), Bound::Max(500.0))];
    let mut recorder = Recorder::new(&story.plan);
    let iteration = |number: u32| {
        let intended = at(f64::from(number) / 20.0);
        Iteration { journey: 0, ok: true, warmup: false, intended, done: intended, busy_ns: 900_000_000 }
    };
    let iterations = (0..40).map(iteration).collect();
    recorder.file(Batch { upto: at(2.0), iterations, ..Batch::default() }, &Windows::default());
    assert_eq!(recorder.guardrail_status(&story.plan, at(2.0))[0].holds, Some(false));
}

#[test]
fn the_generators_processor_is_guarded_by_what_it_used_over_the_span() {
    let mut story = Story::with_gates(&[]);
    story.plan.guardrails = vec![guard(Metric::GeneratorCpu, Bound::Max(0.9))];
    let mut recorder = Recorder::new(&story.plan);
    let mut look = |second: f64, used_ms: u64| {
        recorder.note_processor(at(second), Duration::from_millis(used_ms), 2);
        recorder.guardrail_status(&story.plan, at(second))[0]
    };
    assert_eq!(look(1.0, 0).holds, None, "there was no span yet");
    assert_eq!(look(3.0, 2000), GuardrailStatus { holds: Some(true), value: Some(0.5) });
    assert_eq!(look(5.0, 5900), GuardrailStatus { holds: Some(false), value: Some(0.975) });
}

/// A run that a guardrail ended in the middle of the slow link.
fn aborted() -> Story {
    let gates = [
        "{ id: healthy, metric: latency.p90, window: baseline, max: 100ms }",
        "{ id: hidden, metric: error_rate, window: 'fault:killed', max: 1% }",
    ];
    let mut story = Story::with_gates(&gates)
        .traffic(0.0, 10.0, 20.0)
        .baseline(0.0, 10.0)
        .traffic(10.0, 12.0, 50.0)
        .fault("slow", 10.0, 12.0);
    let lasts = Duration::from_secs(1);
    story.plan.guardrails = vec![
        Guardrail { id: "meltdown".into(), lasts, ..guard(Metric::ErrorRate, Bound::Max(0.6)) },
        guard(Metric::RateCompleted, Bound::Min(10.0)),
    ];
    story.with(|facts| {
        let tripped = Some(Tripped { value: 0.83, at: at(12.0), since: at(11.0) });
        facts.guardrails = vec![
            GuardrailFacts { id: "meltdown".into(), tripped, worst: Some((0.9, at(11.5))) },
            GuardrailFacts { id: "rate.completed".into(), tripped: None, worst: Some((180.0, at(3.0))) },
        ];
        facts.faults_not_reached = vec!["killed".into()];
        facts.stopped = Some(Stopped::Guardrail("`meltdown`: too much".into()));
    })
}

#[test]
fn a_guardrail_that_tripped_aborts_the_run_and_is_shown_with_its_value() {
    let results = aborted().judged();
    let summary = &results.summary;
    assert_eq!((summary.verdict, summary.exit_code), (Verdict::Aborted, 4));
    insta::assert_snapshot!(summary.sentence, @"A guardrail stopped the run after 12 s; every fault was rolled back: `meltdown`: too much.");
    assert_eq!(gate(&results, "healthy").verdict, GateVerdict::Pass);
    assert_eq!(gate(&results, "hidden").verdict, GateVerdict::NotReached);
    let shown = serde_json::to_string_pretty(&summary.guardrails).expect("plain data");
    insta::assert_snapshot!(shown);
    let finding = &summary.findings[0];
    assert_eq!((finding.severity, finding.at_s), (Severity::Error, Some(12.0)), "{finding:?}");
}

#[test]
fn a_guardrail_that_never_knew_anything_is_found() {
    let mut story = shop(&[], 20.0);
    story.plan.guardrails = vec![guard(Metric::SendLagP99, Bound::Max(10.0))];
    let results = story.judged();
    assert_eq!(results.summary.exit_code, 0, "it asked for nothing");
    assert_eq!(results.summary.guardrails[0].outcome, GuardrailOutcome::Unknown);
    insta::assert_snapshot!(results.summary.findings[0].text, @"Guardrail `send_lag.p99` protected nothing: no span of 2 s held the ten requests that it takes to know `send_lag.p99`.");
}

#[test]
fn a_fault_that_no_request_met_is_found() {
    let story = shop(&[], 20.0).with(|facts| facts.faults[0].effect = Effect::NotExercised("no connection".into()));
    let results = story.judged();
    assert_eq!(results.summary.verdict, Verdict::Inconclusive);
    let finding = &results.summary.findings[0];
    assert_eq!((finding.severity, finding.at_s), (Severity::Error, Some(10.0)));
    insta::assert_snapshot!(finding.text, @"No traffic exercised `slow` (network.latency on payments): no connection");
}

#[test]
fn a_window_in_which_an_instance_ended_by_itself_can_fail_but_not_pass() {
    let gates = [
        "{ id: errors, metric: error_rate, window: 'fault:slow', max: 1% }",
        "{ id: slow, metric: latency.p90, window: 'fault:slow', max: 100ms }",
        "{ id: later, metric: latency.p90, window: 'fault:killed', max: 1us }",
    ];
    let exit = Event { at_s: 12.0, kind: "service.exited".into(), subject: "ledger#1".into(), text: String::new() };
    let results = shop(&gates, 452.0).with(|facts| facts.events.push(exit)).judged();
    assert_eq!(gate(&results, "slow").verdict, GateVerdict::Fail, "what went wrong in it went wrong");
    assert_eq!(gate(&results, "errors").verdict, GateVerdict::Inconclusive);
    insta::assert_snapshot!(gate(&results, "errors").note, @"`ledger#1` ended by itself at 12 s");
    assert_eq!(gate(&results, "later").verdict, GateVerdict::Inconclusive, "it is another system");
    insta::assert_snapshot!(gate(&results, "later").note, @"`ledger#1` ended by itself at 12 s, before the window began");
}
