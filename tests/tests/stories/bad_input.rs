//! A hundred broken scenarios. Each is refused with exit code 2 in less than a second, with a place and a way out, and
//! none makes brunt panic.
//!
//! Most are one good scenario with one thing changed, so the line that must be named is known.

use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::scenario::Scenario;
use brunt_tests::{machine, ports};

const GOOD: &str = r#"version: 1
name: good
seed: 7
vars: { rate: 50/s }
services:
  shop: { run: [ sleep, "60" ], instances: 2 }
links: { wire: { to: "127.0.0.1:1" } }
targets:
  api: { url: "http://127.0.0.1:1" }
  wire: { link: wire }
  shop: { service: shop }
journeys:
  buy:
    target: api
    steps:
      - id: order
        post: /orders
        json: { sku: A1 }
        timeout: 2s
        extract: { order: $.id }
        check: { status: 201 }
      - think: 1s..3s
      - { id: read, get: "/orders/{{ order }}" }
load:
  main: { journey: buy, model: open, arrivals: poisson, rate: 50/s, for: timeline }
slos:
  fast: { metric: latency.p95, max: 100ms, over: 2s }
steady_state: { title: fast, all_of: [fast] }
timeline:
  - baseline: 5s
  - id: slow
    fault: network.latency
    target: wire
    for: 4s
    with: { latency: 400ms, jitter: 50ms }
  - recover: { within: 5s }
gates:
  - { id: held, metric: latency.p99, window: "fault:slow", max: 1s }
"#;

/// What is changed in [`GOOD`]: this text becomes that text.
const CHANGED: &[(&str, &str)] = &[
    // Units that are missing, foreign or impossible.
    ("timeout: 2s", "timeout: 2"),
    ("timeout: 2s", "timeout: 1:30"),
    ("timeout: 2s", "timeout: 2 seconds"),
    ("timeout: 2s", "timeout: -2s"),
    ("timeout: 2s", "timeout: .inf"),
    ("timeout: 2s", "timeout: [2s]"),
    ("timeout: 2s", "timeout: 99999d"),
    ("rate: 50/s, for", "rate: 50, for"),
    ("rate: 50/s, for", "rate: fifty/s, for"),
    ("rate: 50/s, for", "rate: 50/d, for"),
    ("rate: 50/s, for", "rate: -1/s, for"),
    ("rate: 50/s, for", "rate: 99999999999/s, for"),
    ("latency: 400ms", "latency: 400"),
    ("latency: 400ms", "latency: { ms: 400 }"),
    ("jitter: 50ms", "jitter: 50%"),
    ("think: 1s..3s", "think: 3s..1s"),
    ("think: 1s..3s", "think: normal(2s)"),
    ("think: 1s..3s", "think: sometimes"),
    ("max: 100ms", "max: 100%"),
    ("max: 100ms", "max: true"),
    ("max: 1s }", "max: 5x }"),
    ("max: 1s }", "max: { baseline: 3 } }"),
    ("status: 201", "status: created"),
    ("status: 201", "status: 99999"),
    ("seed: 7", "seed: seven"),
    ("seed: 7", "seed: -7"),
    ("seed: 7", "seed: 1.5"),
    ("instances: 2", "instances: 0"),
    ("instances: 2", "instances: two"),
    ("instances: 2", "instances: 2, port: 70000"),
    // The wrong kind of value.
    ("version: 1", "version: 2"),
    ("version: 1", "version: one"),
    ("version: 1", "version: [1]"),
    ("name: good", "name: { a: b }"),
    ("name: good", "name: 7\nname: good"),
    ("baseline: 5s", "baseline: { for: 5s }"),
    ("baseline: 5s", "baseline: yes"),
    ("json: { sku: A1 }", "json: { sku: A1 }\n        body: both"),
    ("post: /orders", "post: /orders\n        get: /orders"),
    ("post: /orders", "post: [ /orders ]"),
    ("post: /orders", "fetch: /orders"),
    ("extract: { order: $.id }", "extract: [ order ]"),
    ("extract: { order: $.id }", "extract: { order: \"$..[\" }"),
    ("extract: { order: $.id }", "extract: { order: { regex: \"(\" } }"),
    ("[ sleep, \"60\" ]", "sleep 60"),
    ("[ sleep, \"60\" ]", "[]"),
    ("steps:", "steps: none\n    ignored:"),
    ("all_of: [fast]", "all_of: fast"),
    ("  - recover: { within: 5s }", "  - recover"),
    ("  - recover: { within: 5s }", "  - [ recover ]"),
    // Keys and words that do not exist here, some of them from other tools.
    ("timeout: 2s", "timeuot: 2s"),
    ("timeout: 2s", "Timeout: 2s"),
    ("journeys:", "journies:"),
    ("gates:", "thresholds:"),
    ("slos:", "objectives:"),
    ("steady_state:", "hypothesis:"),
    ("seed: 7", "stopConditions: []"),
    ("for: 4s", "duration: 4s"),
    ("model: open", "executor: constant-arrival-rate"),
    ("model: open", "model: constant"),
    ("model: open", "vus: 10"),
    ("arrivals: poisson", "arrivals: bursty"),
    ("arrivals: poisson", "arrivalRate: 10"),
    ("check: { status: 201 }", "check: { code: 201 }"),
    ("check: { status: 201 }", "expect: { status: 201 }"),
    ("url: \"http", "uri: \"http"),
    ("with: { latency: 400ms", "with: { delay: 400ms"),
    ("over: 2s", "window: 2s"),
    ("metric: latency.p95", "metric: p95"),
    ("metric: latency.p99", "metric: latency.p97"),
    ("metric: latency.p99", "metric: http_req_duration"),
    ("fault: network.latency", "fault: network.lateness"),
    ("fault: network.latency", "fault: delay"),
    // Names that lead nowhere.
    ("target: wire", "target: wires"),
    ("target: api", "target: apis"),
    ("journey: buy", "journey: by"),
    ("link: wire }", "link: wires }"),
    ("service: shop", "service: shops"),
    ("all_of: [fast]", "all_of: [fats]"),
    ("fault:slow\"", "fault:slower\""),
    ("fault:slow\"", "baselines\""),
    ("fault:slow\"", "recovery:slow\", step: orders"),
    ("{{ order }}", "{{ oder }}"),
    ("{{ order }}", "{{ order"),
    ("{{ order }}", "{{ order | nope }}"),
    ("rate: 50/s, for", "rate: \"${vars.rat}\", for"),
    ("rate: 50/s, for", "rate: \"${rate}\", for"),
    ("rate: 50/s, for", "rate: \"${vars.rate\", for"),
    ("rate: 50/s, for", "rate: \"${env.BRUNT_NOT_SET:?say how many}\", for"),
    ("\"http://127.0.0.1:1\"", "\"ftp://127.0.0.1:1\""),
    ("\"http://127.0.0.1:1\"", "\"127.0.0.1\""),
    ("\"http://127.0.0.1:1\"", "\"http://127.0.0.1:port\""),
    // What contradicts itself.
    ("- { id: read", "- { id: order"),
    ("for: timeline", "for: 1s"),
    ("for: timeline", "users: 5, for: timeline"),
    ("id: slow\n", "id: slow\n    at: 10s\n"),
    // Files that are not there, or that lead back.
    ("name: good", "name: !include ./missing.yaml"),
    ("name: good", "name: !include ./story.brunt.yaml"),
    // YAML that is not YAML, or not the YAML that was meant.
    ("name: good", "name: good: better"),
    ("name: good", "name: *nobody"),
    ("name: good", "name: !!python/object:os.system good"),
    ("vars: { rate: 50/s }", "vars: { rate: ${x} }"),
    ("max: 100ms", "max: > 100ms"),
];

/// As [`CHANGED`], where a neighbour of the changed line may rightly be blamed: a quote or a bracket that never ends.
const SPOILT: &[(&str, &str)] = &[
    ("fault: network.latency", "fault: process.pause"),
    ("name: good", "name: !include ."),
    ("name: good", "name: \"good"),
    ("name: good", "\tname: good"),
    ("vars: { rate: 50/s }", "vars: { rate: 50/s"),
];

/// Whole files that are no scenarios.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let bomb = (b'b'..=b'l').fold(String::from("a: &a [x, x, x, x, x, x, x, x, x]\n"), |text, letter| {
        let (this, last) = (char::from(letter), char::from(letter - 1));
        let aliases = vec![format!("*{last}"); 9].join(", ");
        format!("{text}{this}: &{this} [{aliases}]\n")
    });
    let binary: Vec<u8> = (0..20_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    vec![
        ("an empty file", Vec::new()),
        ("only a comment", b"# nothing\n".to_vec()),
        ("a list", b"- version: 1\n".to_vec()),
        ("a word", b"hello\n".to_vec()),
        ("two documents", format!("{GOOD}---\n{GOOD}").into_bytes()),
        ("a YAML bomb", format!("version: 1\n{bomb}").into_bytes()),
        ("a loop of aliases", b"version: 1\nx-a: &a [ *a ]\n".to_vec()),
        ("deep nesting", format!("version: 1\nx-deep: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()),
        ("deep blocks", (0..2_000).map(|deep| format!("{}a:\n", " ".repeat(deep))).collect::<String>().into_bytes()),
        ("binary", binary),
        ("NUL", b"version: 1\nname: a\0b\n".to_vec()),
        ("not UTF-8", b"version: 1\nname: caf\xe9\n".to_vec()),
        ("UTF-16", GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("ten megabytes", format!("{GOOD}x-long: \"{}\"\n", "x".repeat(10 << 20)).into_bytes()),
        ("ten megabytes of keys", (0..700_000).map(|at| format!("x-{at}: [1, 2]\n")).collect::<String>().into_bytes()),
        ("JSON that ends early", b"{\"version\": 1, \"load\": {".to_vec()),
        ("a shell script", b"#!/bin/sh\nexit 0\n".to_vec()),
    ]
}

/// Runs it; returns what is wrong with the answer, if anything. `line` is the line that must be named, if it is known.
fn complaint(what: &str, scenario: &Scenario, line: Option<usize>) -> Option<String> {
    let ended = Brunt::run(scenario).within(Duration::from_secs(20)).go();
    let place = line.map_or("story.brunt.yaml".to_owned(), |line| format!("story.brunt.yaml:{line}:"));
    let wrong = [
        (ended.code != 2, "it did not exit with 2"),
        (ended.took >= Duration::from_secs(1), "it took a second or more"),
        (ended.stderr.contains("panicked"), "it panicked"),
        (!ended.stderr.contains(&place), "the place is not named"),
        (!ended.stderr.contains("help:"), "there is no help"),
        (ended.stderr.len() > 20_000, "it said too much"),
        (ended.out.exists(), "it made a folder for results"),
    ];
    let wrong: Vec<&str> = wrong.iter().filter_map(|(is, words)| is.then_some(*words)).collect();
    let said: String = ended.to_string().chars().take(1500).collect();
    (!wrong.is_empty()).then(|| format!("===== {what}: {} ({place})\n{said}\n", wrong.join(", ")))
}

#[test]
fn a_hundred_broken_scenarios_are_refused_with_a_place_and_a_way_out() {
    let _machine = machine::alone();
    let mut complaints = Vec::new();
    let known = CHANGED.iter().map(|change| (change, true));
    for ((from, to), line_is_known) in known.chain(SPOILT.iter().map(|change| (change, false))) {
        let (before, _) = GOOD.split_once(from).unwrap_or_else(|| panic!("{from:?} is not in the good scenario"));
        // A change that adds lines may be blamed at any of them.
        let line = (line_is_known && !to.contains('\n')).then(|| before.matches('\n').count() + 1);
        let scenario = Scenario::from_bytes(GOOD.replacen(from, to, 1).as_bytes());
        complaints.extend(complaint(&format!("{from:?} became {to:?}"), &scenario, line));
    }
    for (what, bytes) in files() {
        complaints.extend(complaint(what, &Scenario::from_bytes(&bytes), None));
    }
    let count = CHANGED.len() + SPOILT.len() + files().len();
    assert!(count >= 100, "only {count} scenarios");
    assert!(complaints.is_empty(), "{} of {count}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_scenario_that_the_others_were_made_from_is_good() {
    let _machine = machine::shared();
    Brunt::with(["validate"]).arg(Scenario::from_bytes(GOOD.as_bytes()).path()).go().expect_code(0);
}

#[test]
fn all_problems_are_told_in_one_pass() {
    let _machine = machine::shared();
    let text =
        GOOD.replace("timeout: 2s", "timeout: 2").replace("target: wire", "target: wires").replace("gates:", "gate:");
    let ended = Brunt::with(["validate"]).arg(Scenario::from_bytes(text.as_bytes()).path()).go().expect_code(2);
    for place in ["story.brunt.yaml:19:", "story.brunt.yaml:33:", "story.brunt.yaml:37:"] {
        assert!(ended.stderr.contains(place), "{place} is not named: {ended}");
    }
}

#[test]
fn a_scenario_that_is_not_there_is_named() {
    let _machine = machine::shared();
    Brunt::with(["run", "no-such.brunt.yaml"]).go().expect_code(2).expect_said("no-such.brunt.yaml");
    Brunt::with(["run", "/"]).go().expect_code(2).expect_said("/");
}

/// brunt's own proxy takes every connection, so what is behind it is asked before anything begins.
#[test]
fn a_fault_in_front_of_nobody_is_no_run() {
    let _machine = machine::shared();
    let [port] = ports::free();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Brunt::with(["run", &url, "--for", "5s", "--fault", "latency 10ms"]).go();
    ended.expect_code(3).expect_said("leads nowhere").expect_said("connection refused");
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let _machine = machine::shared();
    for args in [&["rnu"][..], &["run"], &["run", "--rate"], &["report", "nowhere.json"], &["demo-service", "x"]] {
        let ended = Brunt::with(args.iter().copied()).go();
        assert_eq!(ended.code, 2, "{args:?}: {ended}");
        assert!(!ended.stderr.is_empty(), "{args:?}");
    }
}
