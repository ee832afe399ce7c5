//! An agent in a pod that dies because its pod is sent away or ended, or because its node is lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use brunt_tests::brunt::Running;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::{Value, json};

use crate::inpod::{agents_in_pods, all_soon_again, cleanup, late, slow_for};

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().expect("every pod has a name")
}

/// A run with its fault in place, and the name of the one pod that is slow.
#[track_caller]
fn begin(cluster: &Cluster, shop: &Shop<'_>, slow: &Scenario, state: &Path) -> (Running, String) {
    let run = cluster.run(slow).state_in(state).start();
    run.wait_for("fault.verified");
    let mut hit = late(cluster, &shop.pods("payments"));
    assert_eq!(hit.len(), 1, "{hit:?}");
    (run, hit.remove(0))
}

#[test]
fn s21_agent_death_in_pod_that_is_evicted() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s21-evicted", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (run, hit) = begin(cluster, &shop, &slow_for(&shop, 15), folder.path());
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": hit, "namespace": shop.namespace },
    });
    let to = format!("/api/v1/namespaces/{}/pods/{}/eviction", shop.namespace, hit);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), eviction.to_string()).expect("it is ours");
    cluster.kubectl(&["create", "--raw", &to, "--filename", &file.path().display().to_string()]);
    let ended = run.wait();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert_eq!((slow.rollback_verified, ended.code), (Some(true), 5), "the fault did not last: {ended} {slow:#?}");
    assert!(slow.reason.contains("is gone, and its network with it") && slow.residue.is_empty(), "{slow:#?}");
    shop.rolled_out("payments");
    let pods = shop.pods("payments");
    assert!(pods.iter().all(|pod| name(pod) != hit), "{pods:#?}");
    all_soon_again(cluster, &pods, Duration::from_secs(1));
    assert!(host::comes_true(Duration::from_secs(10), || agents_in_pods().is_empty()));
    cleanup(cluster, folder.path()).expect_code(0);
}

#[test]
fn s21_agent_death_in_pod_whose_node_is_lost() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s21-lost", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = fs::read_to_string(slow_for(&shop, 20).path()).expect("it was just written");
    let there = Scenario::new(&text.replace("owner: deployment/payments", "owner: deployment/payments, node: n2"));
    let (run, _) = begin(cluster, &shop, &there, folder.path());
    cluster.crash_node_2();
    assert!(host::comes_true(Duration::from_secs(5), || agents_in_pods().is_empty()), "it went with its node");
    let ended = run.wait();
    let results = ended.results();
    let cleaned = cleanup(cluster, folder.path());
    cluster.return_node_2();
    for deployment in ["payments", "orders", "gateway"] {
        shop.rolled_out(deployment);
    }

    let slow = fault(&results, "slow");
    assert_eq!((slow.rollback_verified, ended.code), (None, 5), "{ended} {slow:#?}");
    assert!(slow.reason.contains("its lease ran out meanwhile"), "{slow:#?}");
    assert!(slow.residue.iter().any(|line| line.contains("on n2")), "{slow:#?}");
    cleaned.expect_code(0);
    // The kubelet there begins what it had anew, with other addresses, and the cluster hears of it later.
    let has_address = |pod: &Value| !pod["status"]["podIP"].is_null();
    let all_soon = || {
        let pods = shop.pods("payments");
        pods.iter().all(has_address) && late(cluster, &pods).is_empty()
    };
    assert!(host::comes_true(Duration::from_secs(90), all_soon), "{:#?}", shop.pods("payments"));
}

#[test]
fn s21_agent_death_in_pod_that_its_kubelet_ends() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s21-ended", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (run, hit) = begin(cluster, &shop, &slow_for(&shop, 15), folder.path());
    // It has run for longer, so its kubelet ends all of its containers, and leaves the pod in the list.
    shop.kubectl(&["patch", "pod", &hit, "--patch", r#"{"spec":{"activeDeadlineSeconds":1}}"#]);
    let ended = run.wait();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert_eq!((slow.rollback_verified, ended.code), (Some(true), 5), "the fault did not last: {ended} {slow:#?}");
    assert!(slow.reason.contains("has ended (Failed, DeadlineExceeded), and its network with it"), "{slow:#?}");
    let pods = shop.pods("payments");
    let dead = pods.iter().find(|pod| name(pod) == hit).expect("it stays in the list");
    assert_eq!(dead["status"]["phase"], "Failed", "{dead:#}");
    assert_eq!(slow.residue.len(), 1, "{slow:#?}");
    assert!(slow.residue[0].contains("stays in the list of pod s21-ended/"), "{slow:#?}");
    shop.rolled_out("payments");
    let mut alive = shop.pods("payments");
    alive.retain(|pod| pod["status"]["phase"] == "Running");
    assert_eq!(alive.len(), 2, "{alive:#?}");
    all_soon_again(cluster, &alive, Duration::from_secs(1));
    assert!(host::comes_true(Duration::from_secs(10), || agents_in_pods().is_empty()));
    cleanup(cluster, folder.path()).expect_code(0);
}
