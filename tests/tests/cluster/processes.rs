//! Faults on processes inside of pods, by an agent in an ephemeral container beside the container that is meant.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::Cluster;
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::inpod::{agents_in_pods, cleanup, kill_all_of};

pub const IMAGE: &str = "brunt.test/workers:1";
/// How long the agent in a pod goes on when it hears of nobody.
const LEASE: Duration = Duration::from_secs(5);
/// A shell that starts the worker, and starts another one when that ends.
const SUPERVISOR: &str = "while :; do /busybox httpd -f -p 8081 -h /; done";

/// Pods with a first process that has a child, in a namespace of their own; dropping it removes the namespace.
pub struct Workers<'cluster> {
    cluster: &'cluster Cluster,
    namespace: String,
}

/// A worker in one of the pods, as the node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub pod: String,
    pub pid: u32,
}

impl<'cluster> Workers<'cluster> {
    /// So many pods, as this user if one is given.
    fn start(cluster: &'cluster Cluster, namespace: &str, pods: u32, user: Option<u32>) -> Self {
        // What Pod Security at its strictest asks for, nothing of it for the whole pod: an agent there must bring its own.
        let own = user.map(|user| {
            json!({
                "runAsUser": user,
                "runAsNonRoot": true,
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "seccompProfile": { "type": "RuntimeDefault" },
            })
        });
        let container = json!({
            "name": "app",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["/busybox", "sh", "-c", SUPERVISOR],
            "env": [{ "name": "WHERE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
            "readinessProbe": { "tcpSocket": { "port": 8081 }, "periodSeconds": 1 },
            "securityContext": own,
            "resources": { "limits": { "cpu": "200m", "memory": "64Mi" }, "requests": { "cpu": "10m" } },
        });
        Self::with(cluster, namespace, pods, json!({ "containers": [container] }))
    }

    /// So many pods as this spec says, whose images are [`IMAGE`].
    pub fn with(cluster: &'cluster Cluster, namespace: &str, pods: u32, mut spec: Value) -> Self {
        cluster.import(Path::new("/usr/bin/busybox"), IMAGE);
        cluster.kubectl(&["create", "namespace", namespace]);
        cluster.kubectl(&["wait", "--for=create", "serviceaccount/default", "--namespace", namespace, "--timeout=60s"]);
        spec["terminationGracePeriodSeconds"] = json!(1);
        spec["automountServiceAccountToken"] = json!(false);
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "workers" },
            "spec": {
                "replicas": pods,
                "selector": { "matchLabels": { "app": "workers" } },
                "template": { "metadata": { "labels": { "app": "workers" } }, "spec": spec },
            },
        });
        cluster.create(namespace, &[deployment]);
        cluster.kubectl(&["rollout", "status", "deployment/workers", "--namespace", namespace, "--timeout=120s"]);
        Self { cluster, namespace: namespace.to_owned() }
    }

    pub fn pods(&self) -> Vec<Value> {
        let list = self.cluster.get(&["pods", "--namespace", &self.namespace]);
        list["items"].as_array().expect("a list").clone()
    }

    /// One in each pod, by the names of their pods.
    pub fn all(&self) -> Vec<Worker> {
        let names: Vec<String> =
            self.pods().iter().map(|pod| pod["metadata"]["name"].as_str().expect("it has one").to_owned()).collect();
        let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let worker = |pid: u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let of_pod =
                fs::read(format!("/proc/{pid}/environ")).ok().filter(|_| line.starts_with(b"/busybox\0httpd\0"))?;
            let of_pod = String::from_utf8_lossy(&of_pod).into_owned();
            let pod = of_pod.split('\0').find_map(|variable| variable.strip_prefix("WHERE="))?.to_owned();
            names.contains(&pod).then_some(Worker { pod, pid })
        };
        let mut all: Vec<Worker> = pids.filter_map(worker).collect();
        all.sort_by(|a, b| a.pod.cmp(&b.pod));
        all
    }

    /// Somebody asks the first pod for something; this timeline hits processes that are found so.
    pub fn scenario(&self, process: &str, timeline: &str) -> Scenario {
        let address = self.pods()[0]["status"]["podIP"].as_str().expect("it runs").to_owned();
        let namespace = &self.namespace;
        Scenario::new(&format!(
            "
        version: 1
        name: processes-in-pods
        seed: 7
        targets:
          pod: {{ url: \"http://{address}:8081\" }}
          workers: {{ kubernetes: {{ namespace: {namespace}, owner: deployment/workers, process: {process} }} }}
        load:
          someone: {{ target: pod, get: /busybox, reuse: never, rate: 2/s, timeout: 1s, for: timeline }}
        timeline:
{timeline}
        gates:
          - {{ metric: error_rate, window: run, max: 100% }}
        safety: {{ lease: {}s, allow: {{ namespaces: [ {namespace} ] }} }}
            ",
            LEASE.as_secs()
        ))
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.command(&["delete", "namespace", &self.namespace, "--wait=false"]).output();
    }
}

/// The child of the first process, and not that, whose command line holds the same words.
const CHILD: &str = "{ cmdline: '^/busybox httpd' }";

/// Those of the workers that do not run.
pub fn stopped(workers: &[Worker]) -> Vec<Worker> {
    workers.iter().filter(|worker| host::state(worker.pid) == Some('T')).cloned().collect()
}

fn paused(seconds: u32) -> String {
    format!("          - {{ id: frozen, fault: process.pause, target: workers, for: {seconds}s }}")
}

#[test]
fn a_child_in_one_pod_is_killed_from_inside_and_a_containers_first_process_is_refused() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let workers = Workers::start(cluster, "processes-kill", 2, None);
    let before = workers.all();
    assert_eq!(before.len(), 2, "{before:?}");
    let kills = "          - { id: dies, fault: process.kill, target: workers }\n          - pause: 2s";
    let scenario = workers.scenario(CHILD, kills);
    let plan = Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()]);
    let plan = cluster.beside(plan).go();
    plan.expect_code(0).expect_said("container app, processes with a command line that matches `^/busybox httpd`");
    let ended = cluster.run(&scenario).start().wait().expect_done();

    let results = ended.results();
    let dies = fault(&results, "dies");
    assert!(dies.verified && dies.reason.contains("gone: busybox (pid "), "{dies:#?}");
    assert_eq!(dies.rollback_verified, None, "a kill has no inverse: {dies:#?}");
    let after = workers.all();
    let other: Vec<&Worker> = after.iter().filter(|worker| !before.contains(worker)).collect();
    assert_eq!((after.len(), other.len()), (2, 1), "{before:?} {after:?}");
    assert!(dies.instances[0].starts_with(&other[0].pod), "{dies:#?} {other:?}");
    for pod in workers.pods() {
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{pod:#}");
        let agents = pod["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
        assert_eq!(agents.len(), usize::from(pod["metadata"]["name"] == other[0].pod.as_str()), "{pod:#}");
        for agent in agents {
            assert_eq!(agent["securityContext"]["capabilities"]["add"], json!(["KILL"]), "{agent:#}");
            assert_eq!(agent["targetContainerName"], "app", "{agent:#}");
        }
    }

    let ended = cluster.run(&workers.scenario("{ name: busybox }", kills)).start().wait();
    assert_ne!(ended.code, 0, "{ended}");
    ended.expect_said("(pid 1) is the first process of its pid namespace").expect_said("`pod.kill` ends it");
    assert_eq!(workers.all(), after, "nobody was killed");
}

#[test]
fn what_is_paused_in_a_pod_goes_on_at_the_lease_when_everything_of_brunt_is_killed() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let workers = Workers::start(cluster, "processes-pause", 2, None);
    let all = workers.all();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = cluster.run(&workers.scenario(CHILD, &paused(60))).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    assert_eq!(stopped(&all).len(), 1, "{all:?}");

    kill_all_of(&run);
    let began = Instant::now();
    assert_eq!(stopped(&all).len(), 1, "the agent in the pod holds it");
    let within = LEASE + Duration::from_secs(1);
    assert!(host::comes_true(within, || stopped(&all).is_empty()), "{:?}", stopped(&all));
    println!("goes on {:.2?} after the kill, with a lease of {LEASE:?}", began.elapsed());
    assert_eq!(workers.all(), all, "they are the same processes");
    drop(run);
    cleanup(cluster, folder.path()).expect_code(0).expect_said("has ended");
}

#[test]
fn a_worker_of_the_pod_that_replaces_a_victim_is_paused_too_and_goes_on_at_the_end() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let workers = Workers::start(cluster, "processes-follow", 2, None);
    let before = workers.all();
    let follows = paused(40).replace("target: workers,", "target: workers, follow: true,");
    let run = cluster.run(&workers.scenario(CHILD, &follows)).start();
    run.wait_for("fault.verified");
    let first = stopped(&before);
    assert_eq!(first.len(), 1, "{before:?}");
    cluster.kubectl(&[
        "delete",
        "pod",
        &first[0].pod,
        "--namespace",
        "processes-follow",
        "--grace-period=0",
        "--force",
    ]);
    run.wait_for("fault.followed");
    let hit = || stopped(&workers.all());
    assert!(host::comes_true(Duration::from_secs(25), || hit().len() == 1), "{:?}", workers.all());
    let second = hit();
    let ended = run.wait().expect_done();

    assert!(!before.iter().any(|one| one.pod == second[0].pod), "the one that was spared stays so: {second:?}");
    let results = ended.results();
    let frozen = fault(&results, "frozen");
    assert!(frozen.verified && frozen.rollback_verified == Some(true), "{frozen:#?}");
    let named =
        frozen.instances.iter().zip([&first[0].pod, &second[0].pod]).all(|(hit, pod)| hit.starts_with(pod.as_str()));
    assert!(named && frozen.instances.len() == 2, "{frozen:#?}");
    assert!(hit().is_empty() && workers.all().contains(&second[0]), "it is the same process, and goes on");
}

#[test]
fn what_an_agent_that_was_killed_has_left_stopped_is_continued_by_another_one() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let workers = Workers::start(cluster, "processes-agent", 1, None);
    let all = workers.all();
    let run = cluster.run(&workers.scenario(CHILD, &paused(8))).start();
    run.wait_for("fault.verified");
    assert_eq!(stopped(&all).len(), 1, "{all:?}");
    // As the kernel does it when memory is short: from outside of the pod.
    let agents = agents_in_pods();
    assert_eq!(agents.len(), 1, "{agents:?}");
    kill(agents[0], Signal::SIGKILL).expect("it is there");
    let ended = run.wait();

    let results = ended.results();
    let frozen = fault(&results, "frozen");
    assert_eq!((frozen.rollback_verified, ended.code), (Some(true), 5), "{ended} {frozen:#?}");
    assert!(frozen.reason.contains("has left stopped what it had stopped"), "{frozen:#?}");
    assert!(stopped(&all).is_empty() && workers.all() == all, "{all:?} {:?}", workers.all());
}

#[test]
fn pod_security_at_its_strictest_admits_an_agent_that_is_who_the_container_is_and_one_that_is_nobody() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let workers = Workers::start(cluster, "processes-strict", 1, Some(1000));
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", "processes-strict", label]);
    let all = workers.all();
    let timeline = paused(3) + "\n          - { id: busy, fault: stress.cpu, target: whole, for: 3s }";
    let text = fs::read_to_string(workers.scenario(CHILD, &timeline).path()).expect("it was just written");
    let line = text.lines().find(|line| line.contains(" workers: {")).expect("it is one of its targets");
    let whole = line.replace("workers: {", "whole: {").replace(&format!(", process: {CHILD}"), "");
    let run = cluster.run(&Scenario::new(&text.replace(line, &format!("{line}\n{whole}")))).start();
    run.wait_for("fault.verified");
    let during = stopped(&all);
    let ended = run.wait().expect_done();

    assert_eq!(during, all, "{ended}");
    let results = ended.results();
    let frozen = fault(&results, "frozen");
    assert!(frozen.verified && frozen.rollback_verified == Some(true), "{frozen:#?}");
    let busy = fault(&results, "busy");
    assert!(busy.verified && busy.rollback_verified == Some(true), "{busy:#?}");
    let mut agents = workers.pods()[0]["spec"]["ephemeralContainers"].as_array().expect("there are two").clone();
    agents.sort_by_key(|agent| agent["securityContext"]["runAsUser"].as_i64());
    let users: Vec<&Value> = agents.iter().map(|agent| &agent["securityContext"]["runAsUser"]).collect();
    assert_eq!(users, [&json!(1000), &json!(65_534)], "{agents:#?}");
    assert!(agents.iter().all(|agent| agent["securityContext"]["capabilities"]["add"].is_null()), "{agents:#?}");
    assert!(stopped(&all).is_empty(), "{all:?}");
}
