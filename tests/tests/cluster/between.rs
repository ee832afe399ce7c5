//! Faults between the pods of two targets.

use std::time::Duration;

use brunt_injector::namespace::Namespace;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::{fault, window};
use brunt_tests::{host, machine};
use serde_json::Value;

use crate::inpod::soonest_from;
use crate::shopping::{network_of, payments, scenario};

/// What the fault adds to what orders sends to payments.
const ADDED: Duration = Duration::from_millis(300);

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().expect("every pod has a name")
}

#[test]
fn rule_11_a_peer_is_met_at_its_service_and_at_its_own_address_and_so_is_who_replaces_it() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "between", 1);
    let orders = shop.pods("orders").remove(0);
    let before = shop.pods("payments").remove(0);
    let orders_is =
        format!("          orders: {{ kubernetes: {{ namespace: {}, owner: deployment/orders }} }}", shop.namespace);
    let timeline = format!(
        "
          - baseline: 3s
          - {{ id: wire, fault: network.latency, target: orders, from: payments, for: 30s, with: {{ latency: {}ms }} }}
          - pause: 1s
        ",
        ADDED.as_millis()
    );
    let targets = format!("{}\n{orders_is}", payments(&shop));
    let run = cluster.run(&scenario(&shop, &targets, &timeline, "")).start();
    run.wait_for("fault.verified");

    // Whoever else asks orders is answered at once, payments is not.
    let elsewhere = Namespace::named(cluster.network()).expect("the cluster runs");
    let soon = soonest_from(&elsewhere, &orders, 4);
    assert!(soon < ADDED, "{soon:?}");
    let late = soonest_from(&network_of(&before), &orders, 2);
    assert!(late >= ADDED, "{late:?}");

    shop.kubectl(&["delete", "pod", name(&before), "--grace-period=0"]);
    run.wait_for("fault.peers");
    let there = || shop.pods("payments").into_iter().find(|pod| name(pod) != name(&before));
    assert!(host::comes_true(Duration::from_secs(20), || there().is_some_and(|pod| !pod["status"]["podIP"].is_null())));
    let after = there().expect("it was there");
    let from_new = || soonest_from(&network_of(&after), &orders, 1) >= ADDED;
    assert!(host::comes_true(Duration::from_secs(5), from_new), "who replaces a peer is not met");

    let ended = run.wait().expect_done();
    let results = ended.results();
    let wire = fault(&results, "wire");
    assert!(wire.verified && wire.rollback_verified == Some(true), "{wire:#?}");
    // Every order is paid through the Service's address, and what goes there is late: the connection, or what is asked.
    let p50 = |name: &str| window(&results, name).latency_ms.p50.expect("there were orders");
    let added = ADDED.as_secs_f64() * 1e3;
    assert!(p50("fault:wire") >= added && p50("baseline") < added, "{ended}");
    let soon = soonest_from(&network_of(&after), &orders, 4);
    assert!(soon < ADDED, "{soon:?}");
}
