//! What brunt may do in a cluster, and what it says when it may not.

use std::fs;
use std::path::PathBuf;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;
use serde_json::json;

/// The kubeconfig of somebody in that namespace who may do what `brunt kube rbac` prints for that scenario, less what only the
/// report reads in the whole cluster, and nothing else.
#[track_caller]
pub fn with_printed_roles(cluster: &Cluster, namespace: &str, scenario: &Scenario) -> PathBuf {
    let kubeconfig = cluster.account(namespace, "runner", &json!([]));
    let printed = Brunt::with(["kube".into(), "rbac".into(), scenario.path().as_os_str().to_owned()]).go();
    let roles = tempfile::NamedTempFile::new().expect("a temporary file");
    let printed = printed.expect_code(0).stdout;
    fs::write(roles.path(), &printed).expect("the file is ours");
    cluster.kubectl(&["apply", "--filename", &roles.path().display().to_string()]);
    let (name, to) = (format!("brunt-{namespace}"), format!("--serviceaccount={namespace}:runner"));
    for place in [namespace, "kube-system"] {
        cluster.kubectl(&["create", "rolebinding", &name, "--role=brunt", &to, "--namespace", place]);
    }
    let report = ["create", "rolebinding", "brunt-report", "--role=brunt-report", &to, "--namespace", namespace];
    cluster.kubectl(&report);
    if printed.contains("kind: ClusterRole\nmetadata: { name: brunt }") {
        cluster.kubectl(&["create", "clusterrolebinding", &name, "--clusterrole=brunt", &to]);
    }
    kubeconfig
}

#[test]
fn the_printed_role_is_enough_and_without_one_verb_of_it_nothing_begins() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "least", 2);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: least-rights
        seed: 7
        targets:
          shop: {{ url: \"{}\" }}
          payments: {{ kubernetes: {{ namespace: least, owner: deployment/payments }} }}
        load:
          visitors: {{ target: shop, get: /healthz, rate: 20/s, for: timeline }}
        timeline:
          - baseline: 1s
          - {{ id: kill, fault: pod.kill, target: payments, with: {{ grace: 1s }} }}
          - pause: 8s
          - {{ id: fewer, fault: deployment.scale, target: payments, for: 2s, with: {{ replicas: 1 }} }}
          - pause: 1s
        gates:
          - {{ metric: error_rate, max: 100% }}
        safety: {{ lease: 5s, allow: {{ namespaces: [least] }} }}
        ",
        shop.url()
    ));
    let kubeconfig = with_printed_roles(cluster, "least", &scenario);
    let as_runner = |brunt: Brunt| cluster.beside(brunt).env("KUBECONFIG", &kubeconfig);

    let results = as_runner(Brunt::run(&scenario)).start().wait().results();
    for id in ["kill", "fewer"] {
        let fault = fault(&results, id);
        assert!(fault.verified && fault.rollback_verified == Some(true), "{fault:#?}");
    }
    let unseen: Vec<_> = results.events.iter().filter(|event| event.kind.ends_with(".unknown")).collect();
    let [nodes] = unseen.as_slice() else { panic!("nodes alone are not seen: {unseen:#?}") };
    assert!(nodes.kind == "nodes.unknown" && nodes.text.contains("cannot list resource \"nodes\""), "{nodes:?}");
    assert!(results.nodes.is_empty() && results.pods.iter().any(|pod| pod.ending_s.is_some()), "{:#?}", results.pods);

    let rules = json!([{ "op": "remove", "path": "/rules/0/verbs/0" }]).to_string();
    let first = cluster.get(&["role", "brunt", "--namespace", "least"])["rules"][0].clone();
    assert_eq!(first["verbs"][0], "delete", "{first}");
    shop.kubectl(&["patch", "role", "brunt", "--type=json", "--patch", &rules]);
    let plan = Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()]);
    as_runner(plan).go().expect_code(3).expect_said("delete pods in the namespace `least`");
    let before = shop.pods("payments").len();
    as_runner(Brunt::run(&scenario)).start().wait().expect_code(3).expect_said("delete pods in the namespace `least`");
    assert_eq!(shop.pods("payments").len(), before);
}
