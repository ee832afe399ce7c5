//! When a run has to stop, what it is asked meanwhile, and what is told of a service that does not behave.

use std::time::{Duration, Instant};

use brunt_report::results::{GateVerdict, GuardrailOutcome, Results, Severity, Verdict};
use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{Ended, fault, files_below, gate};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};

/// Load through a wire that is 300 ms late for a while, with a guardrail on the latency. Users who wait for their replies
/// keep no schedule, so a busy machine cannot make the measurement invalid.
fn guarded(service: &Answering, lasts: &str, guardrail: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: guarded
        seed: 5
        links: {{ wire: {{ to: \"{}\" }} }}
        targets:
          api: {{ url: \"${{links.wire.url}}\" }}
          wire: {{ link: wire }}
        journeys:
          buy: {{ target: api, steps: [ {{ get: / }}, {{ think: 50ms }} ] }}
        load:
          main: {{ journey: buy, users: 20, for: timeline }}
        timeline:
          - baseline: 1s
          - {{ id: slow, fault: network.latency, target: wire, for: {lasts}, with: {{ latency: 300ms }} }}
          - pause: 1s
          - {{ id: never, fault: network.latency, target: wire, for: 1s, with: {{ latency: 10ms }} }}
        abort_if:
          - {guardrail}
        gates:
          - {{ id: first, metric: latency.p50, window: baseline, max: 250ms }}
          - {{ id: later, metric: latency.p50, window: \"fault:never\", max: 250ms }}
        ",
        service.address()
    ))
}

fn at(results: &Results, kind: &str) -> f64 {
    let event = results.events.iter().find(|event| event.kind == kind);
    event.unwrap_or_else(|| panic!("no {kind} among {:#?}", results.events)).at_s
}

#[track_caller]
fn is_clean(ended: &Ended) {
    assert_eq!(host::left_by(&ended.mark), []);
}

#[test]
fn a_guardrail_stops_the_run_rolls_back_within_a_second_and_exits_with_4() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    // The fault would last a minute.
    let story = guarded(&service, "60s", "{ id: too-slow, metric: latency.p95, above: 200ms, over: 1s, for: 1s }");
    let run = Brunt::run(&story).start();
    let home = run.home();
    let began = Instant::now();
    let ended = run.wait().expect_code(4).expect_said("guardrail.broken").expect_said("guardrail.tripped");
    assert!(began.elapsed() < Duration::from_secs(30), "{ended}");

    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Aborted, "{ended}");
    for part in ["`too-slow`", "latency.p95", "200 ms", "broken since"] {
        assert!(results.summary.sentence.contains(part), "no {part} in {}", results.summary.sentence);
    }
    let guard = &results.summary.guardrails[0];
    assert_eq!((guard.id.as_str(), guard.outcome), ("too-slow", GuardrailOutcome::Tripped));
    assert!(guard.actual.is_some_and(|value| value > 200.0), "{guard:?}");
    assert!(guard.at_s.zip(guard.broken_since_s).is_some_and(|(at, since)| at - since >= 1.0), "{guard:?}");

    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true), "{slow:?}");
    let tripped = at(&results, "guardrail.tripped");
    let removed = slow.removed_at_s.expect("it was removed");
    assert!((0.0..1.0).contains(&(removed - tripped)), "tripped at {tripped} s, removed at {removed} s");
    assert_eq!(fault(&results, "never").injecting_at_s, None);
    assert_eq!(gate(&results, "first").verdict, GateVerdict::Pass);
    assert_eq!(gate(&results, "later").verdict, GateVerdict::NotReached);

    let journals: Vec<_> = files_below(&home.path().join("state"));
    assert_eq!(journals, Vec::<std::path::PathBuf>::new(), "nothing is left to undo");
    is_clean(&ended);
    for file in ["report.html", "summary.md", "junit.xml", "events.jsonl"] {
        assert!(ended.file(file).contains("too-slow"), "{file} does not name the guardrail");
    }
    assert!(ended.stdout.contains("too-slow"), "{ended}");
}

#[test]
fn the_link_is_fast_again_when_the_guardrail_has_tripped() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = guarded(&service, "60s", "{ id: too-slow, metric: latency.p95, above: 200ms, over: 1s, for: 500ms }");
    let results = Brunt::run(&story).go().expect_code(4).results();
    let removed = fault(&results, "slow").removed_at_s.expect("it was removed");
    // Whoever was still waiting when the fault came off got the reply then, and not 300 ms later.
    let late = results.series.iter().flat_map(|series| &series.slices).filter(|slice| slice.at_s >= removed);
    let slowest = late.flat_map(|slice| &slice.latency_us).map(|(micros, _)| *micros).max().unwrap_or(0);
    assert!(slowest < 250_000, "a request that began after the removal took {slowest} us");
    let run = &results.summary.windows["run"];
    assert_eq!((run.errors, run.unfinished), (0, 0), "the drain let them all end");
}

#[test]
fn the_same_run_passes_when_its_guardrail_does_not_trip() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = guarded(&service, "2s", "{ id: too-slow, metric: latency.p95, above: 20s, over: 1s }");
    let ended = Brunt::run(&story).go().expect_code(0);
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Pass);
    let guard = &results.summary.guardrails[0];
    assert_eq!((guard.outcome, guard.broken_since_s), (GuardrailOutcome::Held, None));
    assert!(guard.actual.is_some_and(|worst| worst > 200.0), "it is told how near it came: {guard:?}");
    assert!(!ended.stderr.contains("guardrail."), "{ended}");
}

#[test]
fn a_guardrail_on_the_generator_itself_sees_its_processors() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = guarded(&service, "10s", "{ metric: generator.cpu, above: 0.01%, over: 500ms }");
    let results = Brunt::run(&story).go().expect_code(4).results();
    let guard = &results.summary.guardrails[0];
    assert_eq!(guard.id, "generator.cpu");
    assert!(guard.actual.is_some_and(|share| (0.0001..=1.5).contains(&share)), "{guard:?}");
}

#[test]
fn a_pause_in_the_timeline_waits_and_is_no_window() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = guarded(&service, "1s", "{ metric: error_rate, above: 90% }");
    let results = Brunt::run(&story).go().expect_code(0).results();
    let waited = fault(&results, "never").injecting_at_s.zip(fault(&results, "slow").removed_at_s);
    let waited = waited.map(|(next, before)| next - before).expect("both faults had their turn");
    assert!((1.0..2.0).contains(&waited), "the pause of a second took {waited} s");
    let windows: Vec<&str> = results.summary.windows.keys().map(String::as_str).collect();
    assert_eq!(windows, ["baseline", "fault:never", "fault:slow", "run"], "a pause is no window");
}

/// A service of brunt's own, run by a shell script that has `$SERVICE` for the program that answers.
fn own_service(script: &str, rest: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: own
        seed: 5
        services:
          api:
            run: [ sh, ./service.sh, \"{}\", \"${{port}}\" ]
            instances: 2
            env: {{ TOKEN: \"${{secret.env.TOKEN}}\" }}
        targets:
          api: {{ service: api }}
        journeys:
          buy: {{ target: api, steps: [ {{ get: /, timeout: 1s }}, {{ think: 50ms }} ] }}
        load:
          main: {{ journey: buy, users: 5, for: timeline }}
{rest}
        ",
        program().display()
    ))
    .beside("service.sh", script.as_bytes())
}

/// The first instance answers for two seconds, says what is wrong, and goes. The other one stays.
const ENDS_BY_ITSELF: &str = r#"
if ! mkdir first 2>/dev/null; then exec "$1" --port "$2"; fi
"$1" --port "$2" &
child=$!
sleep 2
i=0; while [ $i -lt 30 ]; do echo "line $i"; i=$((i+1)); done
echo "login with $TOKEN failed"
printf '\033[2Jno such table: caf\351\n' >&2
kill $child
exit 7
"#;

#[test]
fn a_service_that_ends_by_itself_is_told_first_with_its_last_lines_and_voids_later_windows() {
    let _machine = machine::alone();
    let rest = "
        timeline:
          - baseline: 1s
          - pause: 3s
          - { id: freeze, fault: process.pause, target: api, pick: one, for: 1s }
        gates:
          - { id: before, metric: error_rate, window: baseline, max: 1% }
          - { id: after, metric: error_rate, window: \"fault:freeze\", max: 100% }
        ";
    let story = own_service(ENDS_BY_ITSELF, rest);
    let ended = Brunt::run(&story).env("TOKEN", "hunter2").go();
    let results = ended.results();
    assert_eq!(gate(&results, "before").verdict, GateVerdict::Pass, "{ended}");
    let after = gate(&results, "after");
    assert_eq!(after.verdict, GateVerdict::Inconclusive, "{ended}");
    assert!(after.note.contains("ended by itself") && after.note.contains("before the window began"), "{}", after.note);
    assert_eq!(ended.code, 5, "{ended}");

    let first = &results.summary.findings[0];
    assert_eq!(first.severity, Severity::Error);
    assert!(first.text.contains("exited by itself: exit status 7"), "{first:?}");
    assert!(first.at_s.is_some_and(|at| at > 0.5), "{first:?}");
    let instance = first.instance.as_ref().expect("it is about an instance");
    assert_eq!((instance.service.as_str(), instance.status.as_deref()), ("api", Some("exit status 7")));
    assert_eq!(instance.last_lines.len(), 20, "{instance:?}");
    assert_eq!(instance.last_lines[17], "line 29");
    assert_eq!(instance.last_lines[18], "login with *** failed");
    assert_eq!(instance.last_lines[19], " [2Jno such table: caf\u{fffd}");
    let whole = std::fs::read(ended.path(&instance.log)).expect("the log lies where it says");
    assert!(String::from_utf8_lossy(&whole).contains("line 0\nline 1\n"), "all of it");

    for file in ["report.html", "summary.md", "results.json", "events.jsonl"] {
        assert!(!ended.file(file).contains("hunter2"), "{file} holds the secret");
    }
    for (name, text) in [
        ("report.html", ended.file("report.html")),
        ("summary.md", ended.file("summary.md")),
        ("stdout", ended.stdout.clone()),
    ] {
        assert!(text.contains("no such table") && text.contains("exit status 7"), "{name}:\n{text}");
        assert!(!text.contains('\u{1b}') || name == "stdout", "{name} holds an escape");
    }
    is_clean(&ended);
}

#[test]
fn a_command_probe_decides_whether_the_steady_state_holds_and_leaves_nothing_behind() {
    let _machine = machine::alone();
    let rest = "
        steady_state:
          title: The queue is short
          probes: [ { id: queue, command: { run: [ sh, ./check.sh, \"${services.api.urls}\" ] }, every: 100ms, timeout: 5s } ]
          before: { hold_for: 500ms, within: 20s }
        timeline:
          - baseline: 1s
        ";
    // It hangs a child of its own each time, and never two at once.
    let check = b"mkdir busy || { echo overlap >> overlaps; exit 1; }\nsleep 600 &\necho \"$1\" > asked\nn=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n > count\nsleep 0.15\nrmdir busy\n[ $n -ge 4 ] || { echo \"the queue holds $n\"; exit 1; }\n";
    let story = own_service("exec \"$1\" --port \"$2\"\n", rest).beside("check.sh", check);
    let folder = story.folder();
    let ended = Brunt::run(&story).env("TOKEN", "hunter2").go().expect_code(0).expect_said("the queue holds 1");
    let results = ended.results();
    let probe = &results.probes[0];
    assert_eq!((probe.id.as_str(), probe.failed), ("queue", 3), "{probe:?}");
    assert!(probe.last_failure.as_deref().is_some_and(|why| why.ends_with("exit code 1, not 0: the queue holds 3")));
    assert!(!folder.path().join("overlaps").exists(), "two looks overlapped");
    let asked = std::fs::read_to_string(folder.path().join("asked")).expect("it was asked");
    assert_eq!(asked.matches("http://127.0.0.1:").count(), 2, "addresses are filled in: {asked}");
    assert!(ended.file("junit.xml").contains("name=\"queue\""), "it has a case of its own");
    assert!(ended.file("report.html").contains("the queue holds 3"));
    is_clean(&ended);
}

#[test]
fn a_command_probe_that_never_holds_stops_the_run_before_anything_is_injected() {
    let _machine = machine::alone();
    let rest = "
        steady_state:
          probes: [ { id: queue, command: { run: [ sh, -c, \"echo $TOKEN_OF_MINE; sleep 600\" ] }, every: 100ms, timeout: 200ms } ]
          before: { hold_for: 500ms, within: 2s }
        timeline:
          - { id: freeze, fault: process.pause, target: api, pick: one, for: 1s }
        ";
    let story = own_service("exec \"$1\" --port \"$2\"\n", rest);
    let run = Brunt::run(&story).env("TOKEN", "hunter2").env("TOKEN_OF_MINE", "key hunter2");
    let ended = run.go().expect_code(3).expect_said("no end within 200 ms: key ***");
    let results = ended.results();
    assert_eq!(fault(&results, "freeze").injecting_at_s, None);
    assert!(ended.file("junit.xml").contains("failed"), "a probe that never held is red");
    assert!(!format!("{ended}").contains("hunter2"), "{ended}");
    is_clean(&ended);
}
