//! An API server that throttles brunt, by its own priority and fairness: told apart from a budget that refuses, and waited for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::{host, machine};
use serde_json::{Value, json};

use crate::rights::with_printed_roles;
use crate::shopping::{payments, scenario};

/// One kind of request of the service account `runner` of a namespace, for which the server has no room: one of them is served
/// while no other one is. Dropping it takes the rule away.
struct Narrow<'cluster> {
    cluster: &'cluster Cluster,
    namespace: &'static str,
    /// Method, path and content type.
    head: String,
}

impl<'cluster> Narrow<'cluster> {
    /// `verb` and `resource` as a Role has them, and the request that a client makes of it, of an object that is not there.
    fn make(
        cluster: &'cluster Cluster,
        namespace: &'static str,
        (verb, group, resource): (&str, &str, &str),
        kubeconfig: &Path,
    ) -> Self {
        let api = "flowcontrol.apiserver.k8s.io/v1";
        let level = json!({
            "apiVersion": api,
            "kind": "PriorityLevelConfiguration",
            "metadata": { "name": namespace },
            "spec": { "type": "Limited", "limited": {
                "nominalConcurrencyShares": 0,
                "lendablePercent": 0,
                "borrowingLimitPercent": 0,
                "limitResponse": { "type": "Reject" },
            } },
        });
        let subject =
            json!({ "kind": "ServiceAccount", "serviceAccount": { "name": "runner", "namespace": namespace } });
        let rule = json!({ "verbs": [verb], "apiGroups": [group], "resources": [resource], "namespaces": [namespace] });
        let schema = json!({
            "apiVersion": api,
            "kind": "FlowSchema",
            "metadata": { "name": namespace },
            "spec": {
                "priorityLevelConfiguration": { "name": namespace },
                "matchingPrecedence": 10,
                "rules": [{ "subjects": [subject], "resourceRules": [rule] }],
            },
        });
        let made = cluster.create("default", &[level, schema]);
        let text = fs::read_to_string(kubeconfig).expect("it was just written");
        let kubeconfig: Value = serde_json::from_str(&text).expect("it is JSON");
        let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("it has one");
        let (plural, below) = resource.split_once('/').expect("it is a part of something");
        let base = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
        let (method, kind) = match verb {
            "create" => ("POST", "application/json"),
            _ => ("PATCH", "application/merge-patch+json"),
        };
        let head = format!(
            "{method} {base}/namespaces/{namespace}/{plural}/nobody/{below} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: {kind}\r\n"
        );
        let narrow = Self { cluster, namespace, head };
        let uid = made[1]["metadata"]["uid"].as_str().expect("every object has one").to_owned();
        let is_sorted = || narrow.answer().to_lowercase().contains(&format!("x-kubernetes-pf-flowschema-uid: {uid}"));
        assert!(host::comes_true(Duration::from_secs(30), is_sorted), "{}", narrow.answer());
        narrow
    }

    /// Begins such a request with `rest` as the end of its head and its body.
    fn request(&self, rest: &str) -> (Child, ChildStdin) {
        let network = format!("--net=/run/netns/{}", self.cluster.network());
        let mut command = Command::new("nsenter");
        command.args([&network, "openssl", "s_client", "-quiet", "-connect", "10.98.0.1:6443"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it is there");
        let mut stdin = child.stdin.take().expect("it is piped");
        let _ = stdin.write_all(format!("{}{rest}", self.head).as_bytes());
        (child, stdin)
    }

    /// What the server answers to a whole request.
    fn answer(&self) -> String {
        let (mut child, stdin) = self.request("Content-Length: 2\r\n\r\n{}");
        let mut answer = String::new();
        let _ = child.stdout.take().expect("it is piped").read_to_string(&mut answer);
        drop(stdin);
        let _ = child.wait();
        answer
    }

    /// Somebody is served, by a request whose body does not come: everybody else is refused as long as the value lives.
    #[track_caller]
    fn full(&self) -> Full {
        let mut held = Full(self.request("Content-Length: 64\r\n\r\n"));
        let is_full = || {
            // It came while another one was served.
            if held.0.0.try_wait().expect("it is ours").is_some() {
                held = Full(self.request("Content-Length: 64\r\n\r\n"));
            }
            self.answer().starts_with("HTTP/1.1 429 ")
        };
        assert!(host::comes_true(Duration::from_secs(30), is_full), "{}", self.answer());
        held
    }

    /// What brunt has asked for of that kind since then, in order of time.
    fn asked_since(&self, since: f64) -> Vec<Asked> {
        let ours = |asked: &Asked| {
            asked.agent.starts_with("brunt") && asked.user.ends_with(":runner") && asked.namespace == self.namespace
        };
        let mut all = self.cluster.audit();
        all.retain(|asked| ours(asked) && asked.at > since && !["get", "list", "watch"].contains(&asked.verb.as_str()));
        all.retain(|asked| ["pods/eviction", "deployments/scale"].contains(&asked.resource.as_str()));
        all.sort_by(|a, b| a.at.total_cmp(&b.at));
        all
    }

    /// Waits until brunt was refused over so many seconds.
    #[track_caller]
    fn refused_for(&self, since: f64, seconds: f64) {
        let long = || match self.asked_since(since).as_slice() {
            [first, .., last] => last.at - first.at >= seconds,
            _ => false,
        };
        assert!(host::comes_true(Duration::from_secs(40), long), "{:#?}", self.asked_since(since));
    }
}

impl Drop for Narrow<'_> {
    fn drop(&mut self) {
        for kind in ["flowschema", "prioritylevelconfiguration"] {
            let _ = self.cluster.command(&["delete", kind, self.namespace, "--wait=false"]).output();
        }
    }
}

/// A request that is being served. Dropping it ends that.
struct Full((Child, ChildStdin));

impl Drop for Full {
    fn drop(&mut self) {
        let _ = self.0.0.kill();
        let _ = self.0.0.wait();
    }
}

fn now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().expect("the clock is right").as_secs_f64()
}

/// Fails unless these were asked no sooner after each other than the server wanted: after a second at least.
#[track_caller]
fn patient(asked: &[Asked]) {
    let apart: Vec<f64> = asked.windows(2).map(|pair| pair[1].at - pair[0].answered).collect();
    println!("asked again after {apart:.2?} s");
    assert!(apart.iter().all(|apart| *apart >= 0.95), "{asked:#?}");
}

#[test]
fn an_eviction_that_a_server_throttles_is_asked_for_again_and_is_no_refusal_of_a_budget() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "throttled", 3);
    shop.keep("payments", 2);
    let timeline = "
          - baseline: 1s
          - { id: evict, fault: pod.evict, target: payments, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let scenario = scenario(&shop, &payments(&shop), timeline, "");
    let kubeconfig = with_printed_roles(cluster, "throttled", &scenario);
    let narrow = Narrow::make(cluster, "throttled", ("create", "", "pods/eviction"), &kubeconfig);
    let run = || cluster.beside(Brunt::run(&scenario)).env("KUBECONFIG", &kubeconfig).start();
    let before = shop.pods("payments");
    let names = |pods: &[Value]| pods.iter().map(|pod| pod["metadata"]["name"].clone()).collect::<Vec<_>>();

    // As long as brunt is patient.
    let (began, first) = (now(), run());
    first.wait_for("baseline.started");
    let full = narrow.full();
    let ended = first.wait();
    drop(full);
    assert_ne!(ended.code, 0, "{ended}");
    let ended = ended.expect_said("the API server is throttling (429)").expect_said("Too many requests");
    let results = ended.results();
    let evict = fault(&results, "evict");
    assert!(!evict.verified && !evict.reason.contains("PodDisruptionBudget"), "{evict:#?}");
    let asked = narrow.asked_since(began);
    assert!(asked.len() >= 3 && asked.iter().all(|one| one.code == 429), "{asked:#?}");
    patient(&asked);
    assert_eq!(names(&shop.pods("payments")), names(&before), "{ended}");

    // For a moment only.
    let (began, second) = (now(), run());
    second.wait_for("baseline.started");
    let full = narrow.full();
    narrow.refused_for(began, 2.0);
    drop(full);
    let results = second.wait().expect_done().results();
    let evict = fault(&results, "evict");
    assert!(evict.verified && evict.rollback_verified == Some(true), "{evict:#?}");
    let asked = narrow.asked_since(began);
    let (last, refused) = asked.split_last().expect("it asked");
    assert!(last.code == 201 && refused.iter().all(|one| one.code == 429), "{asked:#?}");
    assert!(asked.iter().all(|one| one.name == last.name), "{asked:#?}");
    patient(&asked);
    assert!(!names(&shop.pods("payments")).contains(&Value::String(last.name.clone())), "{}", last.name);
}

#[test]
fn an_undo_that_a_server_throttles_is_made_when_it_has_room_again() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "throttled-undo", 3);
    let timeline = "
          - baseline: 1s
          - { id: fewer, fault: deployment.scale, target: payments, for: 5s, with: { replicas: 1 } }
          - pause: 1s
    ";
    let scenario = scenario(&shop, &payments(&shop), timeline, "");
    let kubeconfig = with_printed_roles(cluster, "throttled-undo", &scenario);
    let narrow = Narrow::make(cluster, "throttled-undo", ("patch", "apps", "deployments/scale"), &kubeconfig);
    let run = cluster.beside(Brunt::run(&scenario)).env("KUBECONFIG", &kubeconfig).start();
    run.wait_for("fault.verified");
    let (began, full) = (now(), narrow.full());
    // Longer than one call of brunt's may take.
    narrow.refused_for(began, 9.0);
    drop(full);
    let results = run.wait().expect_done().results();
    let fewer = fault(&results, "fewer");
    assert!(fewer.verified && fewer.rollback_verified == Some(true), "{fewer:#?}");
    let asked = narrow.asked_since(began);
    let (last, refused) = asked.split_last().expect("it asked");
    assert!(last.code == 200 && refused.iter().all(|one| one.code == 429), "{asked:#?}");
    let replicas = shop.kubectl(&["get", "deployment", "payments", "--output=jsonpath={.spec.replicas}"]);
    assert_eq!(replicas, "3");
}
