//! The safety cases of Kubernetes: what a fault must never hit, and what an undo must never overwrite.

use std::fs;
use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, SHOP_IMAGE, Shop};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::shopping::{asked_by_brunt, payments, process_in, scenario};

/// One pod that is called `ledger-0` however often it is made anew.
fn ledger() -> serde_json::Value {
    let container = json!({
        "name": "ledger",
        "image": SHOP_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/brunt", "demo-service", "payments", "--port", "8080", "--address", "0.0.0.0"],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": { "name": "ledger" },
        "spec": {
            "serviceName": "ledger",
            "replicas": 1,
            "selector": { "matchLabels": { "app": "ledger" } },
            "template": {
                "metadata": { "labels": { "app": "ledger" } },
                "spec": { "automountServiceAccountToken": false, "containers": [container] },
            },
        },
    })
}

#[test]
fn s18_replaced_pod_is_not_hit() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s18", 1);
    cluster.create("s18", &[ledger()]);
    let ready = ["wait", "--for=jsonpath={.status.readyReplicas}=1", "statefulset/ledger", "--timeout=60s"];
    shop.kubectl(&ready);
    let uid = || shop.kubectl(&["get", "pod", "ledger-0", "--output=jsonpath={.metadata.uid}"]);
    let target = "          ledger: { kubernetes: { namespace: s18, owner: statefulset/ledger } }";
    let timeline = "
          - baseline: 4s
          - { id: kill, fault: pod.kill, target: ledger, with: { grace: 0s } }
          - pause: 1s
    ";
    let kill_it = scenario(&shop, target, timeline, "");
    let text = fs::read_to_string(kill_it.path()).expect("it was just written");
    let patient = Scenario::new(&text.replace("lease: 5s", "lease: 60s"));
    let lists =
        || cluster.audit().iter().filter(|asked| asked.verb == "list" && asked.agent.starts_with("brunt")).count();
    let run = cluster.run(&patient).start();
    run.wait_for("baseline.started");
    // Its agent, which is to delete the pod, hears of it only when somebody else has replaced it.
    let marked = host::marked(run.mark());
    let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
    let agent = Pid::from_raw(agent.pid.cast_signed());
    kill(agent, Signal::SIGSTOP).expect("it is there");
    let before = lists();
    let picked = host::comes_true(Duration::from_secs(30), || lists() > before);
    shop.kubectl(&["delete", "pod", "ledger-0", "--grace-period=0", "--force", "--wait=true"]);
    shop.kubectl(&["wait", "--for=create", "pod/ledger-0", "--timeout=30s"]);
    let new = uid();
    kill(agent, Signal::SIGCONT).expect("it is there");
    let ended = run.wait();

    assert!(picked, "brunt never looked for its victim:\n{ended}");
    assert_eq!(uid(), new, "the pod that took over the name was deleted:\n{ended}");
    assert_ne!(ended.code, 0, "{ended}");
    let hit = asked_by_brunt(cluster, |asked| asked.name == "ledger-0" && asked.code < 400);
    assert!(hit.is_empty(), "{hit:#?}");
}

/// A scale of the payments from three to one for that long.
fn scaled_down(shop: &Shop<'_>, length: &str) -> Scenario {
    let timeline = format!(
        "
          - baseline: 2s
          - {{ id: fewer, fault: deployment.scale, target: payments, for: {length}, with: {{ replicas: 1 }} }}
          - pause: 1s
        "
    );
    scenario(shop, &payments(shop), &timeline, "")
}

fn replicas(shop: &Shop<'_>) -> String {
    shop.kubectl(&["get", "deployment", "payments", "--output=jsonpath={.spec.replicas}"])
}

#[test]
fn s19_right_cluster() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s19", 3);
    // The kubeconfig that brunt is given, which later leads elsewhere under the same names.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let ours = fs::read_to_string(cluster.kubeconfig()).expect("it is there");
    fs::write(&kubeconfig, &ours).expect("the folder is ours");
    let state = folder.path().join("state");
    let run = cluster.run(&scaled_down(&shop, "60s")).env("KUBECONFIG", &kubeconfig).state_in(&state).start();
    run.wait_for("fault.verified");
    for process in host::marked(run.mark()) {
        // One may end with another.
        let _ = kill(Pid::from_raw(process.pid.cast_signed()), Signal::SIGKILL);
    }
    drop(run);
    assert_eq!(replicas(&shop), "1");

    let other = Cluster::launch(&format!("brunt-other-{}", std::process::id()));
    let theirs =
        fs::read_to_string(other.kubeconfig()).expect("it is there").replace(other.network(), cluster.network());
    fs::write(&kubeconfig, theirs).expect("the folder is ours");
    let cleanup = |cluster: &Cluster| {
        cluster.beside(Brunt::with(["cleanup"])).env("KUBECONFIG", &kubeconfig).state_in(&state).go()
    };
    cleanup(&other).expect_code(6).expect_said("another");
    let there = other.audit().into_iter().filter(|asked| asked.agent.starts_with("brunt"));
    let changed: Vec<Asked> = there.filter(|asked| !["get", "list", "watch"].contains(&asked.verb.as_str())).collect();
    assert!(changed.is_empty(), "{changed:#?}");
    drop(other);

    fs::write(&kubeconfig, ours).expect("the folder is ours");
    cleanup(cluster).expect_code(0);
    assert_eq!(replicas(&shop), "3");
}

#[test]
fn s20_undo_when_hpa_or_human_changed_it() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s20", 3);
    let run = cluster.run(&scaled_down(&shop, "6s")).start();
    run.wait_for("fault.active");
    shop.kubectl(&["scale", "deployment/payments", "--replicas=2"]);
    let ended = run.wait();
    assert_eq!(replicas(&shop), "2", "{ended}");
    let results = ended.results();
    let fewer = fault(&results, "fewer");
    assert!(fewer.residue.iter().any(|line| line.contains('2')), "{fewer:#?}");

    // An autoscaler comes meanwhile, and has nothing against what brunt has set: it decides from now on.
    let run = cluster.run(&scaled_down(&shop, "6s")).start();
    run.wait_for("fault.active");
    shop.kubectl(&["autoscale", "deployment/payments", "--min=1", "--max=4"]);
    let ended = run.wait();
    assert_eq!(replicas(&shop), "1", "{ended}");
    let results = ended.results();
    let fewer = fault(&results, "fewer");
    assert!(fewer.residue.iter().any(|line| line.contains("the autoscaler `payments`")), "{fewer:#?}");

    // It decides already: nothing is begun.
    shop.kubectl(&["scale", "deployment/payments", "--replicas=2"]);
    let ended = cluster.run(&scaled_down(&shop, "2s")).start().wait();
    assert_ne!(ended.code, 0, "{ended}");
    ended.expect_said("autoscaler");
    assert_eq!(replicas(&shop), "2");
}

#[test]
fn s24_drain_spares_the_observer() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s24", 2);
    let target = "          here: { kubernetes: { namespace: s24, node: n1 } }";
    let timeline = "          - { id: drain, fault: node.drain, target: here, for: 2s }";
    let drain = scenario(&shop, target, timeline, "");
    let text = fs::read_to_string(drain.path()).expect("it was just written");
    let text = text.replace("window: baseline", "window: run");
    // As a program of node 1 it has that node's addresses.
    let on_node_1 = format!("--net=/run/netns/{}-n1", cluster.network());
    let is_of_this = |asked: &Asked| asked.namespace == "s24" || asked.resource.starts_with("nodes");
    let changes = || asked_by_brunt(cluster, is_of_this).len();
    let before = changes();
    let from = |network: &str, text: &str| {
        Brunt::run(&Scenario::new(text)).env("KUBECONFIG", cluster.kubeconfig()).under(["nsenter", network])
    };
    let ended = from(&on_node_1, &text).start().wait().expect_code(3).expect_said("brunt itself runs on it");

    // As a program of a pod it has that pod's.
    let pod = shop.pods("payments").remove(0);
    let its_node = pod["spec"]["nodeName"].as_str().expect("it runs somewhere");
    let in_pod = format!("--net=/proc/{}/ns/net", process_in(&pod));
    let text = text.replace("node: n1", &format!("node: {its_node}"));
    let ended_too = from(&in_pod, &text).start().wait().expect_said("brunt itself runs there, in pod s24/payments");
    assert_ne!(ended_too.code, 0, "{ended_too}");

    assert_eq!(changes(), before, "{ended}\n{ended_too}");
}
