//! A measurement that cannot be trusted, or that measured nothing, is never a pass, and says why.

use std::time::Duration;

use brunt_report::results::{Results, Verdict};
use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::{Ended, fault};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};

/// A scenario whose load goes straight to the service, with a wire beside it that no request uses.
fn scenario(service: &Answering, load: &str, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: honesty
        seed: 5
        links: {{ wire: {{ to: \"{}\" }} }}
        targets:
          api: {{ url: \"{}\" }}
          through: {{ url: \"${{links.wire.url}}\" }}
          wire: {{ link: wire }}
        load:
          main: {load}
        {timeline}
        ",
        service.address(),
        service.url()
    ))
}

const LATENCY_FAULT: &str = "
        timeline:
          - baseline: 1s
          - { id: slow, fault: network.latency, target: wire, for: 2s, with: { latency: 100ms } }
          - pause: 1s
        ";

#[track_caller]
fn is_invalid(ended: &Ended) -> Results {
    assert_eq!(ended.code, 5, "{ended}");
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Invalid, "{ended}");
    results
}

/// The most descriptors that a process has open, looked at until it ends.
fn most_descriptors(running: &Running) -> usize {
    let folder = format!("/proc/{}/fd", running.pid());
    let mut most = 0;
    let count = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    host::comes_true(Duration::from_secs(30), || {
        let now = count();
        most = most.max(now);
        most > 0 && now == 0
    });
    most
}

#[test]
fn a_generator_that_is_asked_for_more_than_it_can_send_says_so_and_opens_no_end_of_connections() {
    let _machine = machine::alone();
    let service = Answering::on_core_0();
    let load = "{ target: api, get: /, rate: 900000/s, for: 4s, max_in_flight: 300 }";
    let story = scenario(&service, load, "");
    let run = Brunt::run(&story).args(["--workers", "1"]).under(["taskset", "-c", "1"]).start();
    let descriptors = most_descriptors(&run);
    let results = is_invalid(&run.wait());
    let health = &results.summary.health;
    assert!(!health.valid && !health.reasons.is_empty(), "{health:?}");
    assert!(health.started < health.scheduled, "{health:?}");
    assert!((300..500).contains(&descriptors), "{descriptors} descriptors for at most 300 open requests");
}

#[test]
fn a_ceiling_that_was_reached_makes_the_run_invalid_and_is_named() {
    let _machine = machine::alone();
    let service = Answering::freezing(1000, 2000);
    let load = "{ target: api, get: /, rate: 1000/s, for: 4s, max_in_flight: 100 }";
    let results = is_invalid(&Brunt::run(&scenario(&service, load, "")).go());
    let health = &results.summary.health;
    assert!(health.dropped > 100, "{health:?}");
    assert!(health.reasons.iter().any(|reason| reason.contains("max_in_flight")), "{health:?}");
    assert!(health.in_flight_max <= 100, "{health:?}");
}

#[test]
fn a_window_without_a_single_sample_never_passes() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    // One request an hour: the run's two seconds hold none, or the one at its very beginning.
    let rest = "
        timeline: [ { pause: 1s }, { baseline: 1s } ]
        gates: [ { metric: error_rate, window: baseline, max: 100% } ]
        ";
    let ended = Brunt::run(&scenario(&service, "{ target: api, get: /, rate: 1/h, for: timeline }", rest)).go();
    assert_eq!(ended.code, 5, "{ended}");
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Inconclusive, "{ended}");
    let empty = results.summary.windows.get("baseline");
    assert!(empty.is_none_or(|window| window.requests == 0 && window.latency_ms.p50.is_none()), "{empty:?}");
}

#[test]
fn a_fault_that_did_not_take_makes_the_run_invalid() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = scenario(&service, "{ target: through, get: /, rate: 100/s, for: timeline }", LATENCY_FAULT);
    let ended = Brunt::run(&story).env("BRUNT_TEST_NO_EFFECT", "1").go();
    let results = is_invalid(&ended);
    let slow = fault(&results, "slow");
    assert!(!slow.verified && !slow.reason.is_empty(), "{slow:?}");
    assert!(results.summary.sentence.contains("slow"), "{}", results.summary.sentence);
}

#[test]
fn the_same_fault_is_verified_when_it_takes() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = scenario(&service, "{ target: through, get: /, rate: 100/s, for: timeline }", LATENCY_FAULT);
    let results = Brunt::run(&story).go().expect_code(0).results();
    assert!(fault(&results, "slow").verified, "{:?}", fault(&results, "slow"));
}

#[test]
fn a_fault_that_no_request_met_makes_the_run_inconclusive() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = scenario(&service, "{ target: api, get: /, rate: 100/s, for: timeline }", LATENCY_FAULT);
    let ended = Brunt::run(&story).go();
    assert_eq!(ended.code, 5, "{ended}");
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Inconclusive, "{ended}");
    let slow = fault(&results, "slow");
    assert!(!slow.verified && slow.reason.contains("exercised"), "{slow:?}");
}
