use brunt_scenario::plan::Plan;

use super::*;
use crate::sample::{ErrorClass, series_of};

const SCENARIO: &str = "
version: 1
targets: { api: { url: \"http://127.0.0.1:8\" } }
load: { main: { target: api, get: /, rate: 100/s, for: 1h } }
slos:
  fast: { metric: latency.p95, max: 250ms, over: 2s }
  good: { metric: success_rate, min: 90%, over: 2s }
";

fn plan() -> Plan {
    let scenario = brunt_scenario::load_text("objectives", SCENARIO, &brunt_scenario::LoadOptions::default());
    scenario.and_then(|scenario| scenario.plan()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn objectives() -> Objectives {
    let plan = plan();
    Objectives::new(&plan, &series_of(&plan))
}

fn request(intended_ms: u64, latency_ms: u64, error: Option<ErrorClass>) -> Request {
    Request {
        series: 0,
        instance: 0,
        error,
        warmup: false,
        intended: Offset(intended_ms * 1_000_000),
        sent: None,
        first_byte: None,
        done: Offset((intended_ms + latency_ms) * 1_000_000),
        queued_ns: 0,
        connect_ns: 0,
    }
}

/// A worker at this instant, with requests that have been open since.
fn worker(upto_ms: u64, open_since_ms: impl IntoIterator<Item = u64>) -> Vec<Newest> {
    let open = |since: u64| OpenRequest { series: 0, warmup: false, intended: Offset(since * 1_000_000) };
    vec![Newest {
        upto: Offset(upto_ms * 1_000_000),
        open: open_since_ms.into_iter().map(open).collect(),
        in_flight: 0,
    }]
}

fn states(objectives: &Objectives, at_ms: u64, workers: &[Newest]) -> [State; 2] {
    [0, 1].map(|slo| objectives.status(slo, Offset(at_ms * 1_000_000), workers).state)
}

#[test]
fn a_black_hole_is_seen_before_a_single_request_has_ended() {
    let objectives = objectives();
    // All requests of the last two seconds are open: latency is broken, and of the outcome nothing is known.
    let hole = worker(4000, (2000..4000).step_by(10));
    assert_eq!(states(&objectives, 4000, &hole), [State::Broken, State::Unknown]);
    // Open for less than the bound, they are still good.
    let young = worker(4000, (3800..4000).step_by(10));
    assert_eq!(states(&objectives, 4000, &young), [State::Holds, State::Unknown]);
}

#[test]
fn a_worker_that_is_silent_for_a_second_does_not_hold_time_back() {
    let objectives = objectives();
    let stuck = worker(2000, (1800..2000).step_by(10));
    assert_eq!(states(&objectives, 2900, &stuck)[0], State::Holds, "as of its last word, the open ones were young");
    assert_eq!(states(&objectives, 3400, &stuck)[0], State::Broken, "by now they are old");
}

/// Else `recover` would end, and the run with it, before what was still open has failed: the report then says that the
/// system did not recover.
#[test]
fn a_recovery_is_not_told_as_long_as_open_requests_could_take_it_back() {
    let mut objectives = objectives();
    objectives.steady = vec![1];
    (0..150).for_each(|i| objectives.file(&request(2000 + i * 10, 5, None)));
    let told = |objectives: &Objectives, open: &[u64]| {
        let workers = worker(4000, open.iter().copied());
        objectives.earliest_hold_since(Offset(2_000_000_000), Offset(4_000_000_000), &workers)
    };
    let open: Vec<u64> = (3500..4000).step_by(10).collect();
    assert_eq!(told(&objectives, &open), None, "a quarter of the span may still fail");
    assert_eq!(states(&objectives, 4000, &worker(4000, open.clone()))[1], State::Holds, "all that have ended are good");
    open.iter().skip(5).for_each(|at| objectives.file(&request(*at, 5, None)));
    assert_eq!(told(&objectives, &open[..5]), Some(Offset(2_000_000_000)), "five of two hundred change nothing");
}

#[test]
fn fewer_than_ten_requests_are_not_known_to_hold() {
    let mut objectives = objectives();
    (0..9).for_each(|i| objectives.file(&request(3000 + i * 10, 5, None)));
    assert_eq!(states(&objectives, 4000, &worker(4000, [])), [State::Unknown, State::Unknown]);
    objectives.file(&request(3100, 5, None));
    assert_eq!(states(&objectives, 4000, &worker(4000, [])), [State::Holds, State::Holds]);
}

#[test]
fn the_percentile_is_decided_exactly_at_its_rank() {
    for (slow, state) in [(10, State::Holds), (11, State::Broken)] {
        let mut objectives = objectives();
        for i in 0..200 {
            objectives.file(&request(2000 + i * 10, if i < slow { 251 } else { 250 }, None));
        }
        assert_eq!(states(&objectives, 4000, &worker(4000, []))[0], state, "{slow} of 200 above the bound, p95");
    }
}

#[test]
fn memory_does_not_grow_with_time_and_nothing_is_forgotten() {
    let mut objectives = objectives();
    let mut most = 0;
    let hour_ms = 3_600_000;
    for ms in (0..hour_ms).step_by(10) {
        // Slow from minute 20 to minute 21.
        let slow = (1_200_000..1_260_000).contains(&ms);
        objectives.file(&request(ms, if slow { 900 } else { 5 }, None));
        if ms % 5000 == 0 {
            objectives.settle(&worker(ms, []));
            most = most.max(objectives.all[0].buckets.len());
        }
    }
    objectives.settle_all(Offset(hour_ms * 1_000_000));
    assert!(most < 1500, "{most} buckets of 50 ms are a minute and a bit");
    let broken = objectives.history(0).broken(TICK);
    assert_eq!(broken.len(), 1);
    // Eleven of 200 are too many: the first span that is broken begins 1.9 s before, the last one 100 ms before the end.
    let seconds = |start: u64| start as f64 * 0.05;
    assert_eq!((seconds(broken[0].0), seconds(broken[0].1)), (1198.25, 1259.75));
}

#[test]
fn what_was_settled_answers_as_it_did_before() {
    let mut objectives = objectives();
    for i in 0..20_000u64 {
        let error = (i % 700 < 60).then_some(ErrorClass::Reset);
        objectives.file(&request(i * 10, if i % 900 < 40 { 400 } else { 5 }, error));
    }
    let at = Offset(200_000_000_000);
    let ask = |objectives: &Objectives| -> Vec<_> {
        (0..190).map(|s| objectives.earliest_hold_since(Offset(s * 1_000_000_000), at, &worker(200_000, []))).collect()
    };
    let before = ask(&objectives);
    objectives.settle(&worker(200_000, []));
    assert!(objectives.all[0].base > 0, "something was settled");
    assert_eq!(ask(&objectives), before);
}
