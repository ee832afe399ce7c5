//! Nothing acts any more once nobody renews the lease, whoever is stopped or killed, and what is left is found. Told inside the
//! virtual machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brunt_injector::cleanup;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{LEASE, PEER, Place, STAND_IN, took};

/// A runner of its own, with this fault, that can be killed.
struct Runner {
    child: Child,
    agent: Pid,
}

impl Runner {
    fn start(place: &Place) -> Self {
        let state = place.state.path().to_str().unwrap();
        let lease = LEASE.as_millis().to_string();
        let mut command = Command::new(STAND_IN);
        command.args(["slow", state, &lease, "victim", "both", "100"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let agent = Pid::from_raw(line.trim().parse().unwrap_or_else(|_| panic!("the runner said {line:?}"))).unwrap();
        took(&place.leaves(PEER[0], 2), 2, 100);
        took(&place.arrives(PEER[1], 2), 2, 100);
        Self { child, agent }
    }

    fn signal(&self, signal: Signal) {
        // The agent first: it would undo everything if it heard of the other's end.
        for pid in [self.agent, Pid::from_raw(self.child.id() as i32).unwrap()] {
            kill_process(pid, signal).unwrap();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = kill_process(self.agent, Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until both directions are free: how long that took.
fn free(place: &Place) -> Duration {
    let began = Instant::now();
    let quick = |times: Vec<Duration>| times.len() == 1 && times[0] < Duration::from_millis(5);
    while !(quick(place.leaves(PEER[0], 1)) && quick(place.arrives(PEER[1], 1))) {
        assert!(began.elapsed() < LEASE * 3, "it never ends");
    }
    began.elapsed()
}

#[test]
#[ignore = "told in a virtual machine"]
fn s1_nobody_renews_the_lease_and_the_queues_are_still_there_and_hold_nothing() {
    let place = Place::new();
    let runner = Runner::start(&place);
    // As long as somebody does it goes on.
    let began = Instant::now();
    while began.elapsed() < LEASE * 2 {
        took(&place.leaves(PEER[0], 1), 1, 100);
        took(&place.arrives(PEER[1], 1), 1, 100);
    }
    runner.signal(Signal::STOP);
    let took_until = free(&place);
    println!("free {took_until:?} after both were stopped");
    assert!(took_until < LEASE + Duration::from_millis(300), "{took_until:?}");
    // They are stopped, so nobody has taken anything off.
    let state = fs::read_to_string(format!("/proc/{}/stat", runner.agent.as_raw_nonzero())).unwrap();
    assert_eq!(state.rsplit(") ").next().unwrap().chars().next(), Some('T'), "{state}");
    assert!(place.tree().links.iter().filter(|queues| queues.is_own()).count() == 2, "{:?}", place.tree());
    took(&place.leaves(PEER[1], 5), 5, 0);
    took(&place.arrives(PEER[0], 5), 5, 0);
    drop(runner);
    cleaned(&place, "run slow");
}

#[test]
#[ignore = "told in a virtual machine"]
fn s2_both_are_killed_and_what_is_left_holds_nothing_and_is_found() {
    let place = Place::new();
    for journal in [true, false] {
        let runner = Runner::start(&place);
        runner.signal(Signal::KILL);
        let took_until = free(&place);
        println!("free {took_until:?} after both were killed");
        assert!(took_until < Duration::from_millis(500), "{took_until:?}");
        assert!(!place.left().is_empty(), "nobody was there to take anything off");
        drop(runner);
        if journal {
            cleaned(&place, "run slow");
        } else {
            // By their mark alone.
            fs::remove_dir_all(place.state.path()).unwrap();
            fs::create_dir(place.state.path()).unwrap();
            cleaned(&place, "brunt's link brunt-ifb in /run/netns/victim");
        }
    }
}

fn cleaned(place: &Place, found: &str) {
    let state: PathBuf = place.state.path().into();
    let report = cleanup(Some(&state)).unwrap();
    println!("{report:?}");
    assert!(report.failed.is_empty() && report.found.iter().any(|what| what.starts_with(found)), "{report:?}");
    assert_eq!(place.left(), [""; 0]);
    assert_eq!(cleanup(Some(&state)).unwrap().found, [""; 0]);
}
