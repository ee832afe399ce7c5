//! Faults on the first process of a container in a pod whose containers share their pids: there it is no pid 1, so signals from
//! inside reach it.

use std::fs;

use brunt_tests::cluster::Cluster;
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::{Value, json};

use crate::processes::{IMAGE, Workers, stopped};

/// A container of the pod, which does the same as the other one, at its own port, and says where it is.
fn container(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/busybox", "httpd", "-f", "-p", port.to_string(), "-h", "/"],
        "env": [{ "name": "WHERE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
        "readinessProbe": { "tcpSocket": { "port": port }, "periodSeconds": 1 },
    })
}

/// How often each container of a pod was started again, by its name.
fn restarts(pod: &Value) -> Vec<(&str, u64)> {
    let statuses = pod["status"]["containerStatuses"].as_array().expect("it runs");
    let of = |status: &'_ Value| status["restartCount"].as_u64();
    statuses.iter().filter_map(|one| Some((one["name"].as_str()?, of(one)?))).collect()
}

#[test]
fn the_first_process_of_a_container_whose_pod_shares_its_pids_is_paused_and_killed_and_its_neighbour_is_not() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let containers = [container("app", 8081), container("beside", 8082)];
    let spec = json!({ "shareProcessNamespace": true, "containers": containers });
    let workers = Workers::with(cluster, "processes-shared", 1, spec);
    let before = workers.all();
    assert_eq!(before.len(), 2, "{before:?}");
    let timeline = "
          - { id: frozen, fault: process.pause, target: workers, for: 4s }
          - pause: 1s
          - { id: dies, fault: process.kill, target: workers }
          - pause: 2s";
    // Both containers have a process with these words.
    let scenario = workers.scenario("{ cmdline: '^/busybox httpd', count: 1 }", timeline);
    let text = fs::read_to_string(scenario.path()).expect("it was just written");
    let scenario =
        Scenario::new(&text.replace("owner: deployment/workers,", "owner: deployment/workers, container: app,"));
    let run = cluster.run(&scenario).start();
    run.wait_for("fault.verified");
    let during = stopped(&before);
    run.wait_for("event=fault.removed fault=frozen");
    let (after, same) = (stopped(&before), workers.all() == before);
    let ended = run.wait().expect_done();

    assert_eq!((during.len(), after.len(), same), (1, 0, true), "{during:?} {after:?} {ended}");
    let words = fs::read(format!("/proc/{}/cmdline", during[0].pid)).unwrap_or_default();
    let results = ended.results();
    let frozen = fault(&results, "frozen");
    assert!(frozen.verified && frozen.rollback_verified == Some(true), "{frozen:#?}");
    let dies = fault(&results, "dies");
    assert!(dies.verified && dies.reason.contains("gone: busybox (pid "), "{dies:#?}");
    assert!(words.is_empty(), "the one that was paused is the one that was killed");
    let again = || restarts(&workers.pods()[0]) == [("app", 1), ("beside", 0)];
    assert!(host::comes_true(std::time::Duration::from_secs(20), again), "{:?}", restarts(&workers.pods()[0]));
    let now = workers.all();
    assert_eq!(now.iter().filter(|worker| before.contains(worker)).count(), 1, "{before:?} {now:?}");
}
