//! The cluster itself: that the tests of this program stand on what they believe to stand on.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::json;

#[test]
fn the_shop_in_pods_sells_under_load_from_outside() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "sells", 3);
    let payments = shop.pods("payments");
    let nodes: Vec<_> = payments.iter().map(|pod| pod["spec"]["nodeName"].clone()).collect();
    assert!(nodes.contains(&json!("n1")) && nodes.contains(&json!("n2")), "three payment pods are all on {nodes:?}");
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: shop-in-pods
        targets: {{ shop: {{ url: \"{}\" }} }}
        load:
          shoppers:
            target: shop
            post: /orders
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            json: {{ sku: A1, amount: 3 }}
            check: {{ status: 201 }}
            rate: 200/s
            for: 5s
        gates:
          - {{ id: sells, metric: error_rate, max: 0% }}
        ",
        shop.url()
    ));
    let results = cluster.run(&scenario).go().expect_code(0).results();
    let requests: u64 = results.summary.windows.values().map(|window| window.requests).sum();
    assert!(requests >= 1000, "{requests} requests");
}

#[test]
fn a_service_account_may_do_what_its_role_says_and_no_more() {
    let _machine = machine::shared();
    let cluster = Cluster::shared();
    cluster.kubectl(&["create", "namespace", "rights"]);
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    let kubeconfig = cluster.account("rights", "reader", &rules);
    let may = |verb: &str, what: &str| {
        let path = kubeconfig.display().to_string();
        // The last `--kubeconfig` counts.
        let said =
            cluster.command(&["auth", "can-i", verb, what, "--kubeconfig", &path]).output().expect("kubectl is there");
        String::from_utf8_lossy(&said.stdout).trim() == "yes"
    };
    assert!(may("list", "pods"));
    assert!(!may("delete", "pods") && !may("list", "services") && !may("list", "nodes"));
    cluster.kubectl(&["delete", "namespace", "rights", "--wait=false"]);
}

#[test]
fn the_audit_log_says_who_asked_for_what_and_when() {
    let _machine = machine::shared();
    let cluster = Cluster::shared();
    let wall = || std::time::UNIX_EPOCH.elapsed().expect("the clock is right").as_secs_f64();
    let before = wall();
    cluster.kubectl(&["create", "namespace", "logged"]);
    let after = wall();
    cluster.kubectl(&["label", "namespace", "logged", "tier=test"]);
    let created = cluster.asked("the namespace", |asked| asked.verb == "create" && asked.name == "logged");
    assert_eq!((created.user.as_str(), created.resource.as_str(), created.code), ("admin", "namespaces", 201));
    assert!(before < created.at && created.at < after, "{before} {created:?} {after}");
    let labelled = cluster.asked("the label", |asked| asked.verb == "patch" && asked.name == "logged");
    assert_eq!(labelled.body["metadata"]["labels"]["tier"], "test");
    cluster.kubectl(&["delete", "namespace", "logged", "--wait=false"]);
}

#[test]
fn an_api_server_that_is_stopped_answers_nobody_until_it_goes_on() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let asks = || cluster.command(&["get", "namespace", "default", "--request-timeout=1s"]).output().expect("kubectl");
    let stopped = cluster.stopped("apiserver");
    assert!(!asks().status.success());
    drop(stopped);
    cluster.kubectl(&["get", "namespace", "default", "--request-timeout=60s"]);
}

/// What can be seen on this machine of a cluster whose names begin with this.
fn traces(prefix: &str) -> Vec<String> {
    let of = |command: &[&str]| {
        let output = Command::new(command[0]).args(&command[1..]).output().expect("it is installed");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all =
        [of(&["ip", "netns", "list"]), of(&["find", "/sys/fs/cgroup", "-type", "d"]), of(&["cat", "/proc/mounts"])];
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted").flatten().map(|entry| {
        let text = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&text).replace('\0', " ")
    });
    // The one that asked for it has the prefix among its words and is no part of it.
    let processes = processes.filter(|line| !line.contains("bin/cluster") && !line.contains("debug/cluster"));
    all.into_iter().flatten().chain(processes).filter(|line| line.contains(prefix)).collect()
}

#[test]
fn a_cluster_whose_owner_is_killed_leaves_nothing_and_the_one_beside_it_stays() {
    let _machine = machine::shared();
    let beside = Cluster::shared();
    let prefix = format!("brunt-doomed-{}", std::process::id());
    let owner = env!("CARGO_BIN_EXE_cluster");
    let mut child =
        Command::new(owner).arg(&prefix).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is built");
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("it prints text");
    let folder = Path::new(line.trim().trim_start_matches("export KUBECONFIG=")).parent().expect("a file has a folder");
    assert!(folder.is_dir() && !traces(&prefix).is_empty(), "it said {line:?}");

    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let began = Instant::now();
    host::comes_true(Duration::from_secs(60), || traces(&prefix).is_empty() && !folder.exists());
    let left = traces(&prefix);
    assert!(left.is_empty() && !folder.exists(), "after {:?} there is still {left:#?}", began.elapsed());
    beside.kubectl(&["get", "nodes"]);
}
