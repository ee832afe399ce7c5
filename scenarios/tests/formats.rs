//! Problems for programs: JSON lines, workflow commands of GitHub, SARIF. Every fixture is told in each format.

use std::path::{Path, PathBuf};

use brunt_scenario::{Code, Diagnostics, LoadOptions, Severity, diagnostic, load, load_text};
use serde_json::Value;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invalid");
    let entries = std::fs::read_dir(folder).expect("the fixtures are there");
    let files = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

fn told(file: &Path) -> Diagnostics {
    load(file, &LoadOptions::default()).expect_err("it is broken")
}

const SEVERAL: &str = "version: 1
targets: { api: { url: \"http://a\" } }
load: { main: { get: /é, rate: 50, for: 30s, get: / } }
gates: [ { id: a, metric: latency.p99, max: 1% }, { id: a, metric: error_rate, max: 1% } ]
";

#[test]
fn a_json_line_has_the_place_in_bytes_lines_and_columns() {
    let problems = load_text("a.yaml", SEVERAL, &LoadOptions::default()).expect_err("several");
    insta::assert_snapshot!("json", problems.json());
    for line in problems.json().lines() {
        let object: Value = serde_json::from_str(line).expect("JSON");
        let at = |key: &str| usize::try_from(object["span"][key].as_u64().expect("a number")).expect("small");
        let text = &SEVERAL[at("start")..at("end")];
        let line: String = SEVERAL.lines().nth(at("line") - 1).expect("the line").to_owned();
        let marked: String = line.chars().skip(at("column") - 1).take(at("end_column") - at("column")).collect();
        assert_eq!((marked.as_str(), at("line")), (text, at("end_line")));
    }
}

#[test]
fn every_fixture_has_a_whole_json_line_for_each_problem() {
    for file in fixtures() {
        let problems = told(&file);
        let lines: Vec<Value> = problems.json().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), problems.iter().count(), "{}", file.display());
        for object in lines {
            for key in ["file", "code", "title", "message", "label", "help"] {
                assert!(object[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {object}");
            }
            assert_eq!(object["severity"], "error");
            let at = |key: &str| object["span"][key].as_u64().expect("a number");
            assert!(at("start") <= at("end") && at("line") >= 1 && at("column") >= 1, "{object}");
            assert!((at("line"), at("column")) <= (at("end_line"), at("end_column")), "{object}");
        }
    }
}

#[test]
fn github_reads_one_command_a_problem() {
    let problems = load_text("dir/a,b.yaml", SEVERAL, &LoadOptions::default()).expect_err("several");
    insta::assert_snapshot!("github", problems.github());
    for file in fixtures() {
        let problems = told(&file);
        let commands = problems.github();
        assert_eq!(commands.lines().count(), problems.iter().count(), "{commands}");
        for line in commands.lines() {
            let rest = line.strip_prefix("::error file=").unwrap_or_else(|| panic!("{line}"));
            let (properties, message) = rest.split_once("::").expect("a message");
            assert!(properties.split(',').skip(1).all(|property| property.contains('=')), "{line}");
            assert!(message.contains("%0Ahelp: "), "{line}");
        }
    }
}

/// The rules of SARIF 2.1.0 (OASIS, sections 3.13 to 3.52) for what is used of it.
fn assert_sarif(document: &Value) {
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(driver["name"] == "brunt" && driver["version"].is_string());
    let rules = driver["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), Code::ALL.len());
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[key]["text"].as_str().is_some_and(|text| !text.is_empty()), "{key} of {rule}");
        }
        assert!(
            rule["help"]["markdown"].as_str().is_some_and(|text| text.contains("```yaml") || text.contains("```sh"))
        );
    }
    for result in run["results"].as_array().expect("results") {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().expect("a level")));
        assert!(result["message"]["text"].as_str().is_some_and(|text| text.contains("\nhelp: ")));
        let related = result.get("relatedLocations").and_then(Value::as_array).into_iter().flatten();
        for place in result["locations"].as_array().expect("places").iter().chain(related) {
            let place = &place["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a reference");
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            let region = |key: &str| place["region"][key].as_u64().expect("a number");
            assert!(region("startLine") >= 1 && region("startColumn") >= 1 && region("endColumn") >= 1);
            assert!(region("endLine") >= region("startLine") && place["region"]["byteOffset"].is_u64());
        }
    }
}

#[test]
fn sarif_is_one_document_over_all_files() {
    let all: Vec<Diagnostics> = fixtures().iter().map(|file| told(file)).collect();
    let problems: usize = all.iter().map(|told| told.iter().count()).sum();
    let document: Value = serde_json::from_str(&diagnostic::sarif(&all, "1.2.3")).expect("JSON");
    assert_sarif(&document);
    assert_eq!(document["runs"][0]["results"].as_array().expect("results").len(), problems);
    let nothing: Value = serde_json::from_str(&diagnostic::sarif(&[], "1.2.3")).expect("JSON");
    assert_sarif(&nothing);
    let several = load_text("a b.yaml", SEVERAL, &LoadOptions::default()).expect_err("several");
    let document: Value = serde_json::from_str(&diagnostic::sarif(&[several], "1.2.3")).expect("JSON");
    assert_sarif(&document);
    insta::assert_snapshot!("sarif_results", format!("{:#}", document["runs"][0]["results"]));
    insta::assert_snapshot!("sarif_rule", format!("{:#}", document["runs"][0]["tool"]["driver"]["rules"][15]));
}

#[test]
fn strict_makes_errors_of_warnings_and_nothing_else() {
    let text = "version: 1\ntargets: { api: { url: \"http://a\" } }\nload: { main: { get: /, rate: 5/s, for: 3s } }\n";
    let lint = load_text("a.yaml", text, &LoadOptions::default()).expect("valid").lint();
    assert!(!lint.has_errors() && lint.iter().all(|problem| problem.severity == Severity::Warning));
    let strict = lint.clone().strict();
    assert!(strict.has_errors());
    assert_eq!(strict.iter().map(|it| it.code).collect::<Vec<_>>(), lint.iter().map(|it| it.code).collect::<Vec<_>>());
    assert!(lint.github().starts_with("::warning ") && strict.github().starts_with("::error "));
}
