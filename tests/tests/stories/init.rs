//! What `brunt init` writes runs as it stands, against a real service, and judges it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, binary};
use brunt_tests::ended::Ended;
use brunt_tests::machine;

/// Writes a scenario into a folder of its own and runs it, made shorter.
fn written_and_run(init: &[&str], file: &str, shorter: &[&str], code: i32) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = Brunt::with(["init"]).args(init).in_folder(folder.path()).go().expect_code(0);
    assert!(told.stdout.contains(&format!("wrote {file}")), "{told}");
    for next in ["brunt plan ", "brunt run "] {
        assert!(told.stdout.contains(&format!("{next}{file}\n")), "{told}");
    }
    Brunt::with(["plan", file]).in_folder(folder.path()).go().expect_code(0);
    let mut run = Brunt::with(["run", file, "--ui", "none"]).in_folder(folder.path());
    for set in shorter {
        run = run.args(["--set", set]);
    }
    run.go().expect_code(code)
}

#[test]
fn a_url_and_its_wire() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let url = format!("{}/health", service.url());
    let shorter = ["vars.baseline=2s", "vars.slow_for=2s"];
    let ended = written_and_run(&["--url", &url, "--rate", "200/s"], "http.brunt.yaml", &shorter, 0);
    assert!(ended.stdout.contains("comes-back") && ended.stdout.contains("PASS"), "{ended}");
}

#[test]
fn a_url_into_a_cluster_is_a_url() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let init = ["--template", "k8s", "--url", &service.url(), "--rate", "200/s", "--name", "pods"];
    written_and_run(&init, "pods.brunt.yaml", &["vars.baseline=2s", "vars.slow_for=2s"], 0);
}

#[test]
fn a_program_that_brunt_starts() {
    let _machine = machine::alone();
    let command = "python3 -m http.server ${port} --bind 127.0.0.1";
    let init = ["--template", "services", "--command", command, "--ready", "/", "--rate", "200/s"];
    written_and_run(&init, "services.brunt.yaml", &["vars.baseline=2s"], 0);
}

#[test]
fn ports_that_compose_publishes() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("compose.yaml");
    let port = service.address().rsplit_once(':').expect("host:port").1;
    fs::write(&file, format!("services:\n  web: {{ image: shop, ports: [ \"{port}:80\" ] }}\n")).expect("it is ours");
    let init = ["--from", file.to_str().expect("a plain path"), "--rate", "200/s", "--name", "shop"];
    let ended = written_and_run(&init, "shop.brunt.yaml", &["vars.baseline=2s", "timeline.1.for=2s"], 0);
    assert!(ended.stdout.contains("tcp.reset on web"), "{ended}");
}

#[test]
fn an_hour_a_spike_and_a_staircase() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let url = service.url();
    let init = |template| ["--template", template, "--url", &url, "--rate", "200/s"];
    written_and_run(&init("soak"), "soak.brunt.yaml", &["vars.rate=500/s", "vars.settle=3s", "vars.length=2s"], 0);
    written_and_run(&init("spike"), "spike.brunt.yaml", &["vars.baseline=2s", "vars.spike=2s"], 0);
    let stairs = ["vars.to=600/s", "vars.every=1s"];
    written_and_run(&init("breakpoint"), "breakpoint.brunt.yaml", &stairs, 0);
}

#[test]
fn a_breakpoint_is_found() {
    let _machine = machine::alone();
    // Every reply waits for the end of a freeze that covers nearly all of the time.
    let service = Answering::freezing(1900, 2000);
    let init = ["--template", "breakpoint", "--url", &service.url()];
    let ended = written_and_run(&init, "breakpoint.brunt.yaml", &["vars.to=100/s", "vars.every=10s"], 4);
    assert!(ended.stdout.contains("`too-slow`"), "{ended}");
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_is_replaced() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let init = |args: &[&str]| Brunt::with(["init"]).args(args).in_folder(folder.path()).go();
    init(&[]).expect_code(2).expect_said("--template");
    init(&["--template", "k8s"]).expect_code(2).expect_said("port-forward");
    init(&["--url", "http://localhost:1"]).expect_code(0);
    let path = folder.path().join("http.brunt.yaml");
    fs::write(&path, "mine").expect("it is ours");
    init(&["--url", "http://localhost:2"]).expect_code(2).expect_said("--force");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "mine");
    init(&["--url", "http://localhost:2", "--force"]).expect_code(0);
    assert!(fs::read_to_string(&path).expect("it is there").contains("http://localhost:2"));
}

#[test]
fn what_cannot_be_imported_yet_is_refused_by_name() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [
        ("api.yaml", "openapi: 3.1.0\ninfo: { title: x }\n", "OpenAPI"),
        ("api.json", "{\n  \"swagger\": \"2.0\"\n}\n", "OpenAPI"),
        ("visit.har", "{ \"log\": { \"entries\": [] } }\n", "HAR"),
        ("notes.yaml", "hello: world\n", "no compose file"),
        ("inside.yaml", "services: { db: { image: postgres } }\n", "not built"),
    ];
    for (name, text, reason) in files {
        fs::write(folder.path().join(name), text).expect("the folder is ours");
        let ended = Brunt::with(["init", "--from", name]).in_folder(folder.path()).go().expect_code(2);
        assert!(ended.stderr.contains(reason), "{name}: {ended}");
    }
    let left = fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, files.len(), "something was written");
}

/// `brunt init` on a terminal that `script` makes; what was shown.
fn on_a_terminal(folder: &Path, answers: &str) -> String {
    let line = format!("{} init", binary().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(folder);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux has `script`");
    child.stdin.take().expect("it is piped").write_all(answers.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    shown
}

#[test]
fn on_a_terminal_it_asks_and_writes_what_was_answered() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shown = on_a_terminal(folder.path(), "spike\nhttp://localhost:9/x\n70/s\nmany\ngitlab\n");
    assert!(shown.contains("What is it to be about?") && shown.contains("wrote many.brunt.yaml"), "{shown}");
    let text = fs::read_to_string(folder.path().join("many.brunt.yaml")).expect("it was written");
    assert!(text.contains("url: http://localhost:9 ") && text.contains("rate: 70/s "), "{text}");
    assert!(folder.path().join(".gitlab/brunt.yml").exists());
}
