//! The first thing that a person does: `brunt demo`, with no rights at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::time::Duration;

use brunt_report::results::{GateVerdict, Results, Verdict};
use brunt_tests::brunt::{Brunt, binary};
use brunt_tests::ended::{Ended, files_below, gate, only_the_machine_was_late};
use brunt_tests::{host, machine};

const NOBODY: u32 = 65534;

/// Both runs of the demo, the one that fails first.
fn two_runs(folder: &Path) -> [Results; 2] {
    let files = files_below(folder).into_iter().filter(|file| file.ends_with("results.json"));
    let mut runs: Vec<Results> = files
        .map(|file| fs::read_to_string(folder.join(file)).expect("a listed file"))
        .map(|text| serde_json::from_str(&text).expect("results.json is what its types say"))
        .collect();
    runs.sort_by_key(|run: &Results| run.summary.verdict != Verdict::Fail);
    runs.try_into().unwrap_or_else(|runs: Vec<_>| panic!("{} runs in {:?}", runs.len(), files_below(folder)))
}

/// `brunt demo` in a new folder, as a user without any rights.
fn demo() -> (Ended, [Results; 2]) {
    let folder = tempfile::Builder::new().prefix("brunt-nobody-").tempdir().expect("a temporary folder");
    let copy = folder.path().join("brunt");
    fs::copy(binary(), &copy).expect("the binary can be copied");
    let mut demo = Brunt::with(["demo"]).binary(&copy).in_folder(folder.path()).within(Duration::from_secs(150));
    demo = demo.env("HOME", folder.path()).without_env("XDG_STATE_HOME").env("CI", "true");
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is ours");
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        let id = NOBODY.to_string();
        demo = demo.under(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs", "--"]);
    }
    let ended = demo.start().wait();
    (ended, two_runs(folder.path()))
}

#[test]
fn the_demo_shows_a_shop_that_breaks_and_one_that_does_not_to_a_user_without_any_rights() {
    let _machine = machine::alone();
    let (mut ended, mut runs) = demo();
    for _ in 0..4 {
        if !runs.iter().any(|run| only_the_machine_was_late(&run.summary.health)) {
            break;
        }
        eprintln!("the machine stalled, so the demo is shown again:\n{ended}");
        (ended, runs) = demo();
    }
    let ended = ended.expect_code(0).expect_said("slow-payment-is-contained").expect_said("report.html");

    assert!(ended.took <= Duration::from_secs(90), "the demo took {:?}", ended.took);
    let [naive, resilient] = runs;
    assert_eq!(naive.summary.exit_code, 99, "{}", naive.summary.sentence);
    assert_eq!(gate(&naive, "slow-payment-is-contained").verdict, GateVerdict::Fail);
    assert_eq!(gate(&naive, "healthy-first").verdict, GateVerdict::Pass);
    assert!(naive.summary.sentence.contains("slow-payment"), "{}", naive.summary.sentence);
    assert_eq!(resilient.summary.verdict, Verdict::Pass, "{}", resilient.summary.sentence);
    assert_eq!(host::left_by(&ended.mark), [], "something was left running");
}

#[test]
fn brunt_alone_says_what_to_try_first() {
    let _machine = machine::shared();
    let ended = Brunt::with::<&str>([]).go().expect_code(0);
    assert!(ended.stdout.contains("brunt demo"), "{ended}");
    assert!(ended.stdout.contains("brunt run http"), "{ended}");
}
