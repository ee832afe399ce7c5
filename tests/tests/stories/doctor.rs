//! `brunt doctor` on a real machine: as an ordinary user, with too few open files, with a folder that cannot be written to,
//! with something that an earlier run left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use brunt_tests::brunt::{Brunt, binary};
use brunt_tests::ended::Ended;
use brunt_tests::machine;
use serde_json::Value;

const NOBODY: &str = "65534";

/// What was found about a thing, as a program reads it.
fn check(ended: &Ended, about: &str) -> Value {
    let whole: Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
    let checks = whole["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["about"] == about)
        .unwrap_or_else(|| panic!("nothing about {about}: {whole}"))
        .clone()
}

fn doctor() -> Brunt {
    Brunt::with(["doctor", "--format", "json"])
}

#[test]
fn a_user_without_any_rights_is_told_what_can_be_done_here() {
    let _machine = machine::shared();
    let folder = tempfile::Builder::new().prefix("brunt-nobody-").tempdir().expect("a temporary folder");
    let copy = folder.path().join("brunt");
    fs::copy(binary(), &copy).expect("the binary can be copied");
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("it is ours");
    }
    let mut doctor =
        Brunt::with(["doctor"]).binary(&copy).in_folder(folder.path()).state_in(&folder.path().join("state"));
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        doctor = doctor.under(["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
    }
    let ended = doctor.go().expect_code(0).expect_said("Fit for a run");
    assert!(ended.stdout.contains("network.latency") && ended.stdout.contains("not built in this version"), "{ended}");
    assert!(!is_root || ended.stdout.contains("root or CAP_KILL"), "{ended}");
}

#[test]
fn too_few_open_files_are_named_with_what_helps_and_exit_3() {
    let _machine = machine::shared();
    let ended = doctor().under(["prlimit", "--nofile=64:64", "--"]).go().expect_code(3);
    let files = check(&ended, "open files");
    assert_eq!(files["health"], "no", "{files}");
    assert!(files["cure"].as_str().expect("a cure").contains("ulimit"), "{files}");

    let ended = doctor().under(["prlimit", "--nofile=256:2048", "--"]).go().expect_code(0);
    let files = check(&ended, "open files");
    assert_eq!(files["health"], "weak", "{files}");
    assert!(files["found"].as_str().expect("words").contains("raised to 2048"), "{files}");
}

#[test]
fn a_state_folder_that_cannot_be_had_is_exit_3() {
    let _machine = machine::shared();
    let brunt = doctor();
    let file = brunt.home().join("file");
    fs::write(&file, "").expect("it is ours");
    let ended = brunt.state_in(&file).go().expect_code(3);
    let folder = check(&ended, "state folder");
    assert_eq!(folder["health"], "no", "{folder}");
    assert!(folder["cure"].as_str().expect("a cure").contains("XDG_STATE_HOME"), "{folder}");
}

#[test]
fn what_an_earlier_run_left_is_named_until_it_is_cleaned_up() {
    let _machine = machine::shared();
    let state = tempfile::tempdir().expect("a temporary folder");
    let folder = state.path().join("brunt");
    fs::create_dir_all(&folder).expect("it is ours");
    // As a crash leaves it that came before the first line was whole.
    let journal = folder.join("shop-12ab.journal");
    fs::write(&journal, "").expect("it is ours");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let left = check(&doctor().state_in(state.path()).go().expect_code(0), "leftovers");
    assert!(left["found"].as_str().expect("words").contains("shop-12ab") && left["cure"] == "brunt cleanup", "{left}");
    Brunt::with(["cleanup"]).state_in(state.path()).go().expect_code(0);
    let left = check(&doctor().state_in(state.path()).go().expect_code(0), "leftovers");
    assert_eq!(left["health"], "ok", "{left}");
}
