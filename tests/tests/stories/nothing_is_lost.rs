//! A machine that gets in the way: a target that is down, a port that is taken, a disk that is full, a reader that has
//! left. Each is told clearly, before anything is touched where it can be, and what was measured is kept.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::Ended;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};

fn short_load(url: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: short
        targets: {{ api: {{ url: \"{url}\" }} }}
        load: {{ main: {{ get: /, rate: 100/s, for: 2s }} }}
        "
    ))
}

/// A port that was free a moment ago and where nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// brunt inside a mount namespace of its own, in which `folder` is a small memory disk.
fn with_a_disk_of(kib: u32, folder: &Path, options: &str, run: Brunt) -> Brunt {
    let mount = format!("mount -t tmpfs -o size={kib}k none '{}' && {options} exec \"$@\"", folder.display());
    run.under(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"])
}

#[track_caller]
fn is_refused_before_anything_happens(ended: &Ended, word: &str) {
    assert_eq!(ended.code, 3, "{ended}");
    assert!(ended.stderr.contains(word), "nothing names {word:?}: {ended}");
    assert_eq!(host::left_by(&ended.mark), []);
}

#[test]
fn a_target_that_is_down_is_found_before_the_load_starts() {
    let _machine = machine::shared();
    let port = closed_port();
    let ended = Brunt::run(&short_load(&format!("http://127.0.0.1:{port}"))).go();
    is_refused_before_anything_happens(&ended, &format!("127.0.0.1:{port}"));
    assert!(ended.stderr.contains("refused"), "{ended}");
}

#[test]
fn a_host_that_has_no_address_is_found_before_the_load_starts() {
    let _machine = machine::shared();
    let ended = Brunt::run(&short_load("http://no-such-host.invalid:80")).go();
    is_refused_before_anything_happens(&ended, "no-such-host.invalid");
}

#[test]
fn a_link_whose_port_is_taken_is_named() {
    let _machine = machine::shared();
    let service = Answering::at_once();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        links: {{ wire: {{ to: \"{}\", listen: \"{address}\" }} }}
        targets: {{ api: {{ url: \"${{links.wire.url}}\" }} }}
        load: {{ main: {{ get: /, rate: 10/s, for: 1s }} }}
        ",
        service.address()
    ));
    is_refused_before_anything_happens(&Brunt::run(&scenario).go(), &address);
}

#[test]
fn a_service_that_never_gets_ready_is_told_with_its_last_words() {
    let _machine = machine::shared();
    let scenario = Scenario::new(
        "
        version: 1
        services:
          api: { run: [ sh, -c, \"echo the database is not there; sleep 30\" ], ready: { tcp: true, within: 1s } }
        targets: { api: { service: api } }
        load: { main: { get: /, rate: 10/s, for: 1s } }
        ",
    );
    let ended = Brunt::run(&scenario).go();
    is_refused_before_anything_happens(&ended, "the database is not there");
}

#[test]
fn a_service_whose_port_is_taken_is_told_before_it_starts() {
    let _machine = machine::shared();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        services:
          api: {{ run: [ \"{}\", --port, \"${{port}}\" ], port: {port} }}
        targets: {{ api: {{ service: api }} }}
        load: {{ main: {{ get: /, rate: 10/s, for: 1s }} }}
        ",
        program().display()
    ));
    is_refused_before_anything_happens(&Brunt::run(&scenario).go(), &port.to_string());
}

#[test]
fn without_a_place_for_the_journal_nothing_is_injected() {
    let _machine = machine::shared();
    let service = Answering::at_once();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        targets:
          api: {{ url: \"{}\" }}
          it: {{ process: {{ pid: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 10/s, for: timeline }} }}
        timeline: [ {{ id: p, fault: process.pause, target: it, for: 1s }} ]
        ",
        service.url(),
        service.pid()
    ));
    let ended = Brunt::run(&scenario).state_in(Path::new("/proc/nowhere")).go();
    is_refused_before_anything_happens(&ended, "/proc/nowhere");
    assert_ne!(host::state(service.pid()), Some('T'));
}

#[test]
fn a_results_folder_that_cannot_be_written_to_is_told_before_the_load_starts() {
    let _machine = machine::shared();
    let service = Answering::at_once();
    let story = short_load(&service.url());
    let run = Brunt::run(&story);
    let out = run.home().join("out");
    std::fs::create_dir(&out).expect("a folder of our own");
    let remount = format!("mount -o remount,ro '{}' &&", out.display());
    let ended = with_a_disk_of(64, &out, &remount, run).go();
    is_refused_before_anything_happens(&ended, "out");
    assert!(ended.stderr.contains("Read-only"), "{ended}");
}

#[test]
fn a_disk_that_fills_up_during_the_run_costs_no_result() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let rescued = tempfile::tempdir().expect("a temporary folder");
    let story = short_load(&service.url());
    let run = Brunt::run(&story).env("TMPDIR", rescued.path());
    let out = run.home().join("out");
    std::fs::create_dir(&out).expect("a folder of our own");
    let ended = with_a_disk_of(12, &out, "", run).go();
    assert_eq!(ended.code, 1, "a run whose results could not be written is not a pass: {ended}");
    assert!(ended.stderr.contains("No space left"), "{ended}");
    let kept = brunt_tests::ended::files_below(rescued.path());
    let kept = kept.first().unwrap_or_else(|| panic!("results.json was not rescued: {ended}"));
    assert!(ended.stderr.contains(&*kept.to_string_lossy()), "nobody says where it is: {ended}");
    let text = std::fs::read_to_string(rescued.path().join(kept)).expect("a listed file");
    serde_json::from_str::<brunt_report::results::Results>(&text).expect("the rescued results are whole");
}

#[test]
fn a_reader_that_has_left_takes_nothing_away_from_the_run() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let story = short_load(&service.url());
    let ended = Brunt::run(&story).stdout_to(writer).go().expect_code(0);
    assert!(!ended.stderr.contains("panic"), "{ended}");
    assert!(ended.results().summary.health.started > 100);
}

#[test]
fn a_page_of_help_may_be_cut_short() {
    let _machine = machine::shared();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = Brunt::with(["faults"]).stdout_to(writer).within(Duration::from_secs(5)).go().expect_code(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_renderings_can_be_made_again_byte_for_byte() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let story = short_load(&service.url());
    let run = Brunt::run(&story).go().expect_code(0);
    let again = run.out.with_file_name("again");
    Brunt::with(["report"]).arg(run.path("results.json")).arg("--out").arg(&again).go().expect_code(0);
    for name in ["report.html", "junit.xml", "summary.md"] {
        let made = std::fs::read(again.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(made == std::fs::read(run.path(name)).expect("the run wrote it"), "{name} differs");
    }
}
