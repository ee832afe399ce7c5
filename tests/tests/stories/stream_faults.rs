//! The stream faults of a link, one after the other in one run against a real service: each is seen to act, each is undone,
//! and what users felt stands in its window and in no other.

use std::time::Duration;

use brunt_report::results::Results;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{fault, window};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

/// A reply of the service has 40 bytes.
const TIMELINE: &str = "
        timeline:
          - baseline: 2s
          # 40 bytes take 8 ms.
          - { id: thin, fault: network.bandwidth, target: wire, for: 2s, with: { rate: 40kbit, direction: from } }
          - pause: 1s
          # Four pieces, so three gaps.
          - { id: sliced, fault: tcp.slicer, target: wire, for: 2s, with: { size: 10B, delay: 5ms } }
          - pause: 1s
          - { id: recorded, fault: network.latency, target: wire, for: 2s, with: { table: ./recorded.csv, correlation: 50% } }
          - pause: 1s
          - { id: tailed, fault: http.latency, target: wire, for: 2s, with: { latency: 30ms, jitter: 5ms, distribution: pareto } }
          - pause: 1s
          # The third reply on a connection breaks off, and its client hears of the close half a second later.
          - parallel:
              - { id: lingering, fault: tcp.slow_close, target: wire, for: 2s, with: { delay: 500ms } }
              - { id: limited, fault: tcp.limit, target: wire, for: 1s, delay: 200ms, with: { bytes: 100B } }
          - pause: 2s
          - { id: silent, fault: tcp.timeout, target: wire, for: 2s, with: { after: 100ms } }
          - pause: 2s
          - { id: last, fault: network.latency, target: wire, for: 1s, with: { latency: 20ms, jitter: 2ms, distribution: normal } }
          - pause: 1s
        gates:
          - { metric: error_rate, window: baseline, max: 0% }
          - { metric: error_rate, window: \"fault:last\", max: 0% }
        ";

fn scenario(service: &Answering) -> Scenario {
    let text = format!(
        "
        version: 1
        name: stream-faults
        seed: 11
        links: {{ wire: {{ to: \"{}\" }} }}
        targets:
          api: {{ url: \"${{links.wire.url}}\" }}
          wire: {{ link: wire }}
        load:
          main: {{ get: /, rate: 50/s, for: timeline }}
        {}
        ",
        service.address(),
        TIMELINE.trim(),
    );
    Scenario::new(&text).beside("recorded.csv", b"# between two machines\n60ms\n60ms\n80ms\n")
}

#[track_caller]
fn p50(results: &Results, name: &str) -> f64 {
    let latency = window(results, name).latency_ms;
    latency.p50.unwrap_or_else(|| panic!("{name} has no p50: {latency:?}"))
}

#[test]
fn each_stream_fault_acts_in_its_window_is_verified_and_is_undone() {
    let _machine = machine::alone();
    let service = Answering::on_core_0();

    let ended = Brunt::run(&scenario(&service)).within(Duration::from_secs(90)).go().expect_code(0);

    let results = ended.results();
    for id in ["thin", "sliced", "recorded", "tailed", "lingering", "limited", "silent", "last"] {
        let fault = fault(&results, id);
        assert!(fault.verified, "{fault:?}");
        assert_eq!(fault.rollback_verified, Some(true), "{fault:?}");
    }
    let undisturbed = p50(&results, "baseline");
    assert!(undisturbed < 8.0, "{undisturbed} ms without a fault");
    // Bytes held, not one lost: late replies, and no errors. Requests that overlap the edges were faster.
    for (name, least) in [("fault:thin", 8.0), ("fault:sliced", 15.0), ("fault:recorded", 60.0), ("fault:tailed", 25.0)]
    {
        let found = p50(&results, name);
        assert!(found >= least, "{name}: p50 of {found} ms");
        assert_eq!(window(&results, name).errors, 0, "{name}");
    }
    let recorded = window(&results, "fault:recorded").latency_ms;
    assert!(recorded.p90.is_some_and(|p90| p90 >= 80.0), "a third of the table is 80 ms: {recorded:?}");
    // Connections closed: errors, which wait for the close that is passed on late.
    let limited = window(&results, "fault:limited");
    assert!(limited.error_rate.is_some_and(|rate| rate > 0.1), "{limited:?}");
    assert!(limited.latency_ms.max.is_some_and(|max| max >= 500.0), "{limited:?}");
    let silent = window(&results, "fault:silent");
    assert!(silent.error_rate.is_some_and(|rate| rate > 0.8), "{silent:?}");
    assert!(fault(&results, "silent").residue.iter().any(|left| left.ends_with("closed")), "{results:?}");
    // And afterwards it is as it was.
    assert_eq!(window(&results, "fault:last").errors, 0);
}

#[test]
fn a_stream_fault_that_does_nothing_makes_the_run_invalid_and_says_which() {
    let _machine = machine::shared();
    let service = Answering::at_once();

    let ended = Brunt::run(&scenario(&service)).env("BRUNT_TEST_NO_EFFECT", "1").go().expect_code(5);

    let results = ended.results();
    let thin = fault(&results, "thin");
    assert!(!thin.verified && thin.reason.contains("not one was hit"), "{thin:?}");
    assert_eq!(fault(&results, "sliced").injecting_at_s, None, "the timeline stops at the first");
}
