//! Faults on packets inside of one pod, by an agent in an ephemeral container.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::{Ended, fault, window};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::shopping::payments;

/// What the faults here add to each answer of the pod that is hit.
const ADDED: Duration = Duration::from_millis(300);
/// A pod that is not hit answers faster than this at its best, on a machine that does anything at all.
const SOON: Duration = Duration::from_millis(200);
/// How long the agent in a pod goes on when it hears of nobody.
pub const LEASE: Duration = Duration::from_secs(5);
/// Visitors of the shop while this timeline lasts, which hits its payments.
fn scenario(shop: &Shop<'_>, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: inside-of-pods
        seed: 7
        targets:
          shop: {{ url: \"{}\" }}
          payments-service: {{ url: \"{}\" }}
{}
        load:
          shoppers:
            target: shop
            post: /orders
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            json: {{ sku: A1, amount: 3 }}
            timeout: 10s
            rate: 20/s
            for: timeline
          payers:
            target: payments-service
            get: /healthz
            reuse: never
            timeout: 10s
            rate: 20/s
            for: timeline
        timeline:
{timeline}
        gates:
          - {{ metric: error_rate, window: run, max: 100% }}
        safety: {{ lease: {}s, allow: {{ namespaces: [ {} ] }} }}
        ",
        shop.url(),
        shop.payments_url(),
        payments(shop),
        LEASE.as_secs(),
        shop.namespace,
    ))
}

/// Every answer of a payments pod is late for so long.
pub fn slow_for(shop: &Shop<'_>, seconds: u32) -> Scenario {
    let late = ADDED.as_millis();
    scenario(
        shop,
        &format!(
            "          - {{ id: slow, fault: network.latency, target: payments, for: {seconds}s, with: {{ latency: {late}ms }} }}"
        ),
    )
}

/// The shortest of some exchanges with a pod, past every Service; what does not answer takes as long as it was waited for.
fn soonest(cluster: &Cluster, pod: &Value, attempts: usize) -> Duration {
    soonest_from(&Namespace::named(cluster.network()).expect("the cluster runs"), pod, attempts)
}

/// The same from another network.
pub fn soonest_from(network: &Namespace, pod: &Value, attempts: usize) -> Duration {
    let address = pod["status"]["podIP"].as_str().expect("a pod that runs has an address");
    let address = SocketAddr::new(address.parse().expect("an address"), 8080);
    let exchange = || {
        let began = Instant::now();
        let patience = Duration::from_secs(2);
        let answered = TcpStream::connect_timeout(&address, patience).and_then(|mut stream| {
            stream.set_read_timeout(Some(patience))?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")?;
            stream.read_to_end(&mut Vec::new())
        });
        answered.map_or(patience, |_| began.elapsed())
    };
    let shortest = || (0..attempts).map(|_| exchange()).min().expect("there are some");
    network.inside(shortest).expect("root may enter")
}

/// Those of these pods that answer late.
pub fn late(cluster: &Cluster, pods: &[Value]) -> Vec<String> {
    let late = pods.iter().filter(|pod| soonest(cluster, pod, 4) >= ADDED);
    late.map(|pod| pod["metadata"]["name"].as_str().expect("every pod has a name").to_owned()).collect()
}

/// Until no pod answers late.
#[track_caller]
pub fn all_soon_again(cluster: &Cluster, pods: &[Value], within: Duration) -> Duration {
    let began = Instant::now();
    let again = host::comes_true(within, || pods.iter().all(|pod| soonest(cluster, pod, 1) < SOON));
    assert!(again, "after {:?} {:?} answer late", began.elapsed(), late(cluster, pods));
    began.elapsed()
}

/// The processes of agents in pods of this cluster, as the nodes see them.
pub fn agents_in_pods() -> Vec<Pid> {
    let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_one =
        |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"/brunt\0agent\0--in-pod\0");
    pids.filter(is_one).map(Pid::from_raw).collect()
}

/// What stands in the journals of runs that keep their state there.
fn journals(state: &std::path::Path) -> Vec<String> {
    let files = fs::read_dir(state.join("brunt")).expect("brunt has made it").flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "journal"));
    files.map(|path| fs::read_to_string(path).expect("it is ours")).collect()
}

/// Ends everything of a run that is on this host, at once.
pub fn kill_all_of(run: &Running) {
    for process in host::marked(run.mark()) {
        // One may end with another.
        let _ = kill(Pid::from_raw(process.pid.cast_signed()), Signal::SIGKILL);
    }
}

pub fn cleanup(cluster: &Cluster, state: &std::path::Path) -> Ended {
    cluster.beside(Brunt::with(["cleanup"])).state_in(state).within(Duration::from_secs(60)).go()
}

#[test]
fn latency_and_loss_inside_of_one_pod_are_verified_there_and_leave_the_others_alone() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod", 3);
    let pods = shop.pods("payments");
    let timeline = format!(
        "
          - baseline: 3s
          - {{ id: slow, fault: network.latency, target: payments, for: 12s, with: {{ latency: {}ms }} }}
          - pause: 1s
          - {{ id: lossy, fault: network.loss, target: payments, for: 6s, with: {{ loss: 30% }} }}
          - pause: 1s
        ",
        ADDED.as_millis()
    );
    let run = cluster.run(&scenario(&shop, &timeline)).start();
    run.wait_for("fault.verified");
    let hit = late(cluster, &pods);
    let ended = run.wait().expect_done();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true), "{slow:#?}");
    assert!(hit.len() == 1 && slow.instances[0].starts_with(&hit[0]), "{hit:?} answer late, meant is {slow:#?}");
    let lossy = fault(&results, "lossy");
    assert!(lossy.verified && lossy.rollback_verified == Some(true), "{lossy:#?}");
    assert!(lossy.reason.contains("asked for 30.00 %"), "{lossy:#?}");
    let stays = |fault: &brunt_report::results::FaultData| {
        fault.residue.iter().any(|line| line.contains("ephemeral container"))
    };
    assert!(stays(slow) && stays(lossy), "{slow:#?} {lossy:#?}");
    // Who comes anew each time comes to each of the pods, so a sixth of all requests meets the one that is late.
    let p95 = |name: &str| window(&results, name).latency_ms.p95.expect("there were orders");
    assert!(p95("fault:slow") >= ADDED.as_secs_f64() * 1e3 && p95("baseline") < p95("fault:slow"), "{ended}");
    all_soon_again(cluster, &pods, Duration::from_secs(1));
    // One agent for each pod and run, however many faults; and it has ended, which its kubelet tells in its own time.
    let statuses = |pod: &Value| pod["status"]["ephemeralContainerStatuses"].as_array().cloned().unwrap_or_default();
    let ended = |pod: &Value| statuses(pod).iter().all(|status| !status["state"]["terminated"].is_null());
    host::comes_true(Duration::from_secs(30), || shop.pods("payments").iter().all(ended));
    for pod in shop.pods("payments") {
        let name = pod["metadata"]["name"].as_str().expect("every pod has a name");
        let was_hit = [slow, lossy].iter().any(|fault| fault.instances[0].starts_with(name));
        let statuses = statuses(&pod);
        assert_eq!(statuses.len(), usize::from(was_hit), "{pod:#}");
        for status in &statuses {
            assert_eq!(status["state"]["terminated"]["exitCode"], 0, "{status:#}");
        }
    }
}

#[test]
fn a_fault_inside_of_a_pod_ends_with_its_lease_when_everything_of_brunt_is_killed() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-kill", 2);
    let pods = shop.pods("payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = cluster.run(&slow_for(&shop, 60)).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    assert_eq!(late(cluster, &pods).len(), 1);

    kill_all_of(&run);
    let took = all_soon_again(cluster, &pods, LEASE + Duration::from_secs(1));
    println!("gone {took:.2?} after the kill, with a lease of {LEASE:?}");
    drop(run);
    cleanup(cluster, folder.path()).expect_code(0).expect_said("has ended");
    cleanup(cluster, folder.path()).expect_code(0);
    assert!(host::comes_true(Duration::from_secs(10), || agents_in_pods().is_empty()));
}

#[test]
fn a_fault_inside_of_a_pod_ends_when_brunt_is_killed_and_its_agent_is_not() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-kill-9", 2);
    let pods = shop.pods("payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = cluster.run(&slow_for(&shop, 60)).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    assert_eq!(late(cluster, &pods).len(), 1);

    run.signal(Signal::SIGKILL);
    let took = all_soon_again(cluster, &pods, LEASE + Duration::from_secs(1));
    println!("gone {took:.2?} after the kill, with a lease of {LEASE:?}");
    let ended = run.wait();
    assert!(host::left_by(&ended.mark).is_empty(), "{:?}", host::left_by(&ended.mark));
    assert_eq!(journals(folder.path()), Vec::<String>::new(), "the agent has closed it for the dead");
    cleanup(cluster, folder.path()).expect_code(0);
}

#[test]
fn a_pod_that_is_deleted_takes_the_fault_with_it_and_leaves_no_error() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-deleted", 2);
    let pods = shop.pods("payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = cluster.run(&slow_for(&shop, 15)).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    let hit = late(cluster, &pods);
    shop.kubectl(&["delete", "pod", &hit[0], "--grace-period=0", "--force"]);
    let ended = run.wait();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(
        slow.rollback_verified == Some(true) && slow.reason.contains("is gone, and its network with it"),
        "{slow:#?}"
    );
    assert!(slow.residue.is_empty(), "{slow:#?}");
    assert_eq!(ended.code, 5, "the fault did not last: {ended}");
    cleanup(cluster, folder.path()).expect_code(0);
    shop.rolled_out("payments");
    all_soon_again(cluster, &shop.pods("payments"), Duration::from_secs(1));
}

#[test]
fn s21_agent_death_in_pod() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "s21", 2);
    let pods = shop.pods("payments");
    let run = cluster.run(&slow_for(&shop, 15)).start();
    run.wait_for("fault.verified");
    assert_eq!(late(cluster, &pods).len(), 1);
    // As the kernel does it when memory is short: from outside of the pod.
    let agents = agents_in_pods();
    assert_eq!(agents.len(), 1, "{agents:?}");
    kill(agents[0], Signal::SIGKILL).expect("it is there");
    all_soon_again(cluster, &pods, Duration::from_secs(2));
    let ended = run.wait();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.reason.contains("has ended") && slow.reason.contains("137"), "{slow:#?}");
    assert_eq!((slow.rollback_verified, ended.code), (Some(true), 5), "{ended}");
}

#[test]
fn a_fault_inside_of_a_pod_outlasts_an_api_server_that_is_away_for_less_than_the_lease() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-away", 2);
    let pods = shop.pods("payments");
    let text = fs::read_to_string(slow_for(&shop, 20).path()).expect("it was just written");
    let patient = Scenario::new(&text.replace("lease: 5s", "lease: 20s"));
    let run = cluster.run(&patient).start();
    run.wait_for("fault.verified");
    let stopped = cluster.stopped("apiserver");
    thread::sleep(Duration::from_secs(10));
    let during = late(cluster, &pods);
    drop(stopped);
    let ended = run.wait().expect_done();

    assert_eq!(during.len(), 1, "{ended}");
    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true), "{slow:#?}");
    all_soon_again(cluster, &pods, Duration::from_secs(1));
}

#[test]
fn what_pod_security_or_a_role_does_not_allow_is_told_at_plan_and_nothing_begins() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-rights", 2);
    let late = ADDED.as_millis();
    let scenario = scenario(
        &shop,
        &format!(
            "
          - baseline: 1s
          - {{ id: slow, fault: network.latency, target: payments, for: 3s, with: {{ latency: {late}ms }} }}
            "
        ),
    );
    let kubeconfig = cluster.account("inpod-rights", "runner", &json!([]));
    let printed = Brunt::with(["kube".into(), "rbac".into(), scenario.path().as_os_str().to_owned()]).go();
    let roles = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(roles.path(), &printed.expect_code(0).stdout).expect("the file is ours");
    cluster.kubectl(&["apply", "--filename", &roles.path().display().to_string()]);
    for namespace in ["inpod-rights", "kube-system"] {
        let given = ["--role=brunt", "--serviceaccount=inpod-rights:runner", "--namespace", namespace];
        cluster.kubectl(&[&["create", "rolebinding", "brunt-inpod"], &given[..]].concat());
    }
    let as_runner = |brunt: Brunt| cluster.beside(brunt).env("KUBECONFIG", &kubeconfig);
    let plan = || as_runner(Brunt::with(["plan".into(), scenario.path().as_os_str().to_owned()])).go();
    let run = || as_runner(Brunt::run(&scenario)).start().wait();
    let untouched = || shop.pods("payments").iter().all(|pod| pod["spec"]["ephemeralContainers"].is_null());

    for level in ["restricted", "baseline"] {
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        cluster.kubectl(&["label", "--overwrite", "namespace", "inpod-rights", &label]);
        let violates = format!("violates PodSecurity \"{level}:latest\"");
        plan().expect_code(3).expect_said(&violates).expect_said("NET_ADMIN");
        run().expect_code(3).expect_said(&violates);
    }
    cluster.kubectl(&[
        "label",
        "--overwrite",
        "namespace",
        "inpod-rights",
        "pod-security.kubernetes.io/enforce=privileged",
    ]);
    plan().expect_code(0).expect_said("by an agent in an ephemeral container");
    assert!(untouched(), "a plan or a run that did not begin has touched a pod");

    let role = cluster.get(&["role", "brunt", "--namespace", "inpod-rights"]);
    let rules = role["rules"].as_array().expect("it has rules");
    let of = |resource: &str| rules.iter().position(|rule| rule["resources"][0] == resource).expect("it is printed");
    let without = |resource: &str| json!([{ "op": "remove", "path": format!("/rules/{}", of(resource)) }]).to_string();
    let whole = json!([{ "op": "replace", "path": "/rules", "value": rules }]).to_string();
    for (resource, missing) in
        [("pods/ephemeralcontainers", "patch pods/ephemeralcontainers"), ("pods/attach", "create pods/attach")]
    {
        shop.kubectl(&["patch", "role", "brunt", "--type=json", "--patch", &without(resource)]);
        plan().expect_code(3).expect_said(missing);
        run().expect_code(3).expect_said(missing);
        shop.kubectl(&["patch", "role", "brunt", "--type=json", "--patch", &whole]);
    }
    assert!(untouched(), "a plan or a run that did not begin has touched a pod");

    let ended = run().expect_done();
    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true), "{slow:#?}");
    cluster.kubectl(&["delete", "--filename", &roles.path().display().to_string(), "--wait=false"]);
}

#[test]
fn a_pod_that_replaces_a_victim_gets_the_fault_too_and_those_that_were_spared_stay_so() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "inpod-follow", 3);
    let before = shop.pods("payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = fs::read_to_string(slow_for(&shop, 40).path()).expect("it was just written");
    let follows =
        Scenario::new(&text.replace("target: payments, for: 40s", "target: payments, follow: true, for: 40s"));
    let run = cluster.run(&follows).state_in(folder.path()).start();
    run.wait_for("fault.verified");
    let first = late(cluster, &before);
    assert_eq!(first.len(), 1);
    shop.kubectl(&["delete", "pod", &first[0], "--grace-period=0", "--force"]);
    run.wait_for("fault.followed");

    let now = shop.pods("payments");
    let is_new = |pod: &Value| !before.iter().any(|old| old["metadata"]["uid"] == pod["metadata"]["uid"]);
    let new = now.iter().find(|pod| is_new(pod)).expect("the deployment wants three");
    let uid = new["metadata"]["uid"].as_str().expect("every pod has one");
    let written = journals(folder.path()).concat();
    assert!(written.contains(uid), "{uid} is not in the journal: {written}");
    let name = new["metadata"]["name"].as_str().expect("every pod has a name").to_owned();
    let hit = || late(cluster, &now) == [name.clone()];
    assert!(host::comes_true(Duration::from_secs(25), hit), "{:?} answer late, not {name}", late(cluster, &now));
    let ended = run.wait().expect_done();

    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true), "{slow:#?}");
    let named: Vec<bool> =
        slow.instances.iter().zip([&first[0], &name]).map(|(hit, pod)| hit.starts_with(pod)).collect();
    assert_eq!(named, [true, true], "{slow:#?}");
    all_soon_again(cluster, &now, Duration::from_secs(1));
    cleanup(cluster, folder.path()).expect_code(0);
}
