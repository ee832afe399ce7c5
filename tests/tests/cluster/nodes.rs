//! A node that is drained, and one that is lost.

use brunt_report::results::{NodeData, Results, TroubleData};
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::shopping::{asked_by_brunt, begins_with, close, heard, payments, scenario};

fn nodes_of(pods: &[Value]) -> Vec<&str> {
    pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap_or_default()).collect()
}

#[test]
fn a_node_that_is_drained_is_empty_for_as_long_as_the_fault_lasts_and_takes_pods_again() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "drain", 3);
    assert!(nodes_of(&shop.pods("payments")).contains(&"n2"));
    let target = format!("          payments: {{ kubernetes: {{ namespace: {}, node: n2 }} }}", shop.namespace);
    let timeline = "
          - baseline: 3s
          - { id: drain, fault: node.drain, target: payments, for: 5s, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let looks_before = looks_at_n2(cluster);
    let ended = cluster.run(&scenario(&shop, &target, timeline, "")).start().wait().expect_done();

    let results = ended.results();
    let drain = fault(&results, "drain");
    assert!(drain.verified && drain.rollback_verified == Some(true), "{drain:#?}");
    let all = |deployment| shop.pods(deployment);
    let pods = [all("payments"), all("orders"), all("gateway")].concat();
    assert!(nodes_of(&pods).iter().all(|node| *node == "n1"), "{:?}", nodes_of(&pods));
    let node = cluster.get(&["node", "n2"]);
    assert!(node["spec"]["unschedulable"].is_null() && node["spec"]["taints"].is_null(), "{}", node["spec"]);
    let asked = asked_by_brunt(cluster, |asked: &Asked| asked.name == "n2" || asked.namespace == shop.namespace);
    let of = |resource: &str| asked.iter().filter(|one| one.resource == resource).count();
    assert!(of("nodes") == 2 && of("pods/eviction") > 0 && of("pods") == 0, "{asked:#?}");
    let looks = looks_at_n2(cluster) - looks_before;
    // Twenty a second until it is empty, then two.
    println!("brunt has looked {looks} times at who is on the node");
    assert!((2..150).contains(&looks), "brunt has looked {looks} times at who is on the node");

    let zero = seconds_since_1970(&results.summary.started_at);
    begins_with(&results, drain, &asked);
    let taken_back = asked.iter().rfind(|one| one.resource == "nodes").expect("there are two");
    close(
        &results,
        "removed after the node was given back",
        zero + drain.removed_at_s.expect("it was") - taken_back.at,
    );
    let ending = results.pods.iter().filter_map(|pod| pod.ending_s.map(|at| (pod, zero + at)));
    let lags = ending.map(|(pod, at)| {
        let evicted = |one: &&Asked| one.resource == "pods/eviction" && one.name == pod.name && one.code == 201;
        at - asked.iter().find(evicted).unwrap_or_else(|| panic!("nobody evicted {pod:#?}")).at
    });
    heard(&results, "told to end, heard after the eviction", lags);

    let n2 = node_n2(&results);
    let [cordoned] = n2.troubles.as_slice() else { panic!("nothing else was wrong with it: {n2:#?}") };
    assert_eq!(cordoned.what, "cordoned");
    let asked_first = asked.iter().find(|one| one.resource == "nodes").expect("there are two");
    let began = zero + cordoned.from_s.expect("it was not before") - asked_first.at;
    let ended = zero + cordoned.to_s.expect("it was given back") - taken_back.at;
    heard(&results, "the node cordoned and given back, heard after it was asked for", [began, ended]);
}

/// How often brunt has asked who is on node 2.
fn looks_at_n2(cluster: &Cluster) -> usize {
    let asks_who = |asked: &&Asked| asked.verb == "list" && asked.uri.contains("spec.nodeName%3Dn2");
    cluster.audit().iter().filter(asks_who).filter(|asked| asked.agent.starts_with("brunt")).count()
}

fn node_n2(results: &Results) -> &NodeData {
    results.nodes.iter().find(|node| node.name == "n2").unwrap_or_else(|| panic!("no n2 in {:#?}", results.nodes))
}

/// Who says so of node 2, and when: a change of its status to this.
fn said_of_n2(cluster: &Cluster, by: &str, ready: &str, after: f64) -> Asked {
    let says = |asked: &Asked| {
        let conditions = asked.body["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == ready)
    };
    cluster.asked(&format!("node n2 to be ready: {ready}"), |asked| {
        asked.resource == "nodes/status"
            && asked.name == "n2"
            && asked.user.contains(by)
            && asked.at > after
            && says(asked)
    })
}

#[test]
fn a_node_that_is_lost_takes_its_pods_out_of_service_and_they_come_back_with_it() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "crash", 3);
    let timeline = "\n          - baseline: 2s\n          - pause: 300s";
    let run = cluster.run(&scenario(&shop, &payments(&shop), timeline, "")).start();
    run.wait_for("baseline.ended");
    cluster.crash_node_2();
    // The controllers wait for 20 s before they believe it.
    cluster.kubectl(&["wait", "--for=condition=Ready=Unknown", "node/n2", "--timeout=120s"]);
    run.wait_for("node.unknown");
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let on_n2 = |pods: &[Value]| pods.iter().filter(|pod| pod["spec"]["nodeName"] == "n2").any(ready);
    let gone = brunt_tests::host::comes_true(std::time::Duration::from_secs(30), || !on_n2(&shop.pods("payments")));
    assert!(gone, "pods of a lost node are taken for ready");

    cluster.return_node_2();
    run.wait_for("node.ready");
    run.signal(Signal::SIGINT);
    let results = run.wait().results();
    let n2 = node_n2(&results);
    let silent: Vec<&TroubleData> = n2.troubles.iter().filter(|one| one.what == "not heard of").collect();
    let [silent] = silent.as_slice() else { panic!("it was lost once: {n2:#?}") };
    assert!(silent.why.starts_with("NodeStatusUnknown: "), "{silent:#?}");
    let zero = seconds_since_1970(&results.summary.started_at);
    let lost = said_of_n2(cluster, "node-controller", "Unknown", zero);
    let back = zero + silent.to_s.expect("it came back");
    let told = zero + silent.from_s.expect("it was there before") - lost.at;
    heard(&results, "a lost node, heard after the cluster gave it up", [told]);
    assert!(back > lost.at, "{silent:#?}");
    let well = results.nodes.iter().find(|node| node.name == "n1").expect("it carries payments, too");
    assert!(well.troubles.is_empty(), "{well:#?}");

    for deployment in ["payments", "orders", "gateway"] {
        shop.rolled_out(deployment);
    }
}
