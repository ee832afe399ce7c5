//! A rollout that brunt judges: `deploy/rollout`, as docs/rollouts.md tells of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use brunt_report::results::{GateVerdict, Results};
use brunt_tests::brunt::binary;
use brunt_tests::cluster::{Cluster, Shop};
use brunt_tests::ended::{gate, only_the_machine_was_late};
use brunt_tests::machine;

fn rollout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/rollout")
}

/// `judge.sh` with `brunt` and `kubectl` on the path; its exit code, what it said, and what brunt found.
fn judged(cluster: &Cluster, shop: &Shop<'_>, canary: &str, change: &str) -> (i32, String, Results) {
    shop.takes_forty(canary, "/payments");
    let folder = tempfile::tempdir().expect("a temporary folder");
    symlink(binary(), folder.path().join("brunt")).expect("the folder is ours");
    let kubectl = folder.path().join("kubectl");
    let program = Cluster::program();
    let script = format!("#!/bin/sh\nexec {} kubectl --namespace {} \"$@\"\n", program.display(), shop.namespace);
    fs::write(&kubectl, script).expect("the folder is ours");
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("there is one"));
    let out = folder.path().join("judged");
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", cluster.network())).arg(rollout().join("judge.sh")).arg(change);
    command.env("PATH", path).env("KUBECONFIG", cluster.kubeconfig()).env("OUT", &out);
    command.env("CANARY_URL", canary).env("STABLE_URL", shop.payments_url());
    command.env("WATCHED", "20s").env("PATIENCE", "10s").env("XDG_STATE_HOME", folder.path().join("state"));
    let output = command.output().expect("it can be executed");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(out.join("results.json")).unwrap_or_else(|why| panic!("{why}; it said:\n{said}"));
    let results = serde_json::from_str(&text).expect("it is what brunt writes");
    (output.status.code().expect("it ended by itself"), said, results)
}

/// What the pods of that deployment refuse, as it stands in their template.
fn refuses(shop: &Shop<'_>, deployment: &str) -> String {
    let of = format!("deployment/{deployment}");
    let value = "--output=jsonpath={.spec.template.spec.containers[0].env[?(@.name==\"REFUSES\")].value}";
    shop.kubectl(&["get", &of, value])
}

#[test]
fn the_page_shows_the_files_that_are_there() {
    let page = fs::read_to_string(rollout().join("../../docs/rollouts.md")).expect("it is there");
    for name in ["rollout.brunt.yaml", "judge.sh"] {
        let text = fs::read_to_string(rollout().join(name)).expect("it is there");
        assert!(page.contains(&format!("\n{text}```\n")), "docs/rollouts.md shows another {name}");
    }
}

#[test]
fn a_good_version_is_rolled_out_everywhere_and_a_bad_one_is_taken_back() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "rollout", 2);
    let canary = shop.canary();

    let (code, said, results) = judged(cluster, &shop, &canary, "REFUSES=20%");
    // A machine that was late takes the verdict's place, and the change is taken back all the same.
    assert!(code == 99 || code == 5 && only_the_machine_was_late(&results.summary.health), "{code}: {said}");
    let verdict = |id: &str| gate(&results, id).verdict;
    let failed = |id: &str| verdict(id) == GateVerdict::Fail;
    assert!(failed("canary-works") && !failed("stable-is-unharmed"), "{:#?}", results.summary.gates);
    assert!(said.contains("deployment.apps/payments-canary rolled back"), "{said}");
    assert_eq!((refuses(&shop, "payments-canary"), refuses(&shop, "payments")), (String::new(), String::new()));

    let (code, said, results) = judged(cluster, &shop, &canary, "REFUSES=0%");
    let late = code == 5 && only_the_machine_was_late(&results.summary.health);
    assert!(code == 0 || late, "{code}: {said}");
    let everywhere = if late { String::new() } else { "0%".to_owned() };
    assert_eq!((refuses(&shop, "payments-canary"), refuses(&shop, "payments")), (everywhere.clone(), everywhere));
}
