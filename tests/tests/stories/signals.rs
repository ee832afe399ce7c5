//! A person or a machine that asks brunt to stop: it rolls back first, and still writes what it saw.

use std::time::Duration;

use brunt_report::results::{GateVerdict, Verdict};
use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{fault, gate};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::Signal;

/// A service that is paused for a minute, which nobody waits for.
fn paused_for_a_minute() -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: stopped-by-hand
        seed: 5
        services:
          api: {{ run: [ \"{}\", --port, \"${{port}}\" ], instances: 2 }}
        targets: {{ api: {{ service: api }} }}
        load:
          main: {{ target: api, get: /, rate: 100/s, for: timeline, timeout: 1s }}
        timeline:
          - baseline: 1s
          - {{ id: paused, fault: process.pause, target: api, for: 60s }}
          - {{ id: later, fault: process.pause, target: api, for: 1s }}
        gates:
          - {{ id: later, metric: error_rate, window: \"fault:later\", max: 1% }}
        ",
        program().display()
    ))
}

fn stopped_by(signal: Signal, code: i32) {
    let scenario = paused_for_a_minute();
    let run = Brunt::run(&scenario).start();
    run.wait_for("event=fault.active");
    assert!(!host::stopped(run.mark()).is_empty(), "the pause is in place");
    run.signal(signal);
    let ended = run.wait().expect_code(code);
    assert!(ended.took < Duration::from_secs(20), "it took {:?} to stop", ended.took);
    assert_eq!(host::left_by(&ended.mark), [], "something was left running");
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Aborted, "{}", results.summary.sentence);
    assert_eq!(i32::from(results.summary.exit_code), code);
    assert_eq!(fault(&results, "paused").rollback_verified, Some(true), "{ended}");
    assert_eq!(gate(&results, "later").verdict, GateVerdict::NotReached, "{ended}");
    for name in ["report.html", "junit.xml", "summary.md", "events.jsonl", "scenario.resolved.yaml"] {
        assert!(!ended.file(name).is_empty(), "{name} is empty");
    }
}

#[test]
fn the_first_ctrl_c_rolls_back_and_still_writes_the_report() {
    let _machine = machine::shared();
    stopped_by(Signal::SIGINT, 130);
}

#[test]
fn sigterm_rolls_back_and_still_writes_the_report() {
    let _machine = machine::shared();
    stopped_by(Signal::SIGTERM, 143);
}
