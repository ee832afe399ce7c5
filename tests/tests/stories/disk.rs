//! `disk.latency` on a real nginx that opens a file for each request: it waits, nobody else who opens a file there does, and
//! whoever is killed or stopped, nothing waits any longer than the lease.

use std::time::{Duration, Instant};

use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::{fault, window};
use brunt_tests::nginx::Nginx;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The lease, the beat that was last, and a machine that is busy.
const GONE: Duration = Duration::from_secs(8);

/// A folder with a page, and an nginx whose own it is. They end in this order.
struct Lab {
    nginx: Nginx,
    files: TempDir,
}

impl Lab {
    fn new() -> Self {
        let files = TempDir::with_prefix("brunt-files-").expect("a temporary folder");
        std::fs::create_dir(files.path().join("shop")).expect("a folder");
        std::fs::write(files.path().join("shop/page"), "x".repeat(2000)).expect("a file");
        Self { nginx: Nginx::of_files(files.path()), files }
    }

    fn scenario(&self, latency: &str, lasts: &str) -> Scenario {
        Scenario::new(&format!(
            "
        version: 1
        name: slow-disk
        seed: 3
        targets:
          api: {{ url: \"{}\" }}
          it: {{ process: {{ pid: {} }} }}
        load:
          main: {{ target: api, get: /shop/page, rate: 5/s, for: timeline, timeout: 5s }}
        timeline:
          - baseline: 2s
          - {{ id: slow, fault: disk.latency, target: it, for: {lasts}, with: {{ path: {}, latency: {latency} }} }}
          - pause: 500ms
        safety: {{ lease: 1s }}
        gates: [ {{ metric: error_rate, max: 0% }} ]
        ",
            self.nginx.url(),
            self.nginx.pid(),
            self.files.path().canonicalize().expect("it is there").display(),
        ))
    }

    /// Whether it waits for a file: a process that waits in the kernel and cannot be interrupted.
    fn waits(&self) -> bool {
        host::state(self.nginx.pid()) == Some('D')
    }

    /// A run in which nginx waits for longer than the test lasts.
    fn stuck(&self) -> Running {
        let running = Brunt::run(&self.scenario("600s", "60s")).start();
        running.wait_for("event=fault.active fault=slow");
        assert!(host::comes_true(GONE, || self.waits()), "it does not wait: {}", running.said());
        running
    }

    /// It answers again, and no worker of the run with this mark is left.
    #[track_caller]
    fn goes_on(&self, mark: &str) {
        assert!(host::comes_true(GONE, || !self.waits()), "it still waits: {:?}", host::marked(mark));
        assert!(self.nginx.requests() > 0, "it answers");
        let workers = || host::marked(mark).iter().filter(|one| one.command.ends_with("--worker")).count();
        assert!(host::comes_true(GONE, || workers() == 0), "{:?}", host::marked(mark));
    }
}

/// The process of that run whose command ends like this: its ` agent`, its `--worker`.
fn part(run: &Running, end: &str) -> Pid {
    let marked = host::marked(run.mark());
    let part = marked.iter().find(|process| process.command.ends_with(end));
    Pid::from_raw(part.unwrap_or_else(|| panic!("no{end}: {marked:?}")).pid.cast_signed())
}

#[test]
fn requests_wait_for_the_file_in_the_window_of_the_fault_and_nobody_else_does() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let running = Brunt::run(&lab.scenario("60ms", "3s")).start();
    running.wait_for("event=fault.verified fault=slow");
    let beside = (0..8).map(|_| {
        let began = Instant::now();
        std::fs::read(lab.files.path().join("shop/page")).expect("it is there");
        began.elapsed()
    });
    // The best of some, for the machine may be busy. A second look at the run: nobody was let go because its end had begun.
    let beside = beside.min().expect("there are eight");
    assert!(!running.said().contains("event=fault.remov"), "{}", running.said());
    assert!(beside < Duration::from_millis(30), "another process waited {beside:?}");

    let ended = running.wait();
    let results = ended.results();
    let seen = fault(&results, "slow");
    assert!(seen.verified && seen.rollback_verified == Some(true) && seen.residue.is_empty(), "{seen:?}");
    let p50 = |name| window(&results, name).latency_ms.p50.expect("there were requests");
    assert!(p50("baseline") < 50.0, "{} ms before", p50("baseline"));
    assert!(p50("fault:slow") >= 60.0, "{} ms with a slow disk", p50("fault:slow"));
    lab.goes_on(&ended.mark);
}

#[test]
fn whoever_is_killed_or_stopped_or_asked_to_end_nothing_waits_any_longer() {
    let _machine = machine::alone();
    // What happens to the runner, to the agent, and to the worker: when all are stopped, nobody but the kernel is left.
    let (stop, end) = (Some(Signal::SIGSTOP), Some(Signal::SIGKILL));
    let all = [
        [end, None, None],
        [None, end, None],
        [stop, stop, None],
        [stop, stop, stop],
        [Some(Signal::SIGTERM), None, None],
    ];
    for [runner, to_agent, to_worker] in all {
        let lab = Lab::new();
        let running = lab.stuck();
        let (agent, worker) = (part(&running, " agent"), part(&running, " --worker"));
        for (signal, pid) in [(to_worker, worker), (to_agent, agent)] {
            if let Some(signal) = signal {
                kill(pid, signal).expect("it is the test's own");
            }
        }
        if let Some(signal) = runner {
            running.signal(signal);
        }
        lab.goes_on(running.mark());
        if runner == stop {
            running.signal(Signal::SIGKILL);
            let _ = kill(agent, Signal::SIGKILL);
        }
        running.wait();
    }
}

#[test]
fn without_the_right_to_hold_accesses_plan_and_run_say_so_before_anything_is_touched() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let scenario = lab.scenario("60ms", "1s");
    let without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"];
    let plan = Brunt::with(["plan"]).arg(scenario.path()).under(without).go().expect_code(3);
    plan.expect_said("CAP_SYS_ADMIN").expect_said("run brunt as root");
    let asked = lab.nginx.requests();
    Brunt::run(&scenario).under(without).go().expect_code(3).expect_said("CAP_SYS_ADMIN");
    assert_eq!(lab.nginx.requests(), asked + 1, "nothing was sent but this question");
}
