//! Load from the cluster: pods that send one schedule together, as one generator would.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brunt_report::results::{CrewData, Results, Verdict};
use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Cluster, SHOP_IMAGE, Shop};
use brunt_tests::ended::{Ended, fault, window};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use nix::sys::signal::Signal;
use serde_json::json;

/// As many arrivals a second, for so long: a schedule that can be counted by hand.
const RATE: u64 = 120;
const LENGTH_S: u64 = 8;

/// Visitors of the shop at a constant rate, with a timeline that hits its payments.
fn visitors(shop: &Shop<'_>, length: &str, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: from-the-cluster
        seed: 7
        targets:
          shop: {{ url: \"{}\" }}
          payments: {{ kubernetes: {{ namespace: {}, owner: deployment/payments }} }}
        load:
          visitors: {{ target: shop, get: /healthz, rate: {RATE}/s, for: {length} }}
        timeline:
{timeline}
        gates:
          - {{ metric: error_rate, max: 100% }}
        safety: {{ lease: 5s, allow: {{ namespaces: [{}] }} }}
        ",
        shop.url(),
        shop.namespace,
        shop.namespace,
    ))
}

fn from_pods(brunt: Brunt, namespace: &str, workers: usize) -> Brunt {
    let brunt = brunt.args(["--on", "kubernetes", "--namespace", namespace, "--image", SHOP_IMAGE]);
    brunt.args(["--workers", &workers.to_string()])
}

#[track_caller]
fn crew(results: &Results) -> &CrewData {
    results.crew.as_ref().expect("the load came from pods")
}

fn jobs(shop: &Shop<'_>) -> String {
    shop.kubectl(&["get", "jobs,pods", "--selector=app.kubernetes.io/managed-by=brunt", "--output=name"])
}

/// The latencies that all workers have counted by themselves, put together.
fn counted(crew: &CrewData) -> Histogram<u64> {
    let mut all = Histogram::<u64>::new(3).expect("three digits");
    for worker in &crew.workers {
        let bytes = STANDARD.decode(worker.latency.as_ref().expect("it was not lost")).expect("base64");
        let one: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
        all.add(one).expect("it resizes itself");
    }
    all
}

/// By nearest rank, milliseconds.
fn percentile(histogram: &Histogram<u64>, q: f64) -> f64 {
    let rank = ((q * histogram.len() as f64).ceil() as u64).max(1);
    let mut seen = 0;
    let found = histogram.iter_recorded().find(|step| {
        seen += step.count_since_last_iteration();
        seen >= rank
    });
    found.expect("it holds values").value_iterated_to() as f64 / 1e3
}

#[test]
fn four_workers_send_one_schedule_and_what_they_measure_is_put_together_exactly() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "crew", 2);
    let timeline = "
          - baseline: 2s
          - { id: kill, fault: pod.kill, target: payments, with: { grace: 1s } }
    ";
    let scenario = visitors(&shop, &format!("{LENGTH_S}s"), timeline);
    // One worker's clock is three seconds ahead; all machines of this test have one clock.
    let run = from_pods(cluster.run(&scenario), "crew", 4).env("BRUNT_TEST_WORKER_CLOCK_AHEAD", "2=3000");
    let ended = run.start().wait();
    let ended = ended.expect_done().expect_said("workers ready 4/4").expect_said("started within");
    let results = ended.results();

    let health = &results.summary.health;
    assert_eq!((health.scheduled, health.started, health.dropped), (RATE * LENGTH_S, RATE * LENGTH_S, 0), "{ended}");
    let crew = crew(&results);
    let requests: u64 = crew.workers.iter().map(|worker| worker.requests).sum();
    let whole = window(&results, "run");
    assert_eq!((requests, whole.requests), (RATE * LENGTH_S, RATE * LENGTH_S), "{crew:#?}");
    let each: Vec<u64> = crew.workers.iter().map(|worker| worker.requests).collect();
    assert_eq!(each, [RATE * LENGTH_S / 4; 4], "each has its quarter");

    let own = counted(crew);
    let found = whole.latency_ms;
    let pairs = [(0.5, found.p50), (0.9, found.p90), (0.95, found.p95), (0.99, found.p99)];
    for (q, merged) in pairs {
        assert_eq!(merged, Some(percentile(&own, q)), "the {q} quantile of {} latencies", own.len());
    }

    for worker in &crew.workers {
        let asked = if worker.index == 2 { 3000.0 } else { 0.0 };
        let error = (worker.clock_ahead_ms - asked).abs();
        assert!(error <= worker.within_ms + 1.0, "worker {} is {asked} ms ahead: {worker:#?}", worker.index);
        assert!(worker.within_ms < 250.0, "{worker:#?}");
    }
    let skew = crew.start_skew_ms.expect("all have started");
    println!("start skew {skew} ms, clocks known to {} ms", crew.clocks_within_ms);
    assert!(skew < 1000.0, "three seconds of another clock were not taken out: {crew:#?}");
    // Every slice of the run has its share of all four.
    assert!(whole.to_s - whole.from_s < LENGTH_S as f64 + 0.5, "{whole:#?}");
    let killed = fault(&results, "kill");
    assert!(killed.verified, "{killed:#?}");
    let nodes: std::collections::BTreeSet<&str> = crew.workers.iter().map(|worker| worker.node.as_str()).collect();
    assert_eq!(nodes.into_iter().collect::<Vec<_>>(), ["n1", "n2"], "they are spread over the nodes");
    host::comes_true(Duration::from_secs(30), || jobs(&shop).is_empty());
    assert_eq!(jobs(&shop), "", "the job went with the run");
    for text in [ended.file("report.html"), ended.file("summary.md")] {
        assert!(text.contains(&crew.workers[3].pod), "the table of workers");
    }
}

/// The first worker's pod, once the load runs.
fn first_pod(shop: &Shop<'_>) -> String {
    let index = "--selector=app.kubernetes.io/managed-by=brunt,batch.kubernetes.io/job-completion-index=0";
    shop.kubectl(&["get", "pods", index, "--output=name"]).trim().to_owned()
}

#[test]
fn a_worker_that_dies_is_seen_its_share_is_missing_and_the_run_is_invalid() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "dies", 1);
    let scenario = visitors(&shop, "60s", "          - baseline: 2s\n          - pause: 50s");
    let run = from_pods(cluster.run(&scenario), "dies", 2).start();
    run.wait_for("baseline.ended");
    shop.kubectl(&["delete", &first_pod(&shop), "--grace-period=0", "--force", "--wait=false"]);
    let ended: Ended = run.wait().expect_code(5).expect_said("worker.lost");
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Invalid);
    let reasons = results.summary.health.reasons.join("\n");
    assert!(reasons.contains("worker 0") && reasons.contains("Its share, one of 2, is missing from"), "{reasons}");
    let lost: Vec<bool> = crew(&results).workers.iter().map(|worker| worker.lost.is_some()).collect();
    assert_eq!(lost, [true, false]);
    assert!(ended.took < Duration::from_secs(50), "an invalid run does not go on: {:?}", ended.took);
}

#[test]
fn the_printed_role_is_enough_and_a_runner_that_is_killed_leaves_no_job() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "least-load", 1);
    let scenario = visitors(&shop, "60s", "          - baseline: 1s\n          - pause: 50s");
    let kubeconfig = cluster.account("least-load", "runner", &json!([]));
    let asks = ["kube".into(), "rbac".into(), scenario.path().as_os_str().to_owned()];
    let printed = Brunt::with(asks).args(["--on", "kubernetes", "--namespace", "least-load"]).go();
    let roles = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(roles.path(), &printed.expect_code(0).stdout).expect("the file is ours");
    let as_runner = || from_pods(cluster.run(&scenario), "least-load", 1).env("KUBECONFIG", &kubeconfig);
    as_runner().start().wait().expect_code(3).expect_said("create jobs.batch in the namespace `least-load`");
    cluster.kubectl(&["apply", "--filename", &roles.path().display().to_string()]);
    for namespace in ["least-load", "kube-system"] {
        let given = ["--role=brunt", "--serviceaccount=least-load:runner", "--namespace", namespace];
        cluster.kubectl(&[&["create", "rolebinding", "brunt-least-load"], &given[..]].concat());
    }
    let state = tempfile::tempdir().expect("a temporary folder");
    let run = as_runner().state_in(state.path()).start();
    run.wait_for("baseline.ended");
    assert!(jobs(&shop).contains("job"), "{}", run.said());
    run.signal(Signal::SIGKILL);
    let ended = host::comes_true(Duration::from_secs(60), || jobs(&shop).is_empty());
    assert!(ended, "the job outlives the run: {}", jobs(&shop));
    let clean = cluster.beside(Brunt::with(["cleanup"])).state_in(state.path()).env("KUBECONFIG", &kubeconfig);
    clean.go().expect_code(0);
    cluster.kubectl(&["delete", "--filename", &roles.path().display().to_string(), "--wait=false"]);
}
