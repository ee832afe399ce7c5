//! Which requests belong to which window, and how long recovery took, where both are known beforehand.

use std::time::Duration;

use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{fault, window};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

#[test]
fn a_wire_that_is_200_ms_slower_for_a_while_shows_in_the_fault_window_and_nowhere_else() {
    let _machine = machine::alone();
    let service = Answering::on_core_0();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: windows
        seed: 3
        links: {{ wire: {{ to: \"{}\" }} }}
        targets:
          api: {{ url: \"${{links.wire.url}}\" }}
          wire: {{ link: wire }}
        load:
          main: {{ get: /, rate: 500/s, for: timeline }}
        slos:
          fast: {{ metric: latency.p95, max: 100ms, over: 1s }}
        steady_state: {{ title: It is fast, all_of: [fast] }}
        timeline:
          - baseline: 4s
          - id: slow
            fault: network.latency
            target: wire
            for: 4s
            with: {{ latency: 200ms }}
          - recover: {{ within: 5s }}
          - pause: 2s
        gates:
          - {{ metric: error_rate, max: 0% }}
        ",
        service.address()
    ));

    let ended = Brunt::run(&scenario).within(Duration::from_secs(60)).go().expect_code(0);

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified, "{slow:?}");
    let (from, to) = (slow.injecting_at_s.expect("injected"), slow.removed_at_s.expect("removed"));
    // Before: not one sample, not even the slowest, shows any of the 200 ms.
    let before = window(&results, "baseline").latency_ms;
    assert!(before.max.is_some_and(|max| max < 100.0), "{before:?}");
    // During: every request that overlaps the fault is there, and those the wire held are 200 ms late.
    let during = window(&results, "fault:slow");
    let intended = 500.0 * (to - from);
    assert!((during.requests as f64 - intended).abs() <= 10.0, "{} requests, {intended} were due", during.requests);
    let p50 = during.latency_ms.p50.unwrap_or(0.0);
    assert!((200.0..210.0).contains(&p50), "{during:?}");
    // All the slow ones of the whole run, and no others, began in the fault window.
    let slices = results.series.iter().flat_map(|series| &series.slices);
    for slice in slices.filter(|slice| slice.latency_us.iter().any(|(us, _)| *us > 150_000)) {
        assert!(slice.at_s > from - 0.26 && slice.at_s < to, "a slow request at {}, fault {from} to {to}", slice.at_s);
    }
    // After: the wire is as it was at the instant of removal.
    let recovery = slow.recovery_time_s.expect("recovered");
    assert!(recovery <= 0.1, "recovery took {recovery} s and should have taken none");
}

#[test]
fn the_recovery_time_of_a_killed_service_is_the_time_for_which_it_was_away() {
    let _machine = machine::alone();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: away-for-two-seconds
        seed: 3
        services:
          api: {{ run: [ \"{}\", --port, \"${{port}}\" ] }}
        targets: {{ api: {{ service: api }} }}
        load:
          main: {{ target: api, get: /, rate: 500/s, for: timeline }}
        slos:
          works: {{ metric: success_rate, min: 99%, over: 1s }}
        steady_state: {{ title: It works, all_of: [works] }}
        timeline:
          - baseline: 2s
          - {{ id: killed, fault: process.kill, target: api, with: {{ restart_after: 2s }} }}
          - recover: {{ within: 8s }}
        gates:
          - {{ metric: recovery_time, window: \"fault:killed\", max: 3s }}
        ",
        program().display()
    ));

    let results = Brunt::run(&scenario).within(Duration::from_secs(60)).go().expect_code(0).results();

    let killed = fault(&results, "killed");
    let recovery = killed.recovery_time_s.expect("recovered");
    assert!((1.9..2.1).contains(&recovery), "it was away for 2 s, and recovery took {recovery} s: {killed:?}");
    assert!(killed.time_to_detect_s.is_some_and(|seconds| seconds < 0.1), "{killed:?}");
    assert_eq!(killed.recovered, Some(true));
}
