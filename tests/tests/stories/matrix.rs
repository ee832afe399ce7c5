//! Several runs of one command: the cells of a matrix, several files, what lies over them, and how they end together.

use std::fs;
use std::path::Path;

use brunt_tests::brunt::Brunt;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;
use nix::sys::signal::Signal;
use serde_json::Value;

/// The demo's own service behind a link that is slowed; the gate holds with one added latency and not with the other.
const TEXT: &str = r#"version: 1
name: slow
seed: 7
matrix: { added_latency: [5ms, 300ms] }
services:
  shop: { run: [ "${brunt.exe}", demo-service, payments, --port, "${port}" ], ready: { http: /healthz } }
links: { wire: { to: shop } }
targets: { wire: { link: wire }, api: { url: "${links.wire.url}" } }
load: { main: { target: api, get: /healthz, rate: 40/s, for: timeline } }
timeline:
  - baseline: 1s
  - { id: slowed, fault: network.latency, target: wire, for: 1500ms, with: { latency: "${matrix.added_latency}" } }
gates:
  - { id: quick, metric: latency.p50, window: "fault:slowed", max: 150ms }
  - { id: answers, metric: error_rate, max: 1% }
"#;

fn scenario() -> Scenario {
    Scenario::from_bytes(TEXT.as_bytes())
}

fn read(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

#[test]
fn each_cell_is_a_run_with_a_folder_of_its_own_and_one_summary_at_the_end_says_which_held() {
    let _machine = machine::alone();
    let ended = Brunt::run(&scenario()).go().expect_code(99);
    for said in ["1 of 2 passed, 1 failed", "slow, 2 cells", "seed 7 in each", "added_latency=5ms", "PASS", "FAIL"] {
        assert!(ended.stdout.contains(said), "{said:?} is not said:\n{ended}");
    }
    let cells = ["added_latency=5ms", "added_latency=300ms"];
    for (cell, code) in cells.iter().zip([0, 99]) {
        let folder = ended.out.join(cell);
        let results = json(&read(&folder, "results.json"));
        assert_eq!(results["summary"]["exit_code"], code);
        assert_eq!(results["summary"]["scenario"], format!("slow · {cell}"));
        assert_eq!(results["summary"]["labels"]["matrix.added_latency"], cell.split_once('=').unwrap().1);
        assert_eq!(results["summary"]["gates"][0]["id"], "quick");
        assert!(read(&folder, "report.html").contains(cell));
        assert!(read(&folder, "scenario.resolved.yaml").contains(cell.split_once('=').unwrap().1));
    }
    // The same seed sends the same requests in each cell.
    let digests =
        cells.map(|cell| json(&read(&ended.out.join(cell), "results.json"))["summary"]["schedule_digest"].clone());
    assert_eq!(digests[0], digests[1]);

    let runs = json(&read(&ended.out, "runs.json"));
    assert_eq!((&runs["schema"], &runs["exit_code"]), (&Value::from("brunt.runs/1"), &Value::from(99)));
    assert_eq!(runs["runs"][1]["matrix"]["added_latency"], "300ms");
    assert_eq!(runs["runs"][1]["summary"]["verdict"], "fail");
    let index = read(&ended.out, "index.html");
    for cell in cells {
        assert!(index.contains(&format!("href=\"./{cell}/report.html\"")), "{index}");
    }
    let junit = read(&ended.out, "junit.xml");
    assert_eq!(junit.matches("<testsuite ").count(), 2, "{junit}");
    assert!(junit.contains("name=\"slow · added_latency=300ms\""), "{junit}");
    assert!(read(&ended.out, "summary.md").contains("| added\\_latency=300ms | FAIL | 99 |"));
}

#[test]
fn only_cell_runs_one_cell_alone_in_the_folder_that_was_given() {
    let _machine = machine::alone();
    let scenario = scenario();
    let ended =
        Brunt::run(&scenario).args(["--only-cell", "added_latency=5ms", "--format", "json"]).go().expect_code(0);
    let summary = json(&ended.stdout);
    assert_eq!(summary["scenario"], "slow · added_latency=5ms");
    assert!(ended.out.join("report.html").exists() && !ended.out.join("runs.json").exists());

    let ended = Brunt::run(&scenario).args(["--only-cell", "added_latency=7ms"]).go().expect_code(2);
    for said in ["no cell is meant", "\n  added_latency=5ms", "\n  added_latency=300ms"] {
        assert!(ended.stderr.contains(said), "{said:?}: {ended}");
    }
    assert!(!ended.out.exists());
}

#[test]
fn plan_and_validate_look_at_every_cell() {
    let _machine = machine::shared();
    let ended = Brunt::with(["plan"]).arg(scenario().path()).go().expect_code(0);
    for said in ["slow · 2 cells · seed 7 in each", "added_latency=300ms", "slow · added_latency=5ms · seed 7"] {
        assert!(ended.stdout.contains(said), "{said:?}: {ended}");
    }
    Brunt::with(["validate"]).arg(scenario().path()).go().expect_code(0).expect_said("2 gates, 2 cells");
    let broken = Scenario::from_bytes(TEXT.replace("300ms", "300").as_bytes());
    let ended = Brunt::with(["validate"]).arg(broken.path()).go().expect_code(2);
    ended.expect_said("in the cell added_latency=300");
}

#[test]
fn what_is_merged_changes_every_cell_and_its_mistakes_are_told_in_its_own_file() {
    let _machine = machine::alone();
    let scenario = scenario();
    let folder = scenario.path().parent().unwrap().to_owned();
    let over = folder.join("ci.yaml");
    fs::write(&over, "matrix: { added_latency: [5ms], round: [a, b] }\nload: { main: { rate: 20/s } }\n").unwrap();
    let ended = Brunt::run(&scenario).arg("-f").arg(&over).args(["--format", "json"]).go().expect_code(0);
    let runs = json(&ended.stdout);
    let cells: Vec<&str> = runs["runs"].as_array().unwrap().iter().map(|run| run["cell"].as_str().unwrap()).collect();
    assert_eq!(cells, ["added_latency=5ms,round=a", "added_latency=5ms,round=b"]);
    assert_eq!(runs["runs"][0]["folder"], "added_latency=5ms,round=a");
    fs::write(&over, "load: { main: { rate: 20 } }\n").unwrap();
    let ended = Brunt::run(&scenario).arg("-f").arg(&over).go().expect_code(2);
    ended.expect_said("ci.yaml:1:23");
}

#[test]
fn two_files_of_one_name_do_not_write_over_each_other() {
    let _machine = machine::alone();
    let one = Scenario::from_bytes(
        TEXT.replace("matrix: { added_latency: [5ms, 300ms] }\n", "")
            .replace("${matrix.added_latency}", "5ms")
            .as_bytes(),
    );
    let other = one.path().parent().unwrap().join("other.brunt.yaml");
    fs::copy(one.path(), &other).unwrap();
    let ended = Brunt::run(&one).arg(&other).go().expect_code(0);
    assert!(ended.out.join("slow/report.html").exists() && ended.out.join("slow-2/report.html").exists(), "{ended}");
    assert!(ended.stdout.contains("2 of 2 passed"), "{ended}");
}

#[test]
fn a_signal_in_the_second_cell_rolls_it_back_and_the_others_are_not_run() {
    let _machine = machine::alone();
    let text = TEXT.replace("[5ms, 300ms]", "[5ms, 6ms, 7ms, 8ms]").replace("for: 1500ms", "for: 3s");
    let running = Brunt::run(&Scenario::from_bytes(text.as_bytes())).args(["--format", "json"]).start();
    running.wait_for("run 2 of 4: slow · added_latency=6ms");
    let second = running.out().join("added_latency=6ms/events.jsonl");
    while !fs::read_to_string(&second).is_ok_and(|events| events.contains("fault.active")) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal(Signal::SIGINT);
    let ended = running.wait();
    assert_eq!(ended.code, 130, "{ended}");
    let runs = json(&ended.stdout);
    let states: Vec<&str> = runs["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ran", "ran", "not_run", "not_run"]);
    assert_eq!(runs["runs"][1]["summary"]["faults"][0]["rollback_verified"], true);
    assert_eq!(runs["exit_code"], 130);
    assert!(ended.stderr.contains("added_latency=7ms: not run: interrupted"), "{ended}");
    assert!(!ended.out.join("added_latency=7ms").exists());
    assert!(read(&ended.out, "junit.xml").contains("not run"));
}
