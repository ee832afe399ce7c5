//! `kill -9` of brunt in the middle of a fault: nobody is left to clean up, and yet it is cleaned up.
//!
//! Fifty times at drawn instants (the draws are the same each time the test runs): in half of the trials while a process
//! is paused, one of brunt's own services or one that was there before; in the other half while a wire is slow.

use std::time::{Duration, Instant};

use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::Signal;

const TRIALS: usize = 50;
const AT_ONCE: usize = 5;
const LEASE: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
enum Fault {
    PauseOwn,
    PauseStranger,
    SlowWire,
}

fn scenario(fault: Fault, stranger: &Answering) -> Scenario {
    let fault = match fault {
        Fault::PauseOwn => "{ id: it, fault: process.pause, target: api, for: 20s }",
        Fault::PauseStranger => "{ id: it, fault: process.pause, target: stranger, for: 20s }",
        Fault::SlowWire => "{ id: it, fault: network.latency, target: wire, for: 20s, with: { latency: 50ms } }",
    };
    Scenario::new(&format!(
        "
        version: 1
        name: crash
        seed: 1
        services:
          api: {{ run: [ \"{}\", --port, \"${{port}}\" ], instances: 2 }}
        links: {{ wire: {{ to: api }} }}
        targets:
          api: {{ service: api }}
          wire: {{ link: wire }}
          stranger: {{ process: {{ pid: {} }} }}
        load:
          main: {{ target: api, get: /, rate: 50/s, for: timeline, timeout: 1s }}
        timeline:
          - {fault}
        safety: {{ lease: 1s }}
        ",
        program().display(),
        stranger.pid()
    ))
}

/// One trial; returns how long after the kill everything was gone.
fn trial(number: usize, fault: Fault, delay: Duration) -> Duration {
    let stranger = Answering::at_once();
    let scenario = scenario(fault, &stranger);
    let run = Brunt::run(&scenario).start();
    run.wait_for("event=fault.injecting");
    std::thread::sleep(delay);
    let mark = run.mark().to_owned();
    assert!(host::marked(&mark).len() >= 4, "brunt, its agent and two services: {:?}", host::marked(&mark));
    let home = run.home();
    run.signal(Signal::SIGKILL);
    let killed = Instant::now();
    run.wait().expect_code(137);

    let stranger_state = || host::state(stranger.pid());
    let gone = || host::marked(&mark).is_empty() && stranger_state() != Some('T');
    let clean = host::comes_true(LEASE + GRACE, gone);
    let took = killed.elapsed();
    let left = host::marked(&mark);
    for process in &left {
        // The test fails; what it left must not outlive it all the same.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.pid.cast_signed()), Signal::SIGKILL);
    }
    assert!(clean, "trial {number}, {fault:?} after {delay:?}: {left:?}, the stranger is {:?}", stranger_state());

    let cleanup = Brunt::with(["cleanup"]).state_in(&home.path().join("state")).go().expect_code(0);
    assert!(cleanup.stdout.contains("nothing"), "trial {number}, {fault:?}: {cleanup}");
    took
}

/// Numbers that look random and are the same each time (xorshift64).
fn draws(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

#[test]
fn killed_fifty_times_in_the_middle_of_a_fault_brunt_leaves_nothing_behind() {
    let _machine = machine::alone();
    let mut draw = draws(0x5eed);
    let faults = [Fault::PauseOwn, Fault::SlowWire, Fault::PauseStranger, Fault::SlowWire];
    let trials: Vec<(usize, Fault, Duration)> = (0..TRIALS)
        .map(|number| (number, faults[number % faults.len()], Duration::from_millis(draw() % 800)))
        .collect();
    let slowest = std::thread::scope(|scope| {
        let each = trials.chunks(TRIALS / AT_ONCE);
        let groups: Vec<_> = each
            .map(|group| {
                scope.spawn(move || group.iter().map(|(number, fault, delay)| trial(*number, *fault, *delay)).max())
            })
            .collect();
        groups.into_iter().filter_map(|group| group.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).max()
    });
    println!("{TRIALS} trials; everything was gone {:?} after the kill at the latest", slowest.unwrap_or_default());
}
