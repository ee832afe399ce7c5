//! What a queue does to packets (holds, repeats, mixes up, damages, loses them in bursts), through the whole program and on each
//! kind of target of this host: felt by whom it is meant for, and by nobody beside: not at another port, not from another peer,
//! not over the other family of addresses.

use std::net::UdpSocket;

use brunt_injector::netlink::nf_tables;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;

use crate::bystanders::{Bystanders, spared};

#[test]
fn of_services_processes_and_namespaces_those_packets_are_treated_that_are_meant_and_no_others() {
    let _machine = machine::alone();
    let lab = Bystanders::new();
    let timeline = "
          - baseline: 2s
          - { id: service-far, fault: network.latency, target: own, for: 3s, with: { latency: 120ms, jitter: 20ms } }
          - { id: service-twice, fault: network.duplicate, target: own, for: 3s, with: { duplicate: 20% } }
          - { id: process-bursts, fault: network.loss, target: ledger, from: client, for: 3s,
              with: { model: gilbert_elliott, p: 5%, r: 25% } }
          - { id: process-damage, fault: network.corrupt, target: ledger, from: client, for: 3s, with: { corrupt: 10% } }
          - { id: namespace-far, fault: network.latency, target: lab, from: client, for: 3s, with: { latency: 120ms } }
          - { id: namespace-mixed, fault: network.reorder, target: lab, from: client, for: 3s,
              with: { reorder: 30%, latency: 5ms } }";
    let gates = "
          - { id: far-1, journey: own, metric: latency.p50, window: 'fault:service-far', min: 100ms }
          - { id: far-2, journey: ledger, metric: latency.p50, window: 'fault:namespace-far', min: 120ms }
          - { id: far-3, journey: neighbour, metric: latency.p50, window: 'fault:namespace-far', min: 120ms }
          # What is lost or damaged is sent again after 200 ms at the earliest.
          - { id: bursts, journey: ledger, metric: latency.p95, window: 'fault:process-bursts', min: 180ms }
          - { id: damage, journey: ledger, metric: latency.p95, window: 'fault:process-damage', min: 180ms }
    ";
    let spared = spared(&[
        ("service-far", &["ledger", "twin", "neighbour"]),
        ("service-twice", &["ledger", "twin", "neighbour"]),
        ("process-bursts", &["own", "twin", "neighbour"]),
        ("process-damage", &["own", "twin", "neighbour"]),
        ("namespace-far", &["own", "twin"]),
        ("namespace-mixed", &["own", "twin"]),
    ]);
    let ended = lab.run("queues", timeline, &(gates.to_owned() + "\n" + &spared));

    lab.all_seen(
        &ended,
        &[
            ("service-far", "held"),
            ("service-twice", "sent twice"),
            ("process-bursts", "lost"),
            ("process-damage", "damaged"),
            ("namespace-far", "for 120.0 ms on average"),
            ("namespace-mixed", "let pass in front of others"),
        ],
    );
}

#[test]
fn a_queue_that_has_no_room_left_makes_the_run_invalid_and_says_what_it_lost() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let story = Scenario::new(&format!(
        "
        version: 1
        name: overflow
        seed: 3
        targets:
          api: {{ url: \"http://10.77.0.2:{}\" }}
          lab: {{ netns: {} }}
        load:
          main: {{ target: api, get: /, rate: 20/s, for: timeline, timeout: 5s }}
        timeline:
          - {{ id: far, fault: network.latency, target: lab, for: 60s, with: {{ latency: 50s, direction: to }} }}
        gates: [ {{ metric: requests, min: 1 }} ]
        ",
        service.port(),
        network.server,
    ));
    let run = Brunt::run(&story).under(["ip", "netns", "exec", &network.client]).start();
    run.wait_for("event=fault.active fault=far");
    // As many again as may wait.
    let flood = || {
        let socket = UdpSocket::bind("10.77.0.1:0").expect("it is the client's address");
        (0..131_072).filter(|_| socket.send_to(&[0; 16], "10.77.0.2:9").is_ok()).count()
    };
    let sent = network.of_client().inside(flood).expect("root may enter");
    assert!(sent > 100_000, "{sent} were sent");
    let ended = run.wait().expect_code(5);

    let results = ended.results();
    let seen = fault(&results, "far");
    assert!(!seen.verified && seen.reason.contains("the queue of packets has lost its way"), "{seen:?}");
    assert!(seen.reason.contains("packets"), "{seen:?}");
    assert_eq!(seen.rollback_verified, Some(true), "{seen:?}");
    let report = ended.file("report.html");
    assert!(report.contains("the queue of packets has lost its way"), "the report says it too");
    let left = network.of_server().inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them");
    assert_eq!(left, Vec::<String>::new());
}
