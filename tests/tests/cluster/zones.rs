//! A zone of nodes that goes, and the one beside it that does not notice.

use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::ended::fault;
use brunt_tests::{host, machine};
use serde_json::Value;

use crate::shopping::{asked_by_brunt, scenario};

const LABEL: &str = "topology.kubernetes.io/zone";

/// Node 1 is in the zone `near`, node 2 in `far`, as long as the value lives.
struct Zones<'cluster>(&'cluster Cluster);

impl<'cluster> Zones<'cluster> {
    fn draw(cluster: &'cluster Cluster) -> Self {
        for (node, zone) in [("n1", "near"), ("n2", "far")] {
            cluster.kubectl(&["label", "node", node, &format!("{LABEL}={zone}")]);
        }
        Self(cluster)
    }
}

impl Drop for Zones<'_> {
    fn drop(&mut self) {
        let _ = self.0.command(&["label", "node", "n1", "n2", &format!("{LABEL}-")]).output();
    }
}

fn text<'a>(pod: &'a Value, path: &str) -> &'a str {
    pod.pointer(path).and_then(Value::as_str).expect("every pod has it")
}

fn name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

/// Those on that node, by name and UID.
fn on(pods: &[Value], node: &str) -> Vec<(String, String)> {
    let there = pods.iter().filter(|pod| text(pod, "/spec/nodeName") == node);
    there.map(|pod| (name(pod).to_owned(), text(pod, "/metadata/uid").to_owned())).collect()
}

/// Who was asked to go, by name.
fn gone(asked: &[Asked], resource: &str) -> Vec<String> {
    let mut names: Vec<String> =
        asked.iter().filter(|one| one.resource == resource && one.code < 300).map(|one| one.name.clone()).collect();
    names.sort_unstable();
    names
}

fn names(pods: &[(String, String)]) -> Vec<String> {
    pods.iter().map(|(name, _)| name.clone()).collect()
}

#[test]
fn all_pods_of_a_zone_are_killed_and_none_of_another_one() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "zone-kill", 4);
    let _zones = Zones::draw(cluster);
    let before = shop.pods("payments");
    let (near, far) = (on(&before, "n1"), on(&before, "n2"));
    assert!(!near.is_empty() && far.len() > 1, "{near:?} {far:?}");
    let target = |zone: &str| {
        format!(
            "          payments: {{ kubernetes: {{ namespace: zone-kill, owner: deployment/payments, zone: {zone} }} }}"
        )
    };
    let timeline = "
          - baseline: 2s
          - { id: kill, fault: pod.kill, target: payments, pick: all, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let nowhere = scenario(&shop, &target("nowhere"), timeline, "");
    let plan = Brunt::with(["plan".into(), nowhere.path().as_os_str().to_owned()]);
    cluster.beside(plan).go().expect_code(3).expect_said("and the zone `nowhere`");

    let ended = cluster.run(&scenario(&shop, &target("far"), timeline, "")).start().wait().expect_done();
    let results = ended.results();
    let kill = fault(&results, "kill");
    assert!(kill.verified && kill.instances.len() == far.len(), "{kill:#?}");
    let asked = asked_by_brunt(cluster, |asked| asked.namespace == shop.namespace);
    assert_eq!(gone(&asked, "pods"), names(&far), "{asked:#?}");
    assert_eq!(asked.len(), far.len(), "nothing else was changed: {asked:#?}");
    let after = on(&shop.pods("payments"), "n1");
    assert!(near.iter().all(|pod| after.contains(pod)), "{near:?} {after:?}");
}

#[test]
fn a_zone_that_is_drained_takes_pods_again_and_the_other_one_keeps_its_own() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "zone-drain", 3);
    let _zones = Zones::draw(cluster);
    let all = |shop: &Shop<'_>| ["payments", "orders", "gateway"].map(|name| shop.pods(name)).concat();
    let before = all(&shop);
    let (near, far) = (on(&before, "n1"), on(&before, "n2"));
    assert!(!near.is_empty() && !far.is_empty(), "{near:?} {far:?}");
    let target = "          far: { kubernetes: { namespace: zone-drain, zone: far } }";
    let timeline = "
          - baseline: 2s
          - { id: drain, fault: node.drain, target: far, pick: all, for: 4s, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let ended = cluster.run(&scenario(&shop, target, timeline, "")).start().wait().expect_done();

    let results = ended.results();
    let drain = fault(&results, "drain");
    assert!(drain.verified && drain.rollback_verified == Some(true), "{drain:#?}");
    let zero = seconds_since_1970(&results.summary.started_at);
    let asked = asked_by_brunt(cluster, |asked| {
        asked.at > zero && (asked.namespace == shop.namespace || asked.resource == "nodes")
    });
    let mut far = names(&far);
    far.sort_unstable();
    assert_eq!(gone(&asked, "pods/eviction"), far, "{asked:#?}");
    assert_eq!(gone(&asked, "nodes"), ["n2", "n2"], "there and back: {asked:#?}");
    let takes_pods = || cluster.get(&["node", "n2"])["spec"]["unschedulable"].is_null();
    assert!(host::comes_true(Duration::from_secs(5), takes_pods));
    let after = on(&all(&shop), "n1");
    assert!(near.iter().all(|pod| after.contains(pod)), "{near:?} {after:?}");
}
