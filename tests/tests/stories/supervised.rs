//! Processes that brunt did not start and that somebody else starts again: what a supervisor does to a kill.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine, ports};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long the supervisor lets its process rest before it starts it again.
const REST_S: f64 = 1.0;
/// brunt looks at strangers four times a second, and the machine may be busy.
const LOOK_S: f64 = 0.25 + 0.5;

/// A shell that runs a service for ever, in a process group of its own that ends with this.
struct Supervised(Child);

impl Supervised {
    fn at(port: u16) -> Self {
        let script = format!("while :; do \"{}\" --port {port}; sleep {REST_S}; done", program().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let supervised = Self(shell.process_group(0).spawn().expect("there is a shell"));
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(host::comes_true(Duration::from_secs(10), listens), "nothing listens at {port}");
        supervised
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.0.id().cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn the_window_of_a_kill_lasts_until_the_supervisor_has_made_the_target_whole() {
    let _machine = machine::shared();
    let site = Answering::at_once();
    let [one, two, three] = ports::free();
    let _supervised = [one, two, three].map(Supervised::at);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: supervised
        seed: 3
        targets:
          site: {{ url: \"{}\" }}
          ledger: {{ process: {{ name: answering, cmdline: \"--port ({one}|{two}|{three})$\", count: 3 }} }}
        load:
          main: {{ target: site, get: /, rate: 50/s, for: timeline }}
        timeline:
          - {{ baseline: 1s }}
          - {{ id: dies, fault: process.kill, target: ledger, pick: one }}
          - {{ pause: 4s }}
        gates:
          - {{ metric: error_rate, max: 0% }}
        ",
        site.url()
    ));

    let results = Brunt::run(&scenario).go().results();

    let dies = fault(&results, "dies");
    assert!(dies.verified, "{dies:?}");
    assert_eq!(dies.instances.len(), 1, "one of three: {dies:?}");
    let (from, to) = (dies.injecting_at_s.expect("injected"), dies.removed_at_s.expect("whole again"));
    let away = to - from;
    assert!((REST_S..=REST_S + LOOK_S).contains(&away), "it was away for {REST_S} s, the window lasted {away} s");
}
