//! The report as its reader opens it: in a browser, from a file, with and without scripts, on paper; and what its tables say
//! is what results.json says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brunt_report::compare::Comparison;
use brunt_report::render::{compare, format, html};
use brunt_report::results;
use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;
use serde_json::Value;

#[path = "../../../reports/tests/renderings/sample/mod.rs"]
mod sample;

/// A run with something in every section: a fault, a gate that fails, errors, a recovery.
fn eventful() -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: eventful
        seed: 9
        services:
          api: {{ run: [ \"{}\", --port, \"${{port}}\" ], instances: 2 }}
        targets:
          api: {{ service: api }}
        load:
          main: {{ target: api, get: /, rate: 200/s, for: timeline }}
        slos:
          fast: {{ metric: latency.p95, max: 50ms, over: 1s }}
          works: {{ metric: success_rate, min: 99%, over: 1s }}
        steady_state: {{ title: It works, all_of: [fast, works] }}
        timeline:
          - baseline: 2s
          - {{ id: paused, fault: process.pause, target: api, pick: one, for: 2s }}
          - recover: {{ within: 5s }}
          - {{ id: killed, fault: process.kill, target: api, pick: one, with: {{ restart_after: 1s }} }}
          - recover: {{ within: 5s }}
        gates:
          - {{ id: quick-while-paused, metric: latency.p95, window: \"fault:paused\", max: 100ms }}
          - {{ id: no-errors, metric: error_rate, max: 0.1% }}
        ",
        program().display()
    ))
}

/// Where the pictures go, for a person to look at: `target/screenshots`.
fn pictures() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let target = test.ancestors().nth(3).expect("a test lies in target/<profile>/deps");
    let folder = target.join("screenshots");
    fs::create_dir_all(&folder).expect("the target folder can be written to");
    folder
}

#[test]
fn the_report_is_whole_in_a_browser_and_its_tables_say_what_the_results_say() {
    let _machine = machine::alone();
    let modules = std::env::var_os("BRUNT_TEST_NODE_MODULES");
    let modules = modules.expect("BRUNT_TEST_NODE_MODULES names the browser driver: run ./tests/run, which fetches it");
    let run = Brunt::run(&eventful()).go();
    // On a busy machine the measurement may not be valid; then the report says that, and has every section all the same.
    assert!([99, 5].contains(&run.code), "{run}");

    let pages = tempfile::tempdir().expect("a temporary folder");
    let page = |name: &str| pages.path().join(format!("{name}.html"));
    fs::copy(run.path("report.html"), page("eventful")).expect("the report is there");
    for (name, results) in sample::all().into_iter().chain([("hour", sample::hour())]) {
        fs::write(page(name), html::render(&results)).expect("it can be written");
    }
    let (first, second) = (sample::shop(), sample::mended());
    let beside = compare::html::render(&Comparison::of(&first, &second), ["before", "after"]);
    fs::write(page("compare"), beside).expect("it can be written");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("chromium/report.mjs");
    let output = Command::new("node")
        .arg(script)
        .args([pages.path(), &pictures()])
        .env("BRUNT_TEST_NODE_MODULES", modules)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));

    let results = fs::read_to_string(run.path("results.json")).expect("the results are there");
    let sample = results::write(&sample::shop());
    for (name, results) in [("eventful", results), ("shop", sample)] {
        let tables =
            fs::read_to_string(pages.path().join(format!("{name}.tables.json"))).expect("the tables were read");
        let tables: Value = serde_json::from_str(&tables).expect("JSON");
        let results: Value = serde_json::from_str(&results).expect("JSON");
        figures_are_those_of(&results, &tables);
    }
}

/// The rows of a table, the first cell of each being its name.
fn rows<'a>(tables: &'a Value, table: &str) -> Vec<Vec<&'a str>> {
    let rows = tables[table].as_array().expect("the table is there");
    rows.iter().map(|row| row.as_array().expect("cells").iter().filter_map(Value::as_str).collect()).collect()
}

/// A figure of results.json, rounded as every rendering rounds.
fn figure(value: &Value, unit: &str) -> String {
    format::maybe(value.as_f64(), unit)
}

fn of_window(window: &Value) -> Vec<String> {
    let latency = ["p50", "p90", "p95", "p99", "p99_9", "max"].map(|of| figure(&window["latency_ms"][of], "ms"));
    let mut cells = vec![
        format::count(window["requests"].as_u64().expect("a count")),
        figure(&window["completed_per_s"], "per_s"),
        figure(&window["error_rate"], "fraction"),
    ];
    cells.extend(latency);
    cells
}

/// Every cell with a figure against results.json, which is read as plain JSON here.
fn figures_are_those_of(results: &Value, tables: &Value) {
    let summary = &results["summary"];
    let windows = rows(tables, "windows");
    assert_eq!(windows.len(), summary["windows"].as_object().expect("windows").len());
    for row in windows {
        assert_eq!(row[2..], of_window(&summary["windows"][row[0]]), "window {}", row[0]);
    }
    let steps = rows(tables, "steps");
    assert_eq!(steps.len(), results["series"].as_array().expect("series").len());
    for row in steps {
        let (journey, step) = row[0].split_once(" / ").expect("journey and step");
        assert_eq!(row[2..], of_window(&summary["steps"][journey][step]["windows"]["run"]), "step {}", row[0]);
    }
    gates_are_those_of(summary, &rows(tables, "gates"));
    faults_are_those_of(summary, &rows(tables, "faults"));
    served_are_those_of(results, &rows(tables, "served"));
    let errors = summary["errors"].as_array().expect("errors");
    let counts = errors.iter().map(|error| format::count(error["count"].as_u64().expect("a count")));
    assert_eq!(
        rows(tables, "errors").iter().map(|row| row[2].to_owned()).collect::<Vec<_>>(),
        counts.collect::<Vec<_>>()
    );
}

fn named<'a>(all: &'a Value, id: &str) -> &'a Value {
    all.as_array()
        .into_iter()
        .flatten()
        .find(|one| one["id"] == id)
        .unwrap_or_else(|| panic!("{id} is in results.json"))
}

fn gates_are_those_of(summary: &Value, rows: &[Vec<&str>]) {
    assert_eq!(rows.len(), summary["gates"].as_array().expect("gates").len());
    for row in rows {
        let gate = named(&summary["gates"], row[1]);
        let unit = gate["unit"].as_str().expect("a unit");
        assert_eq!(row[0].replace(' ', "_"), gate["verdict"].as_str().expect("a verdict"), "{}", row[1]);
        let (actual, limit) =
            format::pair(gate["actual"].as_f64().expect("measured"), gate["limit"].as_f64().expect("a limit"), unit);
        assert_eq!(row[2], actual, "{}", row[1]);
        assert!(row[3].lines().next().is_some_and(|line| line.ends_with(&limit)), "{}: {} and {limit}", row[1], row[3]);
        if let Some([low, high]) = gate["interval"].as_array().map(Vec::as_slice) {
            let interval = format!("{} to {}", figure(low, unit), figure(high, unit));
            assert!(row[5].starts_with(&interval), "{}: {} and {interval}", row[1], row[5]);
        }
        assert_eq!(row[6], format::count(gate["samples"].as_u64().expect("a count")), "{}", row[1]);
    }
}

fn faults_are_those_of(summary: &Value, rows: &[Vec<&str>]) {
    assert_eq!(rows.len(), summary["faults"].as_array().expect("faults").len());
    for row in rows {
        let fault = named(&summary["faults"], row[0]);
        let span = |of: &str, none: &str| match fault[of].as_f64() {
            Some(seconds) if seconds > 0.0 || of != "degraded_for_s" => format::seconds(seconds),
            _ => none.to_owned(),
        };
        let from = fault["injecting_at_s"].as_f64().expect("it was injected");
        let lasted = fault["removed_at_s"].as_f64().expect("it was removed") - from;
        let injected = format!("{} for {}", format::seconds(from), format::seconds(lasted));
        assert_eq!(
            row[1..5],
            [
                span("recovery_time_s", "did not recover"),
                span("degraded_for_s", "never"),
                span("time_to_detect_s", "not seen"),
                injected
            ],
            "{}",
            row[0]
        );
    }
}

fn served_are_those_of(results: &Value, rows: &[Vec<&str>]) {
    let served = results["served"].as_array().expect("who served what");
    assert_eq!(rows.len(), served.len());
    for (row, instance) in rows.iter().zip(served) {
        let run = &instance["windows"]["run"];
        assert_eq!(instance["instance"], row[0]);
        assert_eq!(row[1], format::count(run["requests"].as_u64().unwrap_or(0)));
        assert_eq!(row[3], figure(&run["error_rate"], "fraction"));
        assert_eq!(row[4..7], ["p50_ms", "p99_ms", "max_ms"].map(|of| figure(&run[of], "ms")), "{}", row[0]);
    }
}
