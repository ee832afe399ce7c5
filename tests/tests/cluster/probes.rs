//! What probes see of a cluster, and what they say when they see nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, SHOP_IMAGE, Shop};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::{Value, json};

/// A job that ends as soon as it has begun, with that exit code.
fn job(name: &str, words: &[&str]) -> Value {
    let command = [&["/brunt"], words].concat();
    let container = json!({ "name": "main", "image": SHOP_IMAGE, "imagePullPolicy": "Never", "command": command });
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": name },
        "spec": { "backoffLimit": 0, "template": { "spec": { "restartPolicy": "Never", "containers": [container] } } },
    })
}

/// An account in that namespace which may do what `brunt kube rbac` prints for the scenario, and no more.
fn account(cluster: &Cluster, namespace: &str, name: &str, scenario: &Scenario) -> PathBuf {
    let kubeconfig = cluster.account(namespace, name, &json!([]));
    let printed = Brunt::with(["kube".into(), "rbac".into(), scenario.path().as_os_str().to_owned()]).go();
    let roles = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(roles.path(), &printed.expect_code(0).stdout).expect("the file is ours");
    cluster.kubectl(&["apply", "--filename", &roles.path().display().to_string()]);
    let account = format!("--serviceaccount={namespace}:{name}");
    cluster.kubectl(&["create", "rolebinding", "brunt", "--role=brunt", &account, "--namespace", namespace]);
    if printed_in_kube_system(roles.path()) {
        let binding = format!("brunt-{namespace}");
        cluster.kubectl(&["create", "rolebinding", &binding, "--role=brunt", &account, "--namespace", "kube-system"]);
    }
    kubeconfig
}

fn printed_in_kube_system(roles: &std::path::Path) -> bool {
    fs::read_to_string(roles).expect("it was just written").contains("namespace: kube-system")
}

#[test]
fn pods_that_are_killed_are_missed_by_every_probe_of_them_until_others_are_ready() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "probed", 3);
    cluster.create("probed", &[job("migrate", &["--version"])]);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: probed
        seed: 7
        targets:
          shop: {{ url: \"{}\" }}
          payments: {{ kubernetes: {{ namespace: probed, owner: deployment/payments }} }}
          labelled: {{ kubernetes: {{ namespace: probed, selector: app=payments }} }}
          migration: {{ kubernetes: {{ namespace: probed, owner: job/migrate }} }}
        load:
          visitors: {{ target: shop, get: /healthz, rate: 20/s, for: timeline }}
        steady_state:
          probes:
            - {{ id: ready, kubernetes: {{ target: payments, expect: pods_ready }}, every: 200ms }}
            - {{ id: two, kubernetes: {{ target: labelled, expect: pods_ready, at_least: 2 }}, every: 200ms }}
            - {{ id: available, kubernetes: {{ target: payments, expect: replicas_available }}, every: 200ms }}
            - {{ id: rolled, kubernetes: {{ target: payments, expect: rolled_out }}, every: 200ms }}
            - {{ id: done, kubernetes: {{ target: migration, expect: job_done }}, every: 200ms }}
          before: {{ hold_for: 1s, within: 60s }}
        timeline:
          - baseline: 1s
          - {{ id: kill, fault: pod.kill, target: payments, pick: all, with: {{ grace: 0s }} }}
          - recover: {{ within: 60s }}
        gates:
          - {{ metric: error_rate, max: 100% }}
        safety: {{ lease: 15s, allow: {{ namespaces: [probed] }} }}
        ",
        shop.url()
    ));
    let kubeconfig = account(cluster, "probed", "prober", &scenario);
    let plan = Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()]);
    let planned = cluster.beside(plan).env("KUBECONFIG", &kubeconfig).go().expect_code(0);
    planned.expect_said("payments has all pods ready");

    let results = cluster.run(&scenario).env("KUBECONFIG", &kubeconfig).go().expect_done().results();
    for id in ["ready", "two", "available", "rolled"] {
        let probe = results.probes.iter().find(|probe| probe.id == id).expect("every probe is told");
        assert!(probe.failed > 0, "nothing was missed by {probe:#?}");
        let failure = probe.last_failure.as_deref().unwrap_or_default();
        assert!(failure.starts_with("not so: ") || failure.starts_with("no such object: "), "{failure}");
        let told = |kind: &str| results.events.iter().any(|event| event.kind == kind && event.subject == id);
        assert!(told("probe.failed") && told("probe.holds"), "{id}: {:#?}", results.events);
    }
    let done = results.probes.iter().find(|probe| probe.id == "done").expect("every probe is told");
    let last = results.events.iter().rfind(|event| event.subject == "done");
    assert!(done.asked > 0 && last.is_none_or(|event| event.kind == "probe.holds"), "{done:#?} {last:?}");
}

/// Probes of these lines beside a service that brunt starts itself.
fn probing(namespace: &str, probe: &str, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: probing
        services:
          pay: {{ run: [ \"${{brunt.exe}}\", demo-service, payments, --port, \"${{port}}\" ], ready: {{ http: /healthz }} }}
        targets:
          pay: {{ service: pay }}
          sleeper: {{ kubernetes: {{ namespace: {namespace}, owner: deployment/sleeper }} }}
          nobody: {{ kubernetes: {{ namespace: {namespace}, owner: deployment/nobody }} }}
          unlabelled: {{ kubernetes: {{ namespace: {namespace}, selector: app=nobody }} }}
          broken: {{ kubernetes: {{ namespace: {namespace}, owner: job/broken }} }}
        load:
          visitors: {{ target: pay, get: /healthz, rate: 20/s, for: timeline }}
        steady_state:
          probes:
            - {{ id: seen, kubernetes: {probe}, every: 200ms, timeout: 5s }}
{timeline}
        "
    ))
}

#[test]
fn a_probe_tells_a_missing_right_from_a_missing_object_from_one_that_is_not_ready() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    cluster.kubectl(&["create", "namespace", "probing"]);
    // No node takes it, so that it is never ready.
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "sleeper" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "sleeper" } },
            "template": {
                "metadata": { "labels": { "app": "sleeper" } },
                "spec": {
                    "nodeSelector": { "no-such": "label" },
                    "containers": [{ "name": "main", "image": SHOP_IMAGE, "imagePullPolicy": "Never" }],
                },
            },
        },
    });
    cluster.kubectl(&["wait", "--for=create", "serviceaccount/default", "--namespace", "probing", "--timeout=60s"]);
    cluster.create("probing", &[deployment, job("broken", &["no-such-command"])]);
    let broken = ["wait", "--for=condition=Failed", "job/broken", "--namespace", "probing", "--timeout=60s"];
    cluster.kubectl(&broken);

    let before = "          before: { hold_for: 1s, within: 2s }\n        timeline: [ { baseline: 1s } ]";
    for (probe, says) in [
        ("{ target: nobody, expect: rolled_out }", "no such object: cannot get deployment/nobody"),
        ("{ target: unlabelled, expect: pods_ready }", "no such object: no pod with the labels `app=nobody`"),
        ("{ target: sleeper, expect: pods_ready }", "not so: 0 of 2 pods are ready: sleeper-"),
        (
            "{ target: sleeper, expect: rolled_out }",
            "not so: of 2 pods of deployment/sleeper 2 are of its newest template",
        ),
        ("{ target: broken, expect: job_done }", "not so: job/broken has failed"),
    ] {
        cluster.run(&probing("probing", probe, before)).go().expect_code(3).expect_said(says);
    }

    let after = "        timeline: [ { baseline: 30s } ]";
    let scenario = probing("probing", "{ target: sleeper, expect: replicas_available, at_least: one }", after);
    let kubeconfig = account(cluster, "probing", "prober", &scenario);
    let as_prober = |brunt: Brunt| cluster.beside(brunt).env("KUBECONFIG", &kubeconfig);
    let run = as_prober(Brunt::run(&scenario)).start();
    run.wait_for("not so: 0 of 2 replicas of deployment/sleeper are available");
    // While it goes on somebody takes the right away: what was not so becomes not known, and the run says which.
    cluster.kubectl(&["delete", "role", "brunt", "--namespace", "probing"]);
    let right = "get deployments.apps in the namespace `probing`";
    let plan = || as_prober(Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()])).go();
    assert!(host::comes_true(Duration::from_secs(20), || plan().code == 3), "{}", plan());
    plan().expect_said(right);
    // The run's own probe asks in its own time; of two that were refused the first has been told.
    let refused = |asked: &Asked| asked.namespace == "probing" && asked.resource == "deployments" && asked.code == 403;
    let heard = || cluster.audit().iter().filter(|asked| refused(asked)).count() >= 2;
    assert!(host::comes_true(Duration::from_secs(20), heard), "the probe does not ask any more");
    run.signal(nix::sys::signal::Signal::SIGINT);
    let ended = run.wait();
    let failure = ended.results().probes[0].last_failure.clone().unwrap_or_default();
    assert!(failure.starts_with("no right: ") && failure.contains("forbidden"), "{failure}\n{ended}");
    as_prober(Brunt::run(&scenario)).go().expect_code(3).expect_said(right);
    cluster.kubectl(&["delete", "namespace", "probing", "--wait=false"]);
}
