//! Services that do not come up: told at once, by the right reason, and nothing of them stays.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A scenario with one service that runs a shell, in a folder of its own.
fn run_with_service(folder: &Path, script: &str, ready: &str) -> Output {
    let scenario = folder.join("one.brunt.yaml");
    let text = format!(
        "version: 1\nservices:\n  one: {{ run: [sh, -c, \"{script}\"], ready: {ready}, stop: {{ within: 1s }} }}\n\
         targets:\n  one: {{ service: one }}\nload:\n  main: {{ target: one, get: /, rate: 5/s, for: 1s }}\n"
    );
    std::fs::write(&scenario, text).expect("it can be written");
    Command::new(env!("CARGO_BIN_EXE_brunt"))
        .arg("run")
        .arg(&scenario)
        .arg("--out")
        .arg(folder.join("out"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be started")
}

fn journals(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("state/brunt")).expect("the journal's folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_service_that_ends_at_once_is_not_waited_for_and_its_last_words_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let began = Instant::now();
    let told = run_with_service(folder.path(), "echo no such table; exit 7", "{ tcp: true, within: 30s }");
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(3), "{said}");
    assert!(said.contains("it ended before it was ready: exit status 7"), "{said}");
    assert!(said.contains("no such table"), "{said}");
    assert_eq!(journals(folder.path()), [""; 0], "the run left nothing to undo");
}

#[test]
fn a_service_that_does_not_get_ready_has_ended_before_brunt_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pid = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 60", pid.display()).replace('$', "$$");
    let told = run_with_service(folder.path(), &script, "{ tcp: true, within: 500ms }");
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(3), "{said}");
    let pid = std::fs::read_to_string(&pid).expect("the service has said who it is");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "process {pid} is still there");
    assert_eq!(journals(folder.path()), [""; 0], "the run left nothing to undo");
}

#[test]
fn a_line_that_an_earlier_run_has_written_does_not_make_a_service_ready() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logs = folder.path().join("out/services");
    std::fs::create_dir_all(&logs).expect("a folder");
    std::fs::write(logs.join("one-0.log"), "listening\n").expect("an earlier log");
    let told = run_with_service(folder.path(), "echo starting; exec sleep 60", "{ log: listening, within: 500ms }");
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(3), "{said}");
    assert!(said.contains("no line of its output matches `listening`"), "{said}");
    assert!(said.contains("| starting") && !said.contains("| listening"), "{said}");
}
