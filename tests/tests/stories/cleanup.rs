//! `brunt cleanup`: asked what it would do, it says so and touches nothing.

use std::fs;

use brunt_injector::netlink::tc::Tc;
use brunt_injector::netlink::tc::tree::Tree;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::files_below;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_dry_run_says_what_would_be_undone_and_touches_nothing() {
    // Alone: a cleanup of another story would take it off.
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let (service, victim) = (Answering::inside(&network.server), Answering::at_once());
    let story = Scenario::new(&format!(
        "
        version: 1
        name: left
        seed: 1
        targets:
          api: {{ url: \"http://{}:{}\" }}
          lab: {{ netns: {} }}
          stranger: {{ process: {{ pid: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline }} }}
        timeline:
          - parallel:
              - {{ id: thin, fault: network.bandwidth, target: lab, for: 60s, with: {{ rate: 1mbit, direction: from }} }}
              - {{ id: frozen, fault: process.pause, target: stranger, for: 60s }}
        ",
        Namespaces::SERVER,
        service.port(),
        network.server,
        victim.pid(),
    ));
    let queues = || {
        let look = || Tree::of(&mut Tc::open().expect("a socket")).expect("the kernel lists them");
        network.of_server().inside(look).expect("root may enter")
    };
    let before = queues();
    let run = Brunt::run(&story).under(["ip", "netns", "exec", &network.client]).start();
    run.wait_for("event=fault.active fault=thin ");
    run.wait_for("event=fault.active fault=frozen ");
    let (home, mark) = (run.home(), run.mark().to_owned());
    let state = home.path().join("state");
    let cleanup = |args: &[&str]| Brunt::with(["cleanup"]).args(args).state_in(&state).start().wait();
    let alive = cleanup(&["--dry-run"]).expect_code(0).expect_said("is alive");
    assert!(!alive.stdout.contains("would:"), "{alive}");

    // The runner cannot step in for its agent, and then neither of them is left.
    run.signal(Signal::SIGSTOP);
    let marked = host::marked(&mark);
    let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
    kill(Pid::from_raw(agent.pid.cast_signed()), Signal::SIGKILL).expect("it lives");
    run.signal(Signal::SIGKILL);
    run.wait();
    let (shaped, files) = (queues(), files_below(&state));
    let stopped = || host::state(victim.pid()) == Some('T');
    assert!(shaped != before && stopped() && !files.is_empty(), "there is something to undo");

    for args in [&["--dry-run"][..], &["--dry-run", "--all"]] {
        let dry = cleanup(args).expect_code(6);
        dry.expect_said(&format!("would: run {}", run_of(&files)))
            .expect_said("put back the queues of cable")
            .expect_said(&format!("continue pid {}", victim.pid()));
    }
    assert_eq!((queues(), files_below(&state), stopped()), (shaped, files, true), "it touched something");

    fs::write(state.join("brunt/gone.agent.log"), "").expect("the folder is there");
    let undone = cleanup(&[]).expect_code(0).expect_said("undone:");
    assert!(!stopped() && queues() == before, "{undone}");
    assert_eq!(files_below(&state).len(), 1, "a log is no leftover of a run that is known: {undone}");
    cleanup(&["--dry-run"]).expect_code(0).expect_said("nothing is left to undo");
    cleanup(&["--all", "--dry-run"]).expect_code(6).expect_said("gone.agent.log: remove it");
    cleanup(&["--all"]).expect_code(0).expect_said("gone.agent.log: removed");
    assert_eq!(files_below(&state).len(), 0);
}

/// The run whose journal is among the files.
fn run_of(files: &[std::path::PathBuf]) -> String {
    let journal = files.iter().find(|path| path.extension().is_some_and(|it| it == "journal")).expect("there is one");
    journal.file_stem().expect("it has a name").to_string_lossy().into_owned()
}
