//! Every kind of fault on packets that has no story of its own in pods, one behind the other inside of one pod.
//!
//! Latency and loss are told in `inpod.rs`, answers of name servers in `between.rs`.

use std::fs;
use std::process::Command;

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;
use serde_json::{Value, json};

use crate::shopping::network_of;

/// What other programs than brunt see of a network.
const LOOK: &str = "ip -details link | grep -v fe80; ip rule; ip route show table all; tc qdisc; nft list ruleset";

fn text<'a>(pod: &'a Value, pointer: &str) -> &'a str {
    pod.pointer(pointer).and_then(Value::as_str).expect("a pod that runs has it")
}

/// What lies in a network; and how many segments were thrown away there because their checksum was wrong.
fn seen_in(network: &Namespace) -> (String, u64) {
    let look = || {
        let said = Command::new("sh").args(["-c", LOOK]).output().expect("there is a shell");
        let tables = nf_tables::tables().expect("the kernel lists them");
        let mut counters = fs::read_to_string("/proc/thread-self/net/snmp").expect("/proc is mounted");
        counters.retain(|c| c != '\r');
        let of_tcp: Vec<&str> = counters.lines().filter(|line| line.starts_with("Tcp: ")).collect();
        let mut fields = of_tcp[0].split(' ').zip(of_tcp[1].split(' '));
        let damaged =
            fields.find_map(|(name, value)| (name == "InCsumErrors").then(|| value.parse().expect("a number")));
        (format!("{}\n{tables:?}", String::from_utf8_lossy(&said.stdout)), damaged.expect("the kernel counts them"))
    };
    network.inside(look).expect("root may enter")
}

#[test]
fn every_kind_of_fault_on_packets_is_seen_inside_of_one_pod_and_spares_its_neighbour() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-kinds", 2);
    let pods = shop.pods("payments");
    let [hit, neighbour] = &pods[..] else { panic!("{pods:#?}") };
    let network = network_of(hit);
    let (before, damaged) = seen_in(&network);
    assert!(before.contains("qdisc"), "{before}");
    let url = |pod: &Value| format!("http://{}:8080", text(pod, "/status/podIP"));
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: kinds-inside-of-pods
        seed: 7
        targets:
          at-hit: {{ url: \"{}\" }}
          at-neighbour: {{ url: \"{}\" }}
          pod: {{ kubernetes: {{ namespace: inpod-kinds, fields: metadata.name={} }} }}
        load:
          hit: {{ target: at-hit, get: /healthz, reuse: never, timeout: 900ms, rate: 140/s, for: timeline }}
          neighbour: {{ target: at-neighbour, get: /healthz, reuse: never, timeout: 900ms, rate: 20/s, for: timeline }}
        timeline:
          - {{ id: twice, fault: network.duplicate, target: pod, for: 2s, with: {{ duplicate: 20% }} }}
          - {{ id: damage, fault: network.corrupt, target: pod, for: 2s, with: {{ corrupt: 10% }} }}
          - pause: 1s
          - {{ id: mixed, fault: network.reorder, target: pod, for: 2s, with: {{ reorder: 30%, latency: 5ms }} }}
          - {{ id: thin, fault: network.bandwidth, target: pod, for: 2s, with: {{ rate: 240kbit, direction: from }} }}
          - pause: 1s
          - {{ id: cut, fault: network.partition, target: pod, for: 2s }}
          - pause: 1s
          - {{ id: hole, fault: network.blackhole, target: pod, for: 2s, with: {{ direction: to }} }}
          - pause: 1s
        gates:
          # What is damaged is sent again after 200 ms at the earliest.
          - {{ id: damaged, journey: hit, metric: latency.p95, window: 'fault:damage', min: 180ms }}
          - {{ id: thinned, journey: hit, metric: latency.p95, window: 'fault:thin', min: 200ms }}
          - {{ id: silent, journey: hit, metric: error_rate, window: 'fault:cut', min: 60% }}
          - {{ id: swallowed, journey: hit, metric: error_rate, window: 'fault:hole', min: 60% }}
          - {{ id: spared, journey: neighbour, metric: error_rate, window: run, max: 0% }}
          - {{ id: at-once, journey: neighbour, metric: latency.p95, window: run, max: 150ms }}
        safety: {{ lease: 5s, allow: {{ namespaces: [ inpod-kinds ] }} }}
        ",
        url(hit),
        url(neighbour),
        text(hit, "/metadata/name"),
    ));
    let ended = cluster.run(&scenario).start().wait().expect_done();

    let results = ended.results();
    let done = [
        ("twice", "sent twice"),
        ("damage", "damaged"),
        ("mixed", "let pass in front of others"),
        ("thin", "had to wait"),
        ("cut", "lost "),
        ("hole", "lost "),
    ];
    for (id, done) in done {
        let seen = fault(&results, id);
        println!("{id}: {}", seen.reason);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.reason.contains(done), "{seen:#?}");
        assert!(seen.instances.len() == 1 && seen.instances[0].starts_with(text(hit, "/metadata/name")), "{seen:#?}");
    }
    let (after, damaged_after) = seen_in(&network);
    assert_eq!(after, before, "something is left in the pod's network");
    assert!(damaged_after > damaged, "nobody has found any damage");
    let agents = |pod: &Value| pod["spec"]["ephemeralContainers"].as_array().map_or(0, Vec::len);
    let of_each: Vec<usize> = shop.pods("payments").iter().map(agents).collect();
    assert_eq!(json!(of_each), json!([1, 0]), "one agent for all, and none beside");
}
