//! What the report says of pods, beside what the API server has written down itself.

use brunt_report::results::{PodData, Results};
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;
use serde_json::Value;

use crate::shopping::{heard, payments, scenario};

/// Whether a slice that is written here names that pod as ready.
fn names_as_ready(slice: &Value, uid: &str) -> bool {
    let endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
    endpoints.iter().any(|one| one["targetRef"]["uid"] == uid && one["conditions"]["ready"] == true)
}

fn makes_ready(status: &Value) -> bool {
    let conditions = status["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// How much later than it was asked for brunt heard that a pod was told to end, left the endpoints, had another made in its
/// place, and that was ready.
fn lags(results: &Results, audit: &[Asked], victim: &PodData) -> [f64; 4] {
    let zero = seconds_since_1970(&results.summary.started_at);
    let first = |what: &str, after: f64, is: &dyn Fn(&Asked) -> bool| {
        let here = |asked: &&Asked| asked.namespace == victim.namespace && asked.at >= after && asked.code < 400;
        let found = audit.iter().filter(here).find(|asked| is(asked));
        found.unwrap_or_else(|| panic!("nobody asked for {what}")).at
    };
    let ending = victim.ending_s.expect("it was told to end");
    let lag = victim.endpoint_removal_lag_s.unwrap_or_else(|| panic!("it was not served until then: {victim:#?}"));
    let left = ending + lag;
    let replacement = victim.replaced_by.as_ref().expect("the deployment makes another one");
    let replacement = results.pods.iter().find(|pod| pod.name == *replacement).expect("it is told too");
    let (created, ready) = (replacement.created_s.expect("it is new"), replacement.ready[0][0]);

    let deleted = first("the delete", 0.0, &|asked| asked.verb == "delete" && asked.name == victim.name);
    let unnamed = first("the slice to change", deleted, &|asked| {
        asked.resource == "endpointslices" && asked.verb == "update" && !names_as_ready(&asked.body, &victim.uid)
    });
    let made = first("another pod", deleted, &|asked| asked.verb == "create" && asked.resource == "pods");
    let told_ready = first("it to be ready", made, &|asked| {
        asked.resource == "pods/status" && asked.name == replacement.name && makes_ready(&asked.body)
    });
    [(ending, deleted), (left, unnamed), (created, made), (ready, told_ready)]
        .map(|(heard, asked)| zero + heard - asked)
}

#[test]
fn the_last_request_to_a_dead_pod_and_the_first_one_to_the_new_pod_are_told_where_replies_name_the_pod() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "named", 3);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: who-answers
        seed: 7
        targets:
          shop: {{ url: \"{}\", instance_header: x-instance }}
          payments: {{ kubernetes: {{ namespace: named, owner: deployment/payments }} }}
        load:
          buyers:
            target: shop
            post: /payments
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            json: {{ order: 1, amount: 3 }}
            timeout: 2s
            rate: 100/s
            for: timeline
            reuse: never
        timeline:
          - baseline: 3s
          - {{ id: kill, fault: pod.kill, target: payments, with: {{ grace: 1s }} }}
          - pause: 15s
        gates:
          - {{ metric: error_rate, max: 100% }}
        safety: {{ lease: 5s, allow: {{ namespaces: [named] }} }}
        ",
        shop.payments_url()
    ));
    let ended = cluster.run(&scenario).start().wait().expect_done();
    let results = ended.results();
    let dead = results.pods.iter().find(|pod| pod.ending_s.is_some()).expect("one was killed");
    let name = dead.replaced_by.as_ref().unwrap_or_else(|| panic!("the deployment makes another one: {dead:#?}"));
    let new = results.pods.iter().find(|pod| pod.name == *name).expect("it is told too");
    println!("dead: {dead:#?}, new: {new:#?}");

    // A dead pod answers no more; until it was told to end it had its share of 100 requests a second.
    let (last, gone) = (dead.last_request_s.expect("it answered"), dead.gone_s.expect("it went"));
    let ending = dead.ending_s.expect("it was told to");
    assert!(last < gone && last > ending - 1.0, "last request {last} s, told to end {ending} s, gone {gone} s");
    // Nobody sends to a pod before a slice names it, or much later: it is one of three. brunt hears of slices a moment later than
    // the proxies of the nodes may.
    let (first, serving) = (new.first_request_s.expect("it answered"), new.serving[0][0]);
    assert!(first > serving - 1.0 && first < serving + 5.0, "first request {first} s, served from {serving} s");
    assert!(first > new.created_s.expect("it is new"), "before it was made");
    assert_eq!(
        new.first_request_s.map(|at| (at - ending) * 1e3).map(f64::round),
        dead.time_to_first_request_s.map(|s| (s * 1e3).round())
    );

    // Who served what is told by pod, and no longer by the one address of the Service.
    let names: Vec<&str> =
        results.served.iter().filter(|one| one.address.is_some()).map(|one| one.instance.as_str()).collect();
    assert!(names.len() == 4 && results.pods.iter().all(|pod| names.contains(&pod.name.as_str())), "{names:?}");
    for text in ["Last request after", "First request to it after"] {
        assert!(ended.file("report.html").contains(text), "{text}");
    }
}

#[test]
fn what_the_report_says_of_pods_agrees_with_the_audit_log() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "outcomes", 3);
    let timeline = "
          - baseline: 2s
          - { id: kill, fault: pod.kill, target: payments, repeat: { times: 3, every: 8s }, with: { grace: 1s } }
          - recover: { within: 60s }
    ";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, "")).start().wait().expect_done();
    let results = ended.results();
    let audit = cluster.audit();
    let victims: Vec<&PodData> = results.pods.iter().filter(|pod| pod.ending_s.is_some()).collect();
    assert_eq!(victims.len(), 3, "{:#?}", results.pods);
    let all: Vec<[f64; 4]> = victims.iter().map(|victim| lags(&results, &audit, victim)).collect();
    println!("ending, left, created, ready were heard so many seconds after they were asked for: {all:.3?}");
    for (kind, what) in
        ["told to end", "left the endpoints", "the replacement made", "the replacement ready"].iter().enumerate()
    {
        heard(&results, what, all.iter().map(|lags| lags[kind]));
    }
    for kind in ["pod.ending", "pod.left", "pod.created", "pod.ready", "pod.serving", "pod.gone"] {
        assert!(results.events.iter().any(|event| event.kind == kind), "no event says {kind}:\n{ended}");
    }
    assert!(ended.file("report.html").contains("Left the endpoints after"));
}
