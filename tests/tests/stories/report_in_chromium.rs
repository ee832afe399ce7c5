//! The report as its reader opens it: in a browser, from a file, with and without scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

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
    std::fs::create_dir_all(&folder).expect("the target folder can be written to");
    folder
}

#[test]
fn the_report_is_whole_in_a_browser_and_asks_nobody_for_anything() {
    let _machine = machine::alone();
    let modules = std::env::var_os("BRUNT_TEST_NODE_MODULES");
    let modules = modules.expect("BRUNT_TEST_NODE_MODULES names the browser driver: run ./tests/run, which fetches it");
    let run = Brunt::run(&eventful()).go().expect_code(99);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("chromium/report.mjs");
    let output = Command::new("node")
        .arg(script)
        .args([&run.path("report.html"), &pictures()])
        .env("BRUNT_TEST_NODE_MODULES", modules)
        .output()
        .expect("node runs");

    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
