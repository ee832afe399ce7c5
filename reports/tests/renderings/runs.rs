//! Several runs together.

use std::collections::BTreeMap;

use brunt_report::render::runs::{index, summary, text};
use brunt_report::render::text::Style;
use brunt_report::render::{junit, words};
use brunt_report::results::Results;
use brunt_report::runs::{Outcome, RunData, Runs};

use crate::sample;

fn run(cell: &str, outcome: Outcome) -> RunData {
    let axes = cell.split(',').filter_map(|part| part.split_once('='));
    RunData {
        scenario: "shop".into(),
        source: "shop.brunt.yaml".into(),
        cell: cell.into(),
        matrix: axes.map(|(axis, value)| (axis.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        seed: 7,
        folder: cell.replace('/', ""),
        outcome,
    }
}

fn ran(results: &Results) -> Outcome {
    Outcome::Ran { exit_code: results.summary.exit_code, summary: Box::new(results.summary.clone()) }
}

/// Four cells: one passed, one failed, one could not begin, the last was kept from its turn.
fn four() -> Runs {
    let why = |text: &str| text.to_owned();
    Runs::new(
        130,
        vec![
            run("latency=100ms,rate=50/s", ran(&sample::passing())),
            run("latency=100ms,rate=90/s", ran(&sample::shop())),
            run("latency=400ms,rate=50/s", Outcome::NotBegun { exit_code: 3, why: why("port 80 is in use") }),
            run("latency=400ms,rate=90/s", Outcome::NotRun { why: why("interrupted by a signal before its turn") }),
        ],
    )
}

#[test]
fn the_end_of_four_cells_in_the_terminal() {
    insta::assert_snapshot!(text::render(&four(), Style::default()));
}

#[test]
fn the_end_of_four_cells_in_a_pull_request() {
    insta::assert_snapshot!(summary::render(&four()));
}

#[test]
fn the_page_leads_to_the_reports_that_there_are() {
    let page = index::render(&four(), |run| !run.cell.ends_with("90/s"));
    assert_eq!(page.matches("<a href=").count(), 1);
    assert!(page.contains("href=\"./latency=100ms,rate=50s/report.html\""), "{page}");
    assert!(
        !page.contains("<script") && !page.contains("http:") && !page.contains("https:"),
        "it needs no network and no script: {page}"
    );
    let body = page.split("</style>").nth(1).unwrap();
    insta::assert_snapshot!(body);
}

#[test]
fn files_with_other_gates_and_seeds_stand_in_one_table() {
    let mut runs = four();
    for (run, name) in runs.runs.iter_mut().zip(["a", "b", "c", "d"]) {
        (run.scenario, run.source, run.cell, run.matrix) = (name.into(), name.into(), String::new(), BTreeMap::new());
    }
    runs.runs[0].seed = 8;
    if let Outcome::Ran { summary, .. } = &mut runs.runs[0].outcome {
        summary.gates.retain(|gate| gate.id.contains('p'));
    }
    insta::assert_snapshot!(text::render(&runs, Style { color: false, ascii: true }));
}

#[test]
fn one_junit_file_holds_a_suite_a_run_and_is_red_where_one_could_not_begin() {
    let suites = vec![
        junit::suite(&sample::passing()),
        junit::suite_without_results("shop · b", true, "port 80 is in use"),
        junit::suite_without_results("shop · c", false, "interrupted"),
    ];
    let file = junit::merged(suites);
    assert_eq!(file.matches("<testsuite ").count(), 3);
    assert!(file.contains("errors=\"1\"") && file.contains("<skipped message=\"interrupted\""), "{file}");
}

#[test]
fn runs_json_is_read_back_as_it_was_written() {
    let runs = four();
    let json = serde_json::to_string(&runs).unwrap();
    let read: Runs = serde_json::from_str(&json).unwrap();
    let said = |runs: &Runs| text::render(runs, Style::default());
    assert_eq!(said(&read), said(&runs));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let states: Vec<_> = value["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ran", "ran", "not_begun", "not_run"]);
    let verdict = words::verdict(sample::passing().summary.verdict).to_lowercase();
    assert_eq!(value["runs"][0]["summary"]["verdict"], verdict);
}

#[test]
fn a_name_cannot_control_the_terminal_nor_break_the_table() {
    let mut runs = four();
    runs.runs[0].cell = "a=\u{1b}[31m|x".into();
    assert!(!text::render(&runs, Style::default()).contains('\u{1b}'));
    assert!(summary::render(&runs).contains("\\|x"));
}
