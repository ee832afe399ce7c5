//! Shoppers in front of the shop in pods, and what the API server knows of what was done to it.

use brunt_report::results::{FaultData, Results};
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::scenario::Scenario;

/// Wider than this an injection is not on a machine that does anything at all.
const WIDE_S: f64 = 3.0;

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

/// What brunt asked to be changed in a namespace, or without one, in order of time.
pub fn asked_by_brunt(cluster: &Cluster, is: impl Fn(&Asked) -> bool) -> Vec<Asked> {
    let reads = ["get", "list", "watch"];
    let by_brunt = |asked: &Asked| asked.agent.starts_with("brunt") && !reads.contains(&asked.verb.as_str());
    let mut all: Vec<Asked> = cluster.audit().into_iter().filter(|asked| by_brunt(asked) && is(asked)).collect();
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    all
}

/// Fails unless brunt's span of the injection holds the instants at which the API server received the first and the last of
/// these. How wide it is depends on the machine: connections are opened in it, and victims looked for.
#[track_caller]
pub fn agrees(results: &Results, fault: &FaultData, asked: &[Asked]) {
    let zero = seconds_since_1970(&results.summary.started_at);
    let at = |offset: Option<f64>| zero + offset.expect("it was injected");
    let (first, last) = (asked.first().expect("it asked"), asked.last().expect("it asked"));
    let (early, late) = (first.at - at(fault.injecting_at_s), at(fault.active_at_s) - last.at);
    println!("first asked {early:+.3} s after the beginning, in place {late:+.3} s after the last was asked");
    // The start of the run is written to the millisecond.
    assert!((-0.001..=WIDE_S).contains(&early), "first asked {early} s after the beginning: {fault:#?} {asked:#?}");
    assert!((-0.001..=WIDE_S).contains(&late), "in place {late} s after the last was asked: {fault:#?} {asked:#?}");
}
