//! Processors of one pod that are kept busy, by an agent in an ephemeral container that lies in the pod's cgroup.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::{Value, json};

use crate::inpod::{LEASE, cleanup, kill_all_of};
use crate::shopping::payments;

/// Somebody asks whether payments are well, while the processors of one of their pods are kept busy for so long.
fn busy_for(shop: &Shop<'_>, seconds: u32) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: busy-pods
        seed: 7
        targets:
          payments-service: {{ url: \"{}\" }}
{}
        load:
          payers: {{ target: payments-service, get: /healthz, reuse: never, timeout: 5s, rate: 5/s, for: timeline }}
        timeline:
          - {{ id: busy, fault: stress.cpu, target: payments, for: {seconds}s }}
        gates:
          - {{ metric: error_rate, window: run, max: 100% }}
        safety: {{ lease: {}s, allow: {{ namespaces: [ {} ] }} }}
        ",
        shop.payments_url(),
        payments(shop),
        LEASE.as_secs(),
        shop.namespace,
    ))
}

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().expect("every pod has a name")
}

/// The folder of a pod's cgroup in which this file is, as its node has it.
fn cgroup(pod: &Value, file: &str) -> Option<PathBuf> {
    let folder = format!("pod{}", pod["metadata"]["uid"].as_str().expect("every pod has one"));
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(next) = folders.pop() {
        if next.file_name().is_some_and(|name| *name == *folder) && next.join(file).is_file() {
            return Some(next.join(file));
        }
        let below = fs::read_dir(&next).into_iter().flatten().flatten();
        folders.extend(below.filter(|one| one.file_type().is_ok_and(|kind| kind.is_dir())).map(|one| one.path()));
    }
    None
}

/// The seconds of processors that everybody in a pod has used, by the kernel's books.
fn used(pod: &Value) -> f64 {
    let number =
        |path: &Path| fs::read_to_string(path).expect("the pod is there").trim().parse::<f64>().expect("a number");
    if let Some(path) = cgroup(pod, "cpuacct.usage") {
        return number(&path) / 1e9;
    }
    let text = fs::read_to_string(cgroup(pod, "cpu.stat").expect("the pod has a cgroup")).expect("it is there");
    let field = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).expect("the kernel counts");
    field.parse::<f64>().expect("a number") / 1e6
}

/// How many processors each of these pods uses, over two seconds.
fn use_of(pods: &[Value]) -> Vec<f64> {
    let (began, before) = (Instant::now(), pods.iter().map(used).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_secs(2));
    let seconds = began.elapsed().as_secs_f64();
    pods.iter().zip(before).map(|(pod, before)| (used(pod) - before) / seconds).collect()
}

/// Whether a worker of an agent in a pod runs on this machine.
fn works() -> bool {
    let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let mut lines = pids.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.any(|line| line.ends_with(b"brunt\0agent\0--worker\0"))
}

#[test]
fn the_quota_of_one_pod_is_used_up_from_inside_and_a_pod_without_one_is_refused() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "stress-cpu", 2);
    let plan =
        |scenario: &Scenario| cluster.beside(Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()])).go();
    let why = "not each of its containers has a limit of processors";
    plan(&busy_for(&shop, 6)).expect_code(3).expect_said(why);
    let ended = cluster.run(&busy_for(&shop, 6)).start().wait().expect_code(3);
    ended.expect_said(why);

    shop.kubectl(&["set", "resources", "deployment/payments", "--limits=cpu=200m,memory=128Mi", "--requests=cpu=10m"]);
    shop.rolled_out("payments");
    let gone = || shop.pods("payments").len() == 2;
    assert!(host::comes_true(Duration::from_secs(30), gone));
    let pods = shop.pods("payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    plan(&busy_for(&shop, 10)).expect_code(0).expect_said("by an agent in an ephemeral container of each pod");
    let run = cluster.run(&busy_for(&shop, 10)).start();
    run.wait_for("fault.verified");
    let during = use_of(&pods);
    let ended = run.wait().expect_done();
    let after = use_of(&pods);
    println!("processors used: {during:.3?}, afterwards {after:.3?}");

    let results = ended.results();
    let busy = fault(&results, "busy");
    assert!(busy.verified && busy.rollback_verified == Some(true), "{busy:#?}");
    assert!(busy.reason.contains("its containers may use 0.20"), "{busy:#?}");
    for (pod, during) in pods.iter().zip(&during) {
        let is_hit = busy.instances[0].starts_with(name(pod));
        assert_eq!(*during > 0.15, is_hit, "{during} {busy:#?}");
        assert!(*during < 0.25, "{during}: it is more than its quota");
        let seen = cluster.get(&["pod", name(pod), "--namespace", "stress-cpu"]);
        let agents = seen["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
        assert_eq!(agents.len(), usize::from(is_hit), "{seen:#}");
        for agent in agents {
            assert_eq!(agent["securityContext"]["runAsUser"], 65_534, "{agent:#}");
            assert!(agent["securityContext"]["capabilities"]["add"].is_null(), "{agent:#}");
            assert_eq!(agent["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{agent:#}");
        }
    }
    assert!(after.iter().all(|used| *used < 0.1) && !works(), "{after:?}");

    // A pod that takes the victim's place is kept busy, too.
    let text = fs::read_to_string(busy_for(&shop, 60).path()).expect("it was just written");
    let follows = text.replace("target: payments, for", "target: payments, follow: true, for");
    let run = cluster.run(&Scenario::new(&follows)).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    let quota = shop.pods("payments");
    let victim = quota.iter().zip(use_of(&quota)).find(|(_, used)| *used > 0.15).expect("one of them is busy").0;
    shop.kubectl(&["delete", "pod", name(victim), "--grace-period=0", "--force"]);
    run.wait_for("fault.followed");
    let now = shop.pods("payments");
    let new = now.iter().find(|pod| !quota.iter().any(|old| name(old) == name(pod))).expect("it was replaced").clone();
    let is_busy = || use_of(std::slice::from_ref(&new))[0] > 0.15;
    assert!(host::comes_true(Duration::from_secs(25), is_busy), "{:?}", use_of(&now));
    assert!(use_of(&now).iter().filter(|used| **used > 0.15).count() == 1, "the one that was spared stays so");

    // Nobody of brunt's is left on the runner's side.
    assert!(works());
    kill_all_of(&run);
    assert!(host::comes_true(LEASE + Duration::from_secs(1), || !works()), "it outlives its lease");
    drop(run);
    cleanup(cluster, folder.path()).expect_code(0);
}
