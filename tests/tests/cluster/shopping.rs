//! Shoppers in front of the shop in pods, and what the API server knows of what was done to it.

use std::fs;

use brunt_injector::namespace::Namespace;
use brunt_report::results::{FaultData, Results};
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::scenario::Scenario;
use serde_json::Value;

/// Fails unless what was heard of the API server's doings was heard after they were asked for, and soon: one of them as soon as
/// everything else, all of them within a second, because the server itself takes its time to tell.
#[track_caller]
pub fn heard(results: &Results, what: &str, after_s: impl IntoIterator<Item = f64>) {
    let all: Vec<f64> = after_s.into_iter().collect();
    println!("{what}: {all:+.3?} s");
    let (least, most) = (all.iter().copied().fold(f64::MAX, f64::min), all.iter().copied().fold(f64::MIN, f64::max));
    assert!(least >= -0.001 && least <= apart_s(results) && most <= 1.0, "{what}: {all:?} s");
}

/// How far what brunt says may be from when the API server was asked, where nobody has to wait for a processor.
const APART_S: f64 = 0.1;

/// 200 orders a second from outside of the cluster for as long as this timeline lasts, which hits targets of these lines.
pub fn scenario(shop: &Shop<'_>, targets: &str, timeline: &str, gates: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: shop-in-pods
        seed: 7
        targets:
          shop: {{ url: \"{}\" }}
{targets}
        load:
          shoppers:
            target: shop
            post: /orders
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            json: {{ sku: A1, amount: 3 }}
            check: {{ status: 201 }}
            timeout: 2s
            rate: 200/s
            for: timeline
        slos:
          orders: {{ journey: shoppers, metric: success_rate, min: 95%, over: 1s }}
        steady_state: {{ all_of: [ orders ], before: {{ hold_for: 1s }} }}
        timeline:
{timeline}
        gates:
          - {{ id: sells-before, metric: error_rate, window: baseline, max: 1% }}
{gates}
        safety: {{ lease: 5s, allow: {{ namespaces: [ {} ] }} }}
        ",
        shop.url(),
        shop.namespace,
    ))
}

/// The line of a target that is the payments of that shop.
pub fn payments(shop: &Shop<'_>) -> String {
    format!("          payments: {{ kubernetes: {{ namespace: {}, owner: deployment/payments }} }}", shop.namespace)
}

/// A process in a pod, by its cgroup.
#[track_caller]
pub fn process_in(pod: &Value) -> u32 {
    let mark = format!("pod{}", pod["metadata"]["uid"].as_str().expect("every pod has a UID"));
    let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_in = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&mark));
    pids.find(is_in).unwrap_or_else(|| panic!("no process is in {}", pod["metadata"]["name"]))
}

/// The network of a pod.
#[track_caller]
pub fn network_of(pod: &Value) -> Namespace {
    Namespace::of_process(process_in(pod)).expect("root may enter")
}

/// What brunt asked to be changed in a namespace, or without one, in order of time.
pub fn asked_by_brunt(cluster: &Cluster, is: impl Fn(&Asked) -> bool) -> Vec<Asked> {
    let reads = ["get", "list", "watch"];
    let by_brunt = |asked: &Asked| asked.agent.starts_with("brunt") && !reads.contains(&asked.verb.as_str());
    let mut all: Vec<Asked> = cluster.audit().into_iter().filter(|asked| by_brunt(asked) && is(asked)).collect();
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    all
}

/// Fails unless brunt stamped an instant fault's beginning just before the API server received the first of these, and that it
/// had acted just after the last was answered: a busy server takes its time in between.
#[track_caller]
pub fn agrees(results: &Results, fault: &FaultData, asked: &[Asked]) {
    begins_with(results, fault, asked);
    let zero = seconds_since_1970(&results.summary.started_at);
    let last = asked.last().expect("it asked");
    let answered = asked.iter().map(|asked| asked.answered).fold(last.answered, f64::max);
    close(results, "acted after the last was answered", zero + fault.active_at_s.expect("it acted") - answered);
}

/// Fails unless brunt stamped the fault's beginning just before the API server received the first of these.
#[track_caller]
pub fn begins_with(results: &Results, fault: &FaultData, asked: &[Asked]) {
    let zero = seconds_since_1970(&results.summary.started_at);
    let first = asked.first().expect("it asked");
    close(results, "first asked after the beginning", first.at - zero - fault.injecting_at_s.expect("it began"));
}

/// Fails unless that is no later than it may be, and not before what it follows.
#[track_caller]
pub fn close(results: &Results, what: &str, after_s: f64) {
    println!("{what}: {after_s:+.3} s");
    // The start of the run is written to the millisecond.
    assert!((-0.001..=apart_s(results)).contains(&after_s), "{what}: {after_s} s");
}

/// How far what brunt says may be from when the API server was asked, on a machine that is as late as brunt itself has seen: on
/// one that keeps its generator waiting, everybody else waits, too.
fn apart_s(results: &Results) -> f64 {
    APART_S + results.summary.health.send_lag_ms.max.unwrap_or(0.0) / 1e3
}
