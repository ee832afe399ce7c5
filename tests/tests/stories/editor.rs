//! The schema in an editor: a real YAML language server is asked what VS Code, Neovim and others ask it.

use std::path::Path;
use std::process::Command;

use brunt_tests::brunt::Brunt;
use brunt_tests::machine;
use serde_json::{Value, json};

/// A sound beginning; what is asked about stands below it.
const LOAD: &str = "version: 1\nload:\n  main:\n    get: /\n    rate: 50/s\n    for: 30s\n";
/// Its number of lines.
const LINES: usize = 6;

/// The answers to these questions, with the schema that the binary prints.
fn answers(questions: &[Value]) -> Vec<Value> {
    let modules = std::env::var_os("BRUNT_TEST_NODE_MODULES_EDITOR");
    let modules =
        modules.expect("BRUNT_TEST_NODE_MODULES_EDITOR names the language server: run ./tests/run, which fetches it");
    let folder = tempfile::tempdir().expect("a folder");
    let schema = folder.path().join("brunt.schema.json");
    let printed = Brunt::with(["schema"]).go().expect_code(0);
    std::fs::write(&schema, &printed.stdout).expect("written");
    let with_schema = |question: &Value| {
        let mut question = question.clone();
        question["schema"] = json!(schema);
        question
    };
    let asked = folder.path().join("questions.json");
    let all: Vec<Value> = questions.iter().map(with_schema).collect();
    std::fs::write(&asked, Value::from(all).to_string()).expect("written");
    let output = Command::new("timeout")
        .args(["90", "node"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("editor/ask.mjs"))
        .arg(&asked)
        .env("BRUNT_TEST_NODE_MODULES_EDITOR", modules)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_str(&said).expect("a list");
    assert_eq!(answers.len(), questions.len());
    answers
}

fn check(text: &str) -> Value {
    json!({ "ask": "check", "text": text })
}

/// What an editor would mark: line (from 0) and message.
fn marked(answer: &Value) -> Vec<(usize, String)> {
    let one = |mark: &Value| {
        let line = mark["line"].as_u64().and_then(|line| usize::try_from(line).ok());
        (line.expect("a line"), mark["message"].as_str().expect("a message").to_owned())
    };
    answer.as_array().expect("marks").iter().map(one).collect()
}

fn labels(answer: &Value) -> Vec<&str> {
    answer.as_array().expect("a list").iter().filter_map(|item| item["label"].as_str()).collect()
}

#[test]
fn an_editor_completes_explains_and_marks_what_is_wrong() {
    let _machine = machine::shared();
    let fault =
        format!("{LOAD}timeline:\n  - fault: network.latency\n    target: wire\n    for: 3s\n    with:\n      \n");
    let answers = answers(&[
        check(LOAD),
        check(&LOAD.replace("30s", "30")),
        check(&LOAD.replace("50/s", "50")),
        check(&format!("{LOAD}gates:\n  - metric: latency.p99\n    max: 5%\n")),
        check(&format!("{LOAD}gatse: []\n")),
        json!({ "ask": "complete", "text": format!("{LOAD}timeline:\n  - fault: \n"), "line": LINES + 1, "character": 11 }),
        json!({ "ask": "complete", "text": fault, "line": LINES + 5, "character": 6 }),
        json!({ "ask": "complete", "text": format!("{LOAD}timeline:\n  - \n"), "line": LINES + 1, "character": 4 }),
        json!({ "ask": "hover", "text": LOAD, "line": 5, "character": 5 }),
    ]);

    assert_eq!(marked(&answers[0]), [], "a valid scenario has no mark");
    let duration = "a duration has a unit: 30s, 5m; or write timeline";
    assert_eq!(marked(&answers[1]), [(5, duration.to_owned())]);
    assert_eq!(marked(&answers[2]), [(4, "a rate is a number per s, m or h: 200/s, 30/m".to_owned())]);
    let unit = marked(&answers[3]);
    assert!(unit.len() == 1 && unit[0].0 == LINES + 2 && unit[0].1.starts_with("a duration"), "{unit:?}");
    assert_eq!(marked(&answers[4]), [(LINES, "Property gatse is not allowed.".to_owned())]);

    let kinds = labels(&answers[5]);
    for kind in ["network.latency", "process.kill", "http.error", "exec"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let parameters = labels(&answers[6]);
    assert!(parameters.contains(&"latency") && parameters.contains(&"jitter"), "{parameters:?}");
    assert!(!parameters.contains(&"loss"), "a parameter of another fault: {parameters:?}");
    let items = answers[7].as_array().expect("a list");
    let snippet = items.iter().find(|item| item["label"] == "fault that lasts").expect("the snippet");
    let body = snippet["insert"].as_str().expect("a text");
    assert!(body.contains("fault: ${2:network.latency}") && body.contains("target: ${3:wire}"), "{body}");

    let hover = answers[8].as_str().expect("a text");
    assert!(hover.contains("how long") && hover.contains("timeline"), "{hover}");
}
