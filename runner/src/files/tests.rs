//! Folders that exist, are shared, are full or may not be written to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use brunt_report::results::{Environment, Event, Health, LagData, PlanData, Results, SCHEMA, Summary, Verdict};
use brunt_scenario::plan::{Outputs, Plan, Safety};

use super::events::{self, EventsError};
use super::*;

/// A plan of nothing.
pub fn plan(name: &str) -> Plan {
    Plan {
        name: name.into(),
        cell: brunt_scenario::matrix::Cell::default(),
        description: String::new(),
        labels: BTreeMap::new(),
        seed: 7,
        source: "shop.brunt.yaml".into(),
        scenario_sha256: "abc".into(),
        resolved_yaml: "version: 1\n".into(),
        services: Vec::new(),
        links: Vec::new(),
        targets: BTreeMap::new(),
        feeders: Vec::new(),
        journeys: Vec::new(),
        load: Vec::new(),
        slos: Vec::new(),
        steady_state: None,
        timeline: Vec::new(),
        safety: Safety {
            allow_hosts: Vec::new(),
            allow_contexts: None,
            allow_namespaces: None,
            lease: Duration::from_secs(15),
        },
        gates: Vec::new(),
        outputs: Outputs { dir: None, html: true, json: true, junit: true },
        guardrails: Vec::new(),
        not_built: Vec::new(),
    }
}

/// Results of nothing.
pub fn results() -> Results {
    Results {
        schema: SCHEMA.into(),
        summary: Summary {
            verdict: Verdict::Pass,
            sentence: "Every gate held.".into(),
            exit_code: 0,
            scenario: "shop".into(),
            labels: BTreeMap::new(),
            scenario_sha256: "abc".into(),
            schedule_digest: "def".into(),
            seed: 7,
            started_at: "2026-01-02T03:04:05.678Z".into(),
            duration_s: 1.0,
            brunt_version: "0.1.0".into(),
            windows: BTreeMap::new(),
            steps: BTreeMap::new(),
            gates: Vec::new(),
            guardrails: Vec::new(),
            faults: Vec::new(),
            findings: Vec::new(),
            errors: Vec::new(),
            health: Health {
                send_lag_ms: LagData::default(),
                queued_ms: LagData::default(),
                generator_cpu: 0.1,
                in_flight_max: 1,
                scheduled: 1,
                started: 1,
                dropped: 0,
                valid: true,
                reasons: Vec::new(),
                warnings: Vec::new(),
            },
        },
        series: Vec::new(),
        spans: Vec::new(),
        slos: Vec::new(),
        load_changes: Vec::new(),
        operator: Vec::new(),
        served: Vec::new(),
        events: Vec::new(),
        probes: Vec::new(),
        pods: Vec::new(),
        nodes: Vec::new(),
        autoscalers: Vec::new(),
        plan: PlanData::default(),
        crew: None,
        environment: Environment::default(),
    }
}

/// An event of the fault `slow`.
pub fn event(at_s: f64, kind: &str) -> Event {
    Event { at_s, kind: kind.into(), subject: "slow".into(), text: "a sentence".into() }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_leaves_every_file_and_no_half_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("new/deep");
    let mut files = Files::prepare(&plan("shop"), Some(&out), Clock::start()).expect("the folder can be made");
    files.event(&event(0.5, "fault.active"));
    let seen = fs::read_to_string(out.join("events.jsonl")).expect("it is there while the run goes on");
    assert!(seen.ends_with("\"text\":\"a sentence\"}\n"), "{seen}");
    assert_eq!(files.write(&results()), Vec::<String>::new());
    let expected = ["events.jsonl", "junit.xml", "report.html", "results.json", "scenario.resolved.yaml", "summary.md"];
    assert_eq!(names(&out), expected);
    let json = fs::read_to_string(out.join("results.json")).expect("results.json is there");
    let back: Results = serde_json::from_str(&json).expect("results.json is JSON");
    assert_eq!(renderings::json(&back), json, "nothing is lost on the way through the file");
}

#[test]
fn what_an_earlier_run_left_is_gone_before_the_next_one_begins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("results.json"), "old").expect("it can be written");
    fs::write(folder.path().join("mine.txt"), "keep").expect("it can be written");
    let files = Files::prepare(&plan("shop"), Some(folder.path()), Clock::start()).expect("the folder is there");
    assert_eq!(names(folder.path()), ["events.jsonl", "mine.txt", "scenario.resolved.yaml"]);
    files.discard();
    assert_eq!(names(folder.path()), ["mine.txt"], "a run that did not begin leaves nothing");
}

#[test]
fn runs_of_the_same_second_get_folders_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    let first = make_below(folder.path(), "../a name/with: all", at).expect("it can be made");
    let second = make_below(folder.path(), "../a name/with: all", at).expect("it can be made");
    assert_eq!(first, folder.path().join("a-name-with--all-20260102T030405Z"));
    assert_eq!(second, folder.path().join("a-name-with--all-20260102T030405Z-2"));
}

#[test]
fn a_folder_that_may_not_be_written_to_is_found_before_the_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let told = Files::prepare(&plan("shop"), Some(&file.join("x")), Clock::start()).expect_err("a file is no folder");
    assert!(told.to_string().contains("making the folder"), "{told}");
    assert!(told.to_string().ends_with("choose another folder with --out"), "{told}");

    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("it can be made");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(locked.join("probe"), "").is_err() {
        let told = Files::prepare(&plan("shop"), Some(&locked), Clock::start()).expect_err("it is read-only");
        assert!(told.to_string().contains("Permission denied"), "{told}");
    }
}

#[test]
fn each_file_is_tried_even_if_another_one_fails_and_results_are_rescued() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = Files::prepare(&plan("shop"), Some(folder.path()), Clock::start()).expect("the folder is there");
    // A folder in the place of a file cannot be replaced by a file, not even by root.
    fs::create_dir_all(folder.path().join("results.json/x")).expect("it can be made");
    let unwritten = files.write(&results());
    assert_eq!(unwritten.len(), 2, "{unwritten:?}");
    assert!(unwritten[0].starts_with("results.json: "), "{unwritten:?}");
    let copy = unwritten[1].split_whitespace().find(|word| word.ends_with(".json;")).expect("it names the copy");
    let copy = Path::new(copy.trim_end_matches(';'));
    assert!(serde_json::from_str::<Results>(&fs::read_to_string(copy).expect("the copy is there")).is_ok());
    fs::remove_file(copy).expect("it is ours");
    assert!(folder.path().join("junit.xml").exists());
    assert!(!folder.path().join(".results.json.part").exists());
}

#[test]
fn events_can_be_read_back_even_if_the_last_line_was_cut_off() {
    let header = Header::new(&plan("shop"), rfc3339(SystemTime::UNIX_EPOCH));
    let text = format!(
        "{}{}{}",
        header.line(),
        events::line(&event(0.5, "fault.injecting")),
        &events::line(&event(1.5, "fault.active"))[..20]
    );
    let (read, all) = events::parse(&text).expect("the whole lines are fine");
    assert_eq!(read, header);
    assert_eq!(read.started_at, "1970-01-01T00:00:00.000Z");
    assert_eq!(all, [event(0.5, "fault.injecting")]);
}

#[test]
fn other_files_are_not_taken_for_events() {
    assert!(matches!(events::parse(""), Err(EventsError::Header(_))));
    assert!(matches!(events::parse("{\"schema\":\"x\"}\n"), Err(EventsError::Header(_))));
    let header = Header::new(&plan("shop"), String::new());
    let other = Header { schema: "brunt.events/2".into(), ..header.clone() };
    assert!(matches!(events::parse(&other.line()), Err(EventsError::Schema(_))));
    let told = events::parse(&format!("{}no json\n", header.line())).expect_err("line 2 is broken");
    assert_eq!(told.to_string(), "line 2 is not an event");
}
