//! A namespace with a thousand pods.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, SHOP_IMAGE};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use serde_json::{Value, json};
use tempfile::TempDir;

const PODS: usize = 1000;
/// As many as are asked for at a time.
const PAGE: usize = 500;
/// Ten times what the same plan takes for one pod would show that everything is kept.
const MORE_KIB: u64 = 24 * 1024;

fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": format!("one-{number:04}"), "labels": { "app": "crowd" } },
        "spec": {
            "schedulerName": "none",
            "automountServiceAccountToken": false,
            "containers": [{ "name": "none", "image": SHOP_IMAGE }],
        },
    })
}

/// Asks the API server for many things, past the patience that kubectl has for its own haste: through its proxy, at a socket.
struct Proxy {
    child: Child,
    folder: TempDir,
}

impl Proxy {
    fn of(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("api");
        let mut command = cluster.command(&["proxy", &format!("--unix-socket={}", socket.display())]);
        let child = command.stdout(Stdio::null()).spawn().expect("kubectl is there");
        assert!(
            host::comes_true(Duration::from_secs(30), || UnixStream::connect(&socket).is_ok()),
            "there is no proxy"
        );
        Self { child, folder }
    }

    /// One request of each, and none of them is refused.
    fn all(&self, requests: &[(&str, String, Value)]) {
        let socket = self.folder.path().join("api");
        std::thread::scope(|scope| {
            for some in requests.chunks(requests.len().div_ceil(4)) {
                scope.spawn(|| some.iter().for_each(|(verb, path, body)| ask(&socket, verb, path, body)));
            }
        });
    }
}

fn ask(socket: &Path, verb: &str, path: &str, body: &Value) {
    let (body, kind) =
        (body.to_string(), if verb == "PATCH" { "application/merge-patch+json" } else { "application/json" });
    let mut stream = UnixStream::connect(socket).expect("the proxy listens");
    let length = body.len();
    write!(
        stream,
        "{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .expect("the proxy reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the proxy answers");
    assert!(reply.starts_with("HTTP/1.1 20"), "{verb} {path}: {reply}");
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `brunt plan` for the pods with these labels; returns what it said, how long it took, and the most memory that it had.
fn plan(cluster: &Cluster, selector: &str) -> (String, Duration, u64) {
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: many
        seed: 7
        targets:
          api: {{ url: \"http://127.0.0.1:9\" }}
          crowd: {{ kubernetes: {{ namespace: many, {selector} }} }}
        load: {{ main: {{ target: api, get: /, rate: 1/s, for: timeline }} }}
        timeline:
          - {{ id: kill, fault: pod.kill, target: crowd }}
        safety: {{ allow: {{ namespaces: [ many ] }} }}
        gates: [ {{ metric: error_rate, max: 1% }} ]
        "
    ));
    let peak = scenario.path().with_file_name("peak");
    // The kernel tells whoever waits for a process what the most was; whoever looks from time to time may come too late.
    let counted = ["time", "--format=%M", "--output"].map(OsStr::new).into_iter().chain([peak.as_os_str()]);
    let ended = cluster.beside(Brunt::with(["plan"]).arg(scenario.path())).under(counted).start().wait();
    let peak = fs::read_to_string(peak).expect("time has written");
    // A line of its own stands in front where the command did not end with 0.
    let peak = peak.lines().last().and_then(|kib| kib.parse().ok()).unwrap_or_else(|| panic!("{peak:?}"));
    // Its load goes nowhere, which it also says.
    (format!("{}{}", ended.stdout, ended.stderr), ended.took, peak)
}

#[test]
fn a_plan_for_a_thousand_pods_asks_page_by_page_and_keeps_what_it_needs() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    cluster.kubectl(&["create", "namespace", "many"]);
    let exist = ["wait", "--for=create", "serviceaccount/default", "--namespace", "many", "--timeout=60s"];
    cluster.kubectl(&exist);
    let pods = "/api/v1/namespaces/many/pods";
    let runs = json!({ "status": { "phase": "Running" } });
    let made: Vec<_> = (0..PODS).map(|number| ("POST", pods.to_owned(), pod(number))).collect();
    let told: Vec<_> =
        (0..PODS).map(|number| ("PATCH", format!("{pods}/one-{number:04}/status"), runs.clone())).collect();
    let proxy = Proxy::of(cluster);
    proxy.all(&made);
    proxy.all(&told);
    drop(proxy);
    let lists = || -> Vec<Asked> {
        let pods = |asked: &Asked| asked.verb == "list" && asked.resource == "pods" && asked.namespace == "many";
        cluster.audit().into_iter().filter(|asked| asked.agent.starts_with("brunt") && pods(asked)).collect()
    };

    let (said, took, peak) = plan(cluster, "selector: app=crowd");
    println!("a plan for {PODS} pods: {:.2} s, at most {peak} KiB", took.as_secs_f64());
    assert!(said.contains("of 1000"), "{said}");
    let asked = lists();
    assert_eq!(asked.len(), PODS / PAGE, "{asked:#?}");
    assert!(asked.iter().all(|one| one.uri.contains(&format!("limit={PAGE}"))), "{asked:#?}");
    let (said, took_of_one, peak_of_one) = plan(cluster, "fields: metadata.name=one-0007");
    println!("a plan for one of them: {:.2} s, at most {peak_of_one} KiB", took_of_one.as_secs_f64());
    assert!(said.contains("one-0007"), "{said}");
    let of_one = lists().split_off(asked.len());
    assert_eq!(of_one.len(), 1, "{of_one:#?}");
    assert!(of_one.iter().all(|one| one.uri.contains("fieldSelector=metadata.name")), "{of_one:#?}");
    assert!(peak < peak_of_one + MORE_KIB, "{peak} KiB for {PODS} pods, {peak_of_one} KiB for one");

    let counts: BTreeMap<String, usize> = cluster.audit().iter().filter(|asked| asked.agent.starts_with("brunt")).fold(
        BTreeMap::new(),
        |mut counts, asked| {
            *counts.entry(format!("{} {}", asked.verb, asked.resource)).or_default() += 1;
            counts
        },
    );
    println!("both together have asked for {counts:?}");
    cluster.kubectl(&["delete", "namespace", "many", "--wait=false"]);
}
