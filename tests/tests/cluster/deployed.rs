//! What `deploy/` holds, in a cluster: the nightly run, with the rights and within the limits that it is given there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brunt_report::results::{GateVerdict, Results};
use brunt_tests::brunt::binary;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::{gate, only_the_machine_was_late};
use brunt_tests::{host, machine};
use serde_json::{Value, json};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// Room for reports that the cluster's only volume offers.
fn volume(folder: &Path) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": "reports" },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteOnce"],
            "hostPath": { "path": folder },
        },
    })
}

/// Runs the job of the CronJob once. It ends as its verdict says; its exit code, and where its report lies.
fn night(cluster: &Cluster, reports: &Path, name: &str) -> (i64, PathBuf) {
    let here = |args: &[&str]| cluster.kubectl(&[&["--namespace", "brunt"], args].concat());
    here(&["create", "job", name, "--from=cronjob/nightly"]);
    let is = |kind: &str| {
        let job = cluster.get(&["job", name, "--namespace", "brunt"]);
        let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == kind && one["status"] == "True")
    };
    let over = host::comes_true(Duration::from_secs(240), || is("Complete") || is("Failed"));
    assert!(over, "the job does not end: {:#}", cluster.get(&["pods", "--namespace", "brunt"]));
    let pods = cluster.get(&["pods", "--namespace", "brunt", "--selector", &format!("job-name={name}")]);
    let pod = &pods["items"][0];
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    let code = ended["exitCode"].as_i64().unwrap_or_else(|| panic!("it has not ended: {}", pod["status"]));
    println!("{name} ended with {code}: {}", here(&["logs", &format!("job/{name}")]));
    assert_eq!((is("Complete"), is("Failed")), (code == 0, code != 0));
    (code, reports.join(pod["metadata"]["name"].as_str().expect("it has a name")))
}

/// Runs it, and fails unless it ends with this code, or with a verdict that is missing only because the machine was late.
#[track_caller]
fn expect_night(cluster: &Cluster, reports: &Path, name: &str, expected: i64) -> Results {
    let (code, report) = night(cluster, reports, name);
    let text = fs::read_to_string(report.join("results.json")).expect("the volume has it");
    let results: Results = serde_json::from_str(&text).expect("it is what brunt writes");
    assert!(
        code == expected || code == 5 && only_the_machine_was_late(&results.summary.health),
        "it ended with {code}"
    );
    assert!(report.join("report.html").is_file() && report.join("junit.xml").is_file());
    results
}

#[test]
fn the_plain_file_is_what_kustomize_makes_of_the_folder() {
    let made = cluster_kustomize();
    let file = deploy().join("brunt.yaml");
    let head = "# All of deploy/kustomize in one file, as `kubectl kustomize deploy/kustomize` prints it.\n";
    if std::env::var_os("BRUNT_UPDATE").is_some() {
        fs::write(&file, format!("{head}{made}")).expect("it is ours");
    }
    let found = fs::read_to_string(&file).expect("it is there");
    let how = "BRUNT_UPDATE=1 cargo test -p brunt-tests --test cluster deployed";
    assert!(found == format!("{head}{made}"), "deploy/brunt.yaml is out of date: {how}");
}

fn cluster_kustomize() -> String {
    let mut command = std::process::Command::new(Cluster::program());
    let output = command.args(["kubectl", "kustomize"]).arg(deploy().join("kustomize")).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn the_nightly_job_is_complete_when_its_gates_pass_and_failed_when_one_does_not() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "shop", 3);
    cluster.import(&binary(), "brunt:0.1.0");
    let reports = tempfile::Builder::new().prefix("brunt-reports-").tempdir().expect("a temporary folder");
    // What it runs as has no name on this machine.
    fs::set_permissions(reports.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    cluster.create("default", &[volume(reports.path())]);
    let folder = deploy().join("kustomize").display().to_string();
    cluster.kubectl(&["apply", "--kustomize", &folder]);
    // There is no name server in the cluster.
    let shop_url = format!("SHOP_URL={}", shop.url());
    cluster.kubectl(&["set", "env", "cronjob/nightly", &shop_url, "--namespace", "brunt"]);

    let results = expect_night(cluster, reports.path(), "good", 0);
    assert!(results.summary.faults.iter().all(|fault| fault.verified), "{:#?}", results.summary.faults);
    assert!(results.pods.iter().any(|pod| pod.time_to_ready_s.is_some()), "it may watch pods: {:#?}", results.pods);

    // The same with a gate that nothing passes.
    let scenario = fs::read_to_string(deploy().join("kustomize/nightly.brunt.yaml")).expect("it is there");
    let strict = scenario.replace("\ngates:\n", "\ngates:\n  - { id: never, metric: requests, max: 1 }\n");
    assert_ne!(strict, scenario);
    let patch = json!({ "data": { "nightly.brunt.yaml": strict } }).to_string();
    cluster.kubectl(&["patch", "configmap", "nightly", "--namespace", "brunt", "--patch", &patch]);
    let results = expect_night(cluster, reports.path(), "bad", 99);
    assert_eq!(gate(&results, "never").verdict, GateVerdict::Fail);

    cluster.kubectl(&["delete", "--kustomize", &folder, "--wait=false"]);
    cluster.kubectl(&["delete", "persistentvolume", "reports", "--wait=false"]);
}
