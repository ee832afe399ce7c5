//! Commands that break and commands that mend.

use std::fs;
use std::path::Path;
use std::time::Duration;

use brunt_injector::journal::{Entry, Journal};
use brunt_injector::{Error, Injector, Seen, Undo, Victims, cleanup};
use brunt_scenario::plan::{Fault, ParamValue, Params, Text};

use crate::lab::{self, Bystander, Lab, about};
use crate::scene::{self, fault, process};

/// A fault whose commands are shell scripts that work in `folder`.
fn exec(folder: &Path, run: &str, undo: &str, verify: Option<&str>) -> Fault {
    let words = |script: &str| ParamValue::Command(["sh", "-c", script].map(Text::literal).to_vec());
    let mut with = Params::default();
    with.0.insert("run", words(run));
    with.0.insert("undo", words(undo));
    with.0.extend(verify.map(|script| ("verify", words(script))));
    with.0.insert("within", ParamValue::Duration(Duration::from_secs(2)));
    with.0.insert("cwd", ParamValue::Text(Text::literal(folder.display().to_string())));
    Fault { with, ..fault("flag", "exec", "other") }
}

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("said")).unwrap_or_default()
}

async fn victims(injector: &Injector, fault: &Fault, bystander: &Bystander) -> Victims {
    injector.resolve(fault, &process(bystander.pid())).await.unwrap()
}

#[tokio::test]
async fn a_command_breaks_it_another_mends_it_and_verify_sees_both() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec").await;
    let run = "touch broken; echo run $BRUNT_FAULT_ID $BRUNT_VICTIM_PIDS >> said";
    let fault = exec(place.path(), run, "rm broken; echo undo $BRUNT_VICTIM_PIDS >> said", Some("test -e broken"));
    injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap();
    assert!(place.path().join("broken").exists());
    assert!(matches!(injector.verify("flag").await.unwrap(), Seen::Yes(_)));
    let reverted = injector.revert("flag").await;
    assert_eq!((reverted.rollback_verified, &reverted.error), (Some(true), &None));
    assert!(matches!(reverted.effect, Seen::Yes(_)));
    let pid = bystander.pid();
    assert_eq!(said(place.path()), format!("run flag {pid}\nundo {pid}\n"));
    // Once more changes nothing, and the agent holds nothing when it ends.
    injector.revert("flag").await;
    injector.close().await.unwrap();
    assert_eq!(said(place.path()).matches("undo").count(), 1);
    assert_eq!(lab.journals(), 0);
}

#[tokio::test]
async fn without_verify_it_is_never_verified() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-blind").await;
    let fault = exec(place.path(), "true", "true", None);
    injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap();
    let Seen::NotExercised(why) = injector.verify("flag").await.unwrap() else { panic!("nobody can see it") };
    assert!(why.contains("add `verify`"), "{why}");
    let reverted = injector.revert("flag").await;
    assert!(matches!(reverted.effect, Seen::NotExercised(_)));
    assert!(reverted.residue[0].contains("nobody looked"), "{reverted:?}");
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_run_that_fails_or_takes_too_long_is_undone_and_told_with_its_last_lines() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let (injector, _events) = lab.start("exec-fails").await;
    for (script, told) in [
        ("echo no such pool >&2; exit 3", "failed (exit status 3): no such pool"),
        ("echo working; sleep 1000", "had not ended within 2s and was killed: working"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let fault = exec(place.path(), script, "echo undo >> said", None);
        let error =
            injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap_err().to_string();
        assert!(error.ends_with(told), "{error}");
        assert_eq!(said(place.path()), "undo\n");
    }
    injector.close().await.unwrap();
}

#[tokio::test]
async fn an_effect_that_is_not_there_is_absent_and_one_that_stays_is_not_undone() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-stays").await;
    let absent = Fault { id: "absent".into(), ..exec(place.path(), "true", "true", Some("test -e broken")) };
    injector.inject(&absent, &victims(&injector, &absent, &bystander).await).await.unwrap();
    assert!(matches!(injector.verify("absent").await.unwrap(), Seen::Absent(_)));
    assert_eq!(injector.revert("absent").await.rollback_verified, Some(true));

    let stays = exec(place.path(), "touch broken", "true", Some("test -e broken"));
    injector.inject(&stays, &victims(&injector, &stays, &bystander).await).await.unwrap();
    let reverted = injector.revert("flag").await;
    assert_eq!(reverted.rollback_verified, Some(false));
    let error = reverted.error.unwrap();
    let by_hand = format!("by hand: cd {} && BRUNT_FAULT_ID=flag", place.path().display());
    assert!(error.contains("the effect is still there") && error.contains(&by_hand), "{error}");
    fs::remove_file(place.path().join("broken")).unwrap();
    injector.revert("flag").await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_run_is_found_before_anything_is() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-missing").await;
    let mut fault = exec(place.path(), "echo run >> said", "true", None);
    fault.with.0.insert("undo", ParamValue::Command(vec![Text::literal("./mend.sh")]));
    let text = injector.resolve(&fault, &process(bystander.pid())).await.unwrap_err().to_string();
    let told = format!("fault `flag`: `undo`: no program `./mend.sh` that may be run below {}", place.path().display());
    assert_eq!(text, told);
    injector.close().await.unwrap();
}

#[tokio::test]
async fn the_undo_is_on_disk_before_the_command_runs() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-journal").await;
    let run = format!("cat {}/*.journal > said", lab.state().display());
    let fault = exec(place.path(), &run, "echo it is mended", None);
    injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap();
    let journal = said(place.path());
    assert!(journal.contains("echo it is mended"), "{journal}");
    assert!(!journal.contains("/*.journal"), "only what undoes it is written down: {journal}");
    injector.revert("flag").await;
    injector.close().await.unwrap();
}

/// A journal that a crash has left, with an undo that says so.
fn left_behind(lab: &Lab, run_id: &str, folder: &Path, script: &str) {
    let exec = exec(folder, "true", script, None);
    let words: Vec<String> = exec.with.command("undo").unwrap().iter().map(ToString::to_string).collect();
    let command = brunt_injector::command::Command::new(&words, folder, Vec::new(), Duration::from_secs(2)).unwrap();
    let undo = vec![Undo::Run { command, mark: format!("{run_id}/flag") }];
    let mut journal = Journal::create(lab.state(), run_id).unwrap();
    journal.doing(&Entry { fault: "flag".into(), kind: "exec".into(), undo }).unwrap();
}

#[test]
fn cleanup_runs_what_a_crash_has_left_once_and_keeps_what_fails() {
    let _alone = lab::alone_with_cleanup();
    let (lab, place) = (Lab::new(), tempfile::tempdir().unwrap());
    let run_id = Lab::run_id("exec-crash");
    left_behind(&lab, &run_id, place.path(), "echo undo >> said; test -e mendable || { echo not yet; exit 1; }");
    let report = cleanup(Some(lab.state())).unwrap();
    let failed = about(&report.failed, &run_id).join("");
    assert!(failed.contains("failed (exit status 1): not yet; run it by hand: cd "), "{failed}");
    assert_eq!((report.exit_code(), lab.journals()), (6, 1));
    fs::write(place.path().join("mendable"), "").unwrap();
    let report = cleanup(Some(lab.state())).unwrap();
    assert!(about(&report.undone, &run_id).join("").contains("ended with exit status 0"), "{report:?}");
    assert_eq!((about(&report.failed, &run_id).len(), lab.journals()), (0, 0));
    cleanup(Some(lab.state())).unwrap();
    assert_eq!(said(place.path()), "undo\nundo\n");
}

#[test]
fn s10_a_command_in_a_journal_that_others_can_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let _alone = lab::alone_with_cleanup();
    let (lab, place) = (Lab::new(), tempfile::tempdir().unwrap());
    let run_id = Lab::run_id("exec-writable");
    left_behind(&lab, &run_id, place.path(), "echo undo >> said");
    let path = lab.state().join(format!("{run_id}.journal"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let report = cleanup(Some(lab.state())).unwrap();
    assert!(report.failed.iter().any(|line| line.contains("alone can have written")), "{report:?}");
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let report = cleanup(Some(lab.state())).unwrap();
        assert!(report.failed.iter().any(|line| line.contains("belongs to uid 65534")), "{report:?}");
    }
    assert_eq!(said(place.path()), "");
}

#[tokio::test]
async fn an_agent_that_is_gone_is_replaced_by_the_runner_which_runs_the_undo() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, mut events) = lab.start("exec-no-agent").await;
    let fault = exec(place.path(), "touch broken", "rm -f broken; echo undo >> said", Some("test -e broken"));
    injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap();
    lab::kill(injector.agent().pid);
    while !matches!(events.recv().await, Some(brunt_injector::Event::AgentLost { .. })) {}
    assert!(!place.path().join("broken").exists(), "undone before it is told");
    injector.revert("flag").await;
    injector.close().await.unwrap();
    assert_eq!(lab.journals(), 0);
}

#[tokio::test]
async fn a_pretended_injection_runs_nothing_and_is_seen_through() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let options = brunt_injector::Options { force_no_effect: true, ..lab.options("exec-pretends") };
    let (injector, _events) = Injector::start(options).await.unwrap();
    let fault = exec(place.path(), "touch broken", "echo undo >> said", Some("test -e broken"));
    injector.inject(&fault, &victims(&injector, &fault, &bystander).await).await.unwrap();
    assert!(matches!(injector.verify("flag").await.unwrap(), Seen::Absent(_)));
    assert_eq!(injector.revert("flag").await.rollback_verified, None);
    assert_eq!(said(place.path()), "");
    injector.close().await.unwrap();
}

#[tokio::test]
async fn the_ports_of_the_victims_reach_the_command() {
    let lab = Lab::new();
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-ports").await;
    let script = "exec python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 0)); \
                  print(s.getsockname()[1], flush=True); time.sleep(1000)'";
    let instance = injector.start_instance(scene::shell(lab.state(), "web", 0, script)).await.unwrap();
    let log = lab.state().join("web-0.log");
    lab::eventually("it listens", || fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')));
    let fault = exec(place.path(), "echo $BRUNT_VICTIM_PIDS $BRUNT_VICTIM_PORTS > said", "true", None);
    let target = brunt_scenario::plan::Target::Service("web".into());
    let victims = injector.resolve(&fault, &target).await.unwrap();
    injector.inject(&fault, &victims).await.unwrap();
    let port = fs::read_to_string(&log).unwrap();
    assert_eq!(said(place.path()), format!("{} {port}", instance.process.pid));
    injector.revert("flag").await;
    injector.stop_services().await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_fault_that_is_active_already_is_refused() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let place = tempfile::tempdir().unwrap();
    let (injector, _events) = lab.start("exec-twice").await;
    let fault = exec(place.path(), "echo run >> said", "true", None);
    let victims = victims(&injector, &fault, &bystander).await;
    injector.inject(&fault, &victims).await.unwrap();
    assert!(matches!(injector.inject(&fault, &victims).await, Err(Error::Refused(_))));
    assert_eq!(said(place.path()), "run\n");
    injector.revert("flag").await;
    injector.close().await.unwrap();
}
