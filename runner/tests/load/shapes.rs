//! Load curves as a server meets them: stairs, spikes, several loads at once.

use crate::rig::{plan_of, run, workers};
use crate::server::Server;

#[test]
fn stairs_are_climbed_and_after_a_spike_the_load_is_where_it_was_before() {
    let server = Server::start();
    let text = "load:\n  main:\n    get: /fast\n    stages:\n\
                \x20     - { step: { from: 100/s, by: 100/s, every: 200ms, to: 300/s } }\n\
                \x20     - { spike: { to: 1000/s, for: 100ms } }\n\
                \x20     - { ramp_to: 100/s, over: 200ms }\n\
                \x20     - { hold: 50/s, for: 200ms }\n";
    let outcome = run(plan_of(&server.url(), text), &workers(2)).unwrap();
    let due: Vec<u64> = outcome.all.arrivals.iter().map(|arrival| arrival.intended.0 - outcome.started).collect();
    let between = |from: u64, to: u64| due.iter().filter(|at| (from..to).contains(&(**at / 1_000_000))).count();
    let stairs = [between(0, 200), between(200, 400), between(400, 600)];
    assert_eq!(stairs, [20, 40, 60]);
    assert_eq!(between(600, 700), 100, "the spike");
    assert_eq!(between(700, 900), 40, "down from 300/s, where it was before the spike, and not from 1000/s");
    assert_eq!(between(900, 1100), 10);
    assert_eq!((due.len(), server.count()), (270, 270));
}

#[test]
fn several_loads_run_at_once_each_at_its_own_pace() {
    let server = Server::start();
    let text = "load:\n  steady: { get: /fast, rate: 100/s, for: 400ms }\n  \
                burst: { get: /fast, stages: [ { hold: 0/s, for: 100ms }, { spike: { to: 500/s, for: 100ms } } ] }\n  \
                waiting: { get: /slow, users: 3, for: 350ms }\n";
    let outcome = run(plan_of(&server.url(), text), &workers(2)).unwrap();
    let of = |load| outcome.all.arrivals.iter().filter(move |arrival| arrival.load == load);
    assert_eq!((of(0).count(), of(1).count()), (40, 50));
    assert!(of(1).all(|arrival| (100..200).contains(&((arrival.intended.0 - outcome.started) / 1_000_000))));
    assert!((3..=6).contains(&of(2).count()), "three users, 300 ms each: {}", of(2).count());
    assert_eq!(outcome.ok(), outcome.all.requests.len(), "{:?}", outcome.examples());
    assert_eq!(outcome.end.load_ended.0 - outcome.started, 400_000_000);
}
