//! Real parts: HAProxy in front of three nginx, one of which is killed under 500 requests a second and started again. HAProxy
//! counts for itself, so what brunt reports is held against what went through.
//!
//! A request whose nginx is away fails with 503 (`retries 0`): with health checks until HAProxy has taken the dead one out,
//! without them until it runs again.

use std::time::Duration;

use brunt_report::results::{GateVerdict, Results};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{Ended, fault, window};
use brunt_tests::haproxy::{Balancer, Statistics, Table};
use brunt_tests::nginx::{Nginx, Site};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine, ports};
use tempfile::TempDir;

const RATE: f64 = 500.0;
const AWAY_S: f64 = 3.0;
/// From the start of an nginx until it listens, and from its death until the agent has stamped it, on a busy machine.
const EDGE_S: f64 = 0.25;

/// Runs the story and returns what brunt and what HAProxy say, HAProxy's words after the last request.
fn kill_one_of_three(server_words: &'static str, probes: &str) -> (Ended, Table) {
    let folder = TempDir::with_prefix("brunt-haproxy-").expect("a temporary folder");
    let [front, ports @ ..] = ports::free::<4>();
    let names = ["web-1", "web-2", "web-3"];
    let servers = names.iter().map(|name| (*name).to_owned()).zip(ports).collect();
    let balancer = Balancer { folder: folder.path().to_owned(), port: front, mode: "http", servers, server_words };
    let webs = names.iter().zip(ports).map(|(name, port)| {
        let site = Site { folder: folder.path().to_owned(), name: (*name).to_owned(), port, bytes: 51 };
        format!("  {name}: {{ run: {:?}, port: {port} }}\n", site.command())
    });
    let scenario = Scenario::new(&format!(
        "
version: 1
name: one-of-three
seed: 3
services:
{webs}  balancer: {{ run: {balancer:?}, port: {front}, stop: {{ signal: USR1 }} }}
targets:
  shop: {{ service: balancer }}
  victim: {{ service: web-2 }}
load:
  main: {{ target: shop, get: /, rate: {RATE}/s, for: timeline }}
slos:
  works: {{ metric: success_rate, min: 99%, over: 1s }}
steady_state:
  title: The shop answers
  all_of: [works]
{probes}
timeline:
  - baseline: 2s
  - {{ id: one-dies, fault: process.kill, target: victim, with: {{ restart_after: {AWAY_S}s }} }}
  - recover: {{ within: 8s }}
  - pause: 2s
gates:
  - {{ metric: error_rate, window: baseline, max: 0% }}
  - {{ metric: recovery_time, window: \"fault:one-dies\", max: 5s }}
",
        webs = webs.collect::<String>(),
        balancer = balancer.command(),
    ));
    let run = Brunt::run(&scenario).within(Duration::from_secs(90)).start();
    let mut statistics = Statistics::of(&balancer.socket());
    // brunt stops its services when the last reply has come.
    statistics.wait_for_soft_stop();
    let table = statistics.table();
    drop(statistics);
    let ended = run.wait();
    // A machine that is busy with something else makes the latencies untrustworthy (5), and brunt says so; what is judged
    // here is counted, and holds all the same.
    assert!([0, 5].contains(&ended.code), "{ended}");
    (ended, table)
}

/// Every request that brunt counts went through HAProxy, and every request that went through HAProxy was brunt's: its load,
/// or a question of its probe. Requests that failed, failed there.
fn both_count_the_same(results: &Results, table: &Table) {
    let health = &results.summary.health;
    let asked: u64 = results.probes.iter().map(|probe| probe.asked).sum();
    assert_eq!(health.started, health.scheduled, "{health:?}");
    // HAProxy counts a connection without a request among its requests, and as one that went wrong: whoever asked whether it
    // is ready yet.
    let went_through = table.count("FRONTEND", "req_tot") - table.count("FRONTEND", "ereq");
    assert_eq!(went_through, health.started + asked, "{asked} of these are probes: {table}");
    assert_eq!(window(results, "run").requests, health.started);
    let refused: u64 = results.summary.errors.iter().map(|error| error.count).sum();
    let probes_failed: u64 = results.probes.iter().map(|probe| probe.failed).sum();
    assert_eq!(window(results, "run").errors, refused);
    // What failed was not answered with 200: HAProxy said 503, or closed because the nginx died in the middle of the reply.
    let answered = table.count("FRONTEND", "hrsp_2xx");
    assert_eq!(went_through - answered, refused + probes_failed, "{:?} {table}", results.summary.errors);
}

fn gates_held(results: &Results) {
    let gates = &results.summary.gates;
    assert!(gates.iter().all(|gate| gate.verdict == GateVerdict::Pass), "{gates:#?}");
}

#[test]
fn with_health_checks_one_dead_nginx_of_three_is_felt_until_haproxy_has_taken_it_out() {
    let _machine = machine::alone();
    let probe = "  probes: [{ id: outside, http: { target: shop, get: / }, every: 100ms }]";
    let (ended, table) = kill_one_of_three("check inter 200ms fall 3 rise 2", probe);
    let results = ended.expect_said("recovered in").results();

    gates_held(&results);
    both_count_the_same(&results, &table);
    assert!(results.probes.iter().all(|probe| probe.asked > 50), "{:?}", results.probes);
    let died = fault(&results, "one-dies");
    assert!(died.verified, "{died:?}");
    // Every third request finds the dead one: it is noticed within three.
    assert!(died.time_to_detect_s.is_some_and(|seconds| seconds < 3.0 / RATE + EDGE_S), "{died:?}");
    // Three failed checks, the first of them up to 200 ms after the death, and then a probe each 100 ms has to see it as
    // well; long before nginx is back.
    let recovery = died.recovery_time_s.expect("it recovered");
    assert!((0.4 - EDGE_S..=0.7 + EDGE_S).contains(&recovery), "{died:?}");
    // Until then a third of all requests found it, the probe's ten a second among them.
    let errors = &results.summary.errors;
    let first = errors.iter().map(|error| error.first_s).fold(f64::INFINITY, f64::min);
    let last = errors.iter().map(|error| error.last_s).fold(0.0, f64::max);
    let failed = window(&results, "run").errors as f64;
    let dealt = (last - first) * RATE / 3.0 + 1.0;
    // One for each end, one for the probe's turns, and what was late at an end because brunt was.
    let off = 3.0 + results.summary.health.send_lag_ms.max.unwrap_or(0.0) / 1e3 * RATE / 3.0;
    println!(
        "{failed} requests failed in {:.3} s, {dealt:.1} +- {off:.1} were dealt, recovery {recovery} s",
        last - first
    );
    assert!((failed - dealt).abs() <= off, "{failed} requests failed, {dealt} were dealt: {errors:?}");
    // HAProxy took it out once, and in again: at the end all three serve.
    assert_eq!(table.count("web-2", "chkdown"), 1, "{table}");
    assert_eq!(table.cell("web-2", "status"), "UP", "{table}");
}

#[test]
fn without_health_checks_a_third_of_the_requests_fails_until_the_nginx_is_back() {
    let _machine = machine::alone();
    let (ended, table) = kill_one_of_three("", "");
    let results = ended.expect_said("recovered in").results();

    gates_held(&results);
    both_count_the_same(&results, &table);
    let died = fault(&results, "one-dies");
    let during = window(&results, "fault:one-dies");
    // HAProxy deals in turn, so of any requests in a row a third goes to each, give or take one; and the nginx was away for
    // the whole window but for its edges.
    let third = during.requests as f64 / 3.0;
    let failed = during.errors as f64;
    println!("{failed} of {} requests failed, HAProxy dealt a third: {third:.1}", during.requests);
    assert!(failed <= third + 1.0, "{failed} of {} requests failed", during.requests);
    assert!(failed >= third - 1.0 - EDGE_S * RATE / 3.0, "{failed} of {} requests failed", during.requests);
    assert!((during.requests as f64 - AWAY_S * RATE).abs() <= EDGE_S * RATE, "{during:?}");
    // It recovers when the nginx is back. The objective bears 1 % of errors over 1 s: where a third fails, the last 30 ms of
    // them, and its spans begin on a grid of 50 ms.
    let borne = 0.01 * 3.0 + 0.05;
    let recovery = died.recovery_time_s.expect("it recovered");
    assert!((AWAY_S - borne..=AWAY_S + EDGE_S).contains(&recovery), "{died:?}");
    assert_eq!(table.cell("web-2", "check_status"), "", "nobody checked: {table}");
}

#[test]
fn an_nginx_that_somebody_else_started_is_found_by_name_and_command_line_and_killed_alone() {
    let _machine = machine::shared();
    let mut victim = Nginx::start("the-one-that-dies", 51, None);
    let mut other = Nginx::start("the-one-that-lives", 51, None);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: found-by-its-words
        seed: 3
        targets:
          site: {{ url: \"{}\" }}
          victim: {{ process: {{ name: nginx, cmdline: \"the-one-that-dies\\\\.conf$\", count: 1 }} }}
        load:
          main: {{ target: site, get: /, rate: {RATE}/s, for: 3s }}
        timeline:
          - {{ baseline: 1s }}
          - {{ id: dies, fault: process.kill, target: victim }}
          - {{ pause: 1s }}
        gates:
          - {{ metric: error_rate, window: baseline, max: 0% }}
        ",
        victim.url()
    ));

    let results = Brunt::run(&scenario).go().results();

    gates_held(&results);
    assert!(host::comes_true(Duration::from_secs(1), || victim.has_ended()), "it was to die");
    assert!(!other.has_ended() && other.requests() > 0, "nobody was to touch the other");
    let dies = fault(&results, "dies");
    assert!(dies.verified && dies.residue.iter().any(|line| line.contains("is up to what started it")), "{dies:?}");
    assert_eq!(dies.instances, [format!("nginx (pid {})", victim.pid())]);
    // From its death on every request fails, and none before: nothing listens there any more.
    let at = dies.injecting_at_s.expect("it was killed");
    let errors = window(&results, "run").errors as f64;
    assert!((errors - (3.0 - at) * RATE).abs() <= 2.0 + EDGE_S * RATE, "{errors} failed, killed at {at} s");
    assert!(results.summary.errors.iter().all(|error| error.first_s >= at - 0.01), "{:?}", results.summary.errors);
}
