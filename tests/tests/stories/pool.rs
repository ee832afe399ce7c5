//! `pool.exhaust` on a real nginx whose worker has few connections: its new clients fail while they are held, those of the
//! server beside it do not, and both are served when they are let go.

use std::path::Path;
use std::time::Duration;

use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{fault, window};
use brunt_tests::nginx::Site;
use brunt_tests::scenario::Scenario;
use brunt_tests::{machine, ports};
use tempfile::TempDir;

/// The command of an nginx that has so many connections in all.
fn small(folder: &Path, port: u16, connections: usize) -> Vec<String> {
    let site = Site { folder: folder.to_owned(), name: "small".into(), port, bytes: 2 };
    let command = site.command();
    let configuration = folder.join("small.conf");
    let text = std::fs::read_to_string(&configuration).expect("it was just written");
    let few = text.replace("worker_connections 8192", &format!("worker_connections {connections}"));
    assert_ne!(few, text, "nginx has another configuration now");
    std::fs::write(&configuration, few).expect("the folder can be written to");
    command
}

#[test]
fn an_nginx_whose_connections_are_held_fails_its_new_clients_and_serves_them_again_afterwards() {
    let _machine = machine::alone();
    let folder = TempDir::with_prefix("brunt-pool-").expect("a temporary folder");
    let [port] = ports::free();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: pool
        seed: 5
        services:
          small: {{ run: {small:?}, port: {port} }}
          other: {{ run: [ {other:?}, --port, \"${{port}}\" ] }}
        targets:
          small: {{ service: small }}
          other: {{ service: other }}
        load:
          hit: {{ target: small, get: /, rate: 50/s, for: timeline, reuse: never, timeout: 1s }}
        slos:
          works: {{ metric: success_rate, min: 99%, over: 1s }}
        steady_state:
          title: Clients are served
          all_of: [works]
          probes: [{{ id: beside, http: {{ target: other, get: / }}, every: 100ms }}]
        timeline:
          - baseline: 2s
          - {{ id: full, fault: pool.exhaust, target: small, for: 3s, with: {{ send: \"GET \" }} }}
          - recover: {{ within: 5s }}
          - pause: 1s
        gates:
          - {{ metric: error_rate, window: baseline, max: 0% }}
          - {{ metric: error_rate, window: \"fault:full\", min: 50% }}
          - {{ metric: recovery_time, window: \"fault:full\", max: 3s }}
        ",
        small = small(folder.path(), port, 64),
        other = program().display().to_string(),
    ));

    let ended = Brunt::run(&scenario).within(Duration::from_secs(60)).go();

    // A machine that is busy makes latencies untrustworthy (5); what is judged here is counted.
    assert!([0, 5].contains(&ended.code), "{ended}");
    let results = ended.results();
    let full = fault(&results, "full");
    assert!(full.verified, "{full:?}");
    let (probe, during) = (&results.probes[0], window(&results, "fault:full"));
    assert!(during.requests > 100, "{during:?}");
    assert!(probe.asked > 50 && probe.failed == 0, "a server that is not hit is asked all the time: {probe:?}");
    let gates: Vec<_> = results.summary.gates.iter().map(|gate| (&gate.id, &gate.verdict)).collect();
    assert!(results.summary.gates.iter().all(|gate| format!("{:?}", gate.verdict) == "Pass"), "{gates:?}");
}
