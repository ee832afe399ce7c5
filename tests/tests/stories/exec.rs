//! Commands of the scenario's own: only with permission, undone whatever happens, and told when they say nothing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use brunt_tests::answering::program;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LEASE: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(1);

/// A service, and a flag in the scenario's folder that the fault sets and takes away; each command notes that it ran.
fn scenario(lasts: &str, run: &str, undo: &str, verify: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: flagged
        seed: 3
        services: {{ api: {{ run: [ \"{}\", --port, \"${{port}}\" ] }} }}
        targets: {{ api: {{ service: api }} }}
        load: {{ main: {{ target: api, get: /, rate: 100/s, for: timeline }} }}
        timeline:
          - baseline: 1s
          - id: flag
            fault: exec
            target: api
            for: {lasts}
            with:
              run: [ sh, -c, '{run}' ]
              undo: [ sh, -c, '{undo}' ]
              {verify}
        safety: {{ lease: 1s }}
        gates: [ {{ metric: error_rate, max: 1% }} ]
        ",
        program().display()
    ))
}

const RUN: &str = "touch flag; echo run >> said";
const UNDO: &str = "rm -f flag; echo undo >> said";
const VERIFY: &str = "verify: [ test, -e, flag ]";

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("said")).unwrap_or_default()
}

fn flag(folder: &Path) -> bool {
    folder.join("flag").exists()
}

#[test]
fn a_command_is_run_only_with_permission_and_plan_says_that_it_is_needed() {
    let _machine = machine::alone();
    let scenario = scenario("1s", RUN, UNDO, VERIFY);
    let folder = scenario.path().parent().unwrap();
    let ended = Brunt::run(&scenario).go().expect_code(3);
    for text in ["--allow-exec", "fault `flag`", RUN, UNDO] {
        assert!(ended.stderr.contains(text), "{text:?} is not said: {ended}");
    }
    assert!(!ended.out.exists() && said(folder).is_empty(), "nothing was begun");
    let plan = Brunt::with(["plan"]).arg(scenario.path()).go().expect_code(0);
    assert!(
        plan.stdout.contains("(needs --allow-exec)") && plan.stdout.contains("`test -e flag` ends with exit status 0")
    );

    let ended = Brunt::run(&scenario).arg("--allow-exec").go().expect_code(0);
    let results = ended.results();
    let flag_fault = fault(&results, "flag");
    assert!(flag_fault.verified && flag_fault.rollback_verified == Some(true), "{flag_fault:?}");
    assert_eq!(said(folder), "run\nundo\n");
    assert!(!flag(folder));
}

#[test]
fn a_command_without_verify_proves_nothing_so_the_run_is_inconclusive() {
    let _machine = machine::alone();
    let ended = Brunt::run(&scenario("1s", RUN, UNDO, "")).arg("--allow-exec").go().expect_code(5);
    let results = ended.results();
    assert!(!fault(&results, "flag").verified);
    assert!(fault(&results, "flag").reason.contains("add `verify`"), "{:?}", fault(&results, "flag"));
}

#[test]
fn a_command_that_fails_makes_the_run_invalid_and_an_undo_that_fails_says_what_to_type() {
    let _machine = machine::alone();
    let broken = scenario("1s", "echo no such pool; exit 3", UNDO, VERIFY);
    let ended = Brunt::run(&broken).arg("--allow-exec").go().expect_code(5);
    assert!(ended.stdout.contains("exit status 3") && ended.stdout.contains("no such pool"), "{ended}");
    assert_eq!(said(broken.path().parent().unwrap()), "undo\n");

    let stuck = scenario("1s", RUN, "echo it is locked; exit 4", VERIFY);
    let ended = Brunt::run(&stuck).arg("--allow-exec").go().expect_code(6);
    let folder = stuck.path().parent().unwrap().canonicalize().unwrap();
    let by_hand = format!("cd {} && BRUNT_FAULT_ID=flag", folder.display());
    for text in ["exit status 4", "it is locked", by_hand.as_str()] {
        assert!(ended.stdout.contains(text) || ended.stderr.contains(text), "{text:?} is not said: {ended}");
    }
}

/// Starts it and waits until the flag is there.
fn until_active(scenario: &Scenario) -> Running {
    let running = Brunt::run(scenario).arg("--allow-exec").start();
    running.wait_for("event=fault.active");
    assert!(flag(scenario.path().parent().expect("a file has a folder")));
    running
}

#[test]
fn when_brunt_is_killed_the_agent_undoes_it_within_the_lease() {
    let _machine = machine::alone();
    let scenario = scenario("60s", RUN, UNDO, VERIFY);
    let folder = scenario.path().parent().unwrap();
    let running = until_active(&scenario);
    let home = running.home();
    let began = Instant::now();
    running.signal(Signal::SIGKILL);
    running.wait().expect_code(137);
    assert!(host::comes_true(LEASE + GRACE, || !flag(folder)), "still there after {:?}", began.elapsed());
    assert!(host::comes_true(GRACE, || said(folder) == "run\nundo\n"), "{}", said(folder));
    let cleanup = Brunt::with(["cleanup"]).state_in(&home.path().join("state")).go().expect_code(0);
    assert!(cleanup.stdout.contains("nothing"), "{cleanup}");
    assert_eq!(said(folder), "run\nundo\n", "once");
}

#[test]
fn when_brunt_is_killed_while_the_command_is_at_it_the_command_ends_before_it_is_undone() {
    let _machine = machine::alone();
    let scenario = scenario("60s", "touch flag; echo run >> said; sleep 5; touch flag", UNDO, VERIFY);
    let folder = scenario.path().parent().unwrap();
    let running = Brunt::run(&scenario).arg("--allow-exec").start();
    assert!(host::comes_true(Duration::from_secs(30), || flag(folder)));
    let mark = running.mark().to_owned();
    running.signal(Signal::SIGKILL);
    running.wait().expect_code(137);
    assert!(host::comes_true(LEASE + GRACE, || said(folder) == "run\nundo\n"), "{}", said(folder));
    assert_eq!(host::left_by(&mark), [], "what was at it has ended, so nothing sets the flag again");
    assert!(!flag(folder));
}

#[test]
fn when_brunt_and_its_agent_are_killed_cleanup_undoes_it_once() {
    let _machine = machine::alone();
    let scenario = scenario("60s", RUN, UNDO, VERIFY);
    let folder = scenario.path().parent().unwrap();
    let running = until_active(&scenario);
    let (home, mark) = (running.home(), running.mark().to_owned());
    let pid = running.pid();
    // The agent first, and the runner while it is stopped: it must not notice and undo it by itself.
    running.signal(Signal::SIGSTOP);
    let agent = host::marked(&mark).into_iter().find(|process| process.command.ends_with(" agent"));
    let agent = agent.unwrap_or_else(|| panic!("no agent: {:?}", host::marked(&mark)));
    assert_ne!(agent.pid, pid);
    kill(Pid::from_raw(agent.pid.cast_signed()), Signal::SIGKILL).unwrap();
    running.signal(Signal::SIGKILL);
    running.wait().expect_code(137);
    assert!(flag(folder) && said(folder) == "run\n", "nobody is left to undo it");
    let state = home.path().join("state");
    let cleanup = Brunt::with(["cleanup"]).state_in(&state).go().expect_code(0);
    assert!(cleanup.stdout.contains("ended with exit status 0"), "{cleanup}");
    assert!(!flag(folder));
    let again = Brunt::with(["cleanup"]).state_in(&state).go().expect_code(0);
    assert!(again.stdout.contains("nothing"), "{again}");
    assert_eq!(said(folder), "run\nundo\n");
}

#[test]
fn a_signal_undoes_it_before_brunt_ends() {
    let _machine = machine::alone();
    let scenario = scenario("60s", RUN, UNDO, VERIFY);
    let running = until_active(&scenario);
    running.signal(Signal::SIGINT);
    running.wait().expect_code(130);
    assert_eq!(said(scenario.path().parent().unwrap()), "run\nundo\n");
}

#[test]
fn the_address_of_a_service_reaches_the_command() {
    let _machine = machine::alone();
    let scenario = scenario("1s", "touch flag; echo ${services.api.url} $BRUNT_VICTIM_PORTS >> said", UNDO, VERIFY);
    Brunt::run(&scenario).arg("--allow-exec").go().expect_code(0);
    let said = said(scenario.path().parent().unwrap());
    let (url, port) = said.lines().next().unwrap().split_once(' ').expect("an address and a port");
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
}
