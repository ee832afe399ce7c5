//! When requests are sent, and from when their latency counts.

use std::time::Duration;

use brunt::load::Options;
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Journey, Load, Model, Stage, Step, Target, Text};
use brunt_scenario::units::Spread;

use crate::rig::{get, plan, run, run_with, site, stage, step, visits, whole};
use crate::server::Server;

#[test]
fn an_open_load_sends_its_schedule_over_few_connections() {
    let server = Server::start();
    let outcome = run(visits(&server, "/fast"), &Options::default()).unwrap();
    assert_eq!((outcome.end.scheduled, outcome.ok(), server.count()), (100, 100, 100));
    assert_eq!(outcome.end.load_ended.0 - outcome.started, 500_000_000);
    assert!(server.connections() < 40, "kept alive, not {} connections", server.connections());
    for (index, arrival) in outcome.all.arrivals.iter().enumerate() {
        assert_eq!(arrival.intended.0 - outcome.started, index as u64 * 5_000_000);
    }
    let reply = outcome.all.requests[50];
    assert!(reply.sent.unwrap() <= reply.first_byte.unwrap() && reply.first_byte.unwrap() <= reply.done);
    assert_eq!(reply.instance, 0);
    assert!(outcome.end.invalid.is_empty());
}

#[test]
fn one_worker_and_three_send_the_same_schedule() {
    let server = Server::start();
    let intended = |workers| {
        let ramp = Stage { from: 0.0, to: 400.0, length: Some(Duration::from_millis(500)), warmup: true };
        let steps = vec![step(get("/fast"))];
        let plan = plan(site(&server), steps, Model::OpenPoisson, vec![ramp, stage(400.0, 0.25)]);
        let outcome = run(plan, &Options { workers: Some(workers), ..Options::default() }).unwrap();
        assert_eq!(outcome.ok() as u64, outcome.end.scheduled);
        let mut intended: Vec<(u64, bool)> =
            outcome.all.arrivals.iter().map(|arrival| (arrival.intended.0 - outcome.started, arrival.warmup)).collect();
        intended.sort_unstable();
        intended
    };
    let one = intended(1);
    assert!(one.len() > 120, "{} arrivals", one.len());
    assert_eq!(one, intended(3));
}

#[test]
fn a_server_that_freezes_shows_in_the_latency_of_all_who_would_have_come() {
    let server = Server::start();
    let mut plan = visits(&server, "/fast");
    plan.load[0].stages = vec![stage(200.0, 1.0)];
    plan.journeys.push(Journey { name: "freezer".into(), feed: Vec::new(), steps: vec![step(get("/freeze"))] });
    let once = vec![stage(0.0, 0.3), stage(10.0, 0.1)];
    plan.load.push(Load { name: "freeze once".into(), mix: whole(1), stages: once, ..plan.load[0].clone() });
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!((outcome.ok(), outcome.dropped()), (201, 0), "{:?}", outcome.examples());
    // Frozen for 400 ms at 200/s: 80 arrivals wait for what is left of it, 4 in 5 of them for more than 80 ms.
    let slow = outcome.latencies().iter().filter(|latency| **latency > 80.0).count();
    assert!((58..=80).contains(&slow), "{slow} requests waited");
    let worst = *outcome.latencies().last().unwrap();
    assert!((390.0..600.0).contains(&worst), "the worst waited {worst} ms");
}

#[test]
fn arrivals_above_max_in_flight_are_dropped_and_counted() {
    let server = Server::start();
    let mut plan = visits(&server, "/never");
    plan.load[0].max_in_flight = 10;
    plan.load[0].drain = Duration::from_millis(100);
    let outcome = run(plan, &Options { workers: Some(3), ..Options::default() }).unwrap();
    assert_eq!((outcome.end.scheduled, outcome.dropped()), (100, 90));
    assert!(server.connections() <= 10, "{} connections", server.connections());
    assert_eq!(outcome.errors(ErrorClass::Unfinished), 10);
}

#[test]
fn what_is_open_when_the_drain_ends_is_unfinished_and_as_old_as_it_is() {
    let server = Server::start();
    let mut plan = visits(&server, "/never");
    plan.load[0].drain = Duration::from_millis(300);
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!((outcome.all.requests.len(), outcome.errors(ErrorClass::Unfinished)), (100, 100));
    let drained = outcome.started + 800_000_000;
    for request in &outcome.all.requests {
        assert_eq!(request.done.0, drained);
        assert!(request.sent.is_some() && request.first_byte.is_none());
    }
    assert!(outcome.batches.iter().any(|batch| batch.open.len() > 50), "open requests are seen while they are open");
    assert!(outcome.batches.last().unwrap().open.is_empty());
    assert_eq!(outcome.examples().len(), 3, "{:?}", outcome.examples());
    assert_eq!(outcome.examples()[0], "GET /never: open when the load's drain ended, no reply");
}

#[test]
fn replies_that_come_during_the_drain_count() {
    let server = Server::start();
    let outcome = run(visits(&server, "/slow"), &Options::default()).unwrap();
    assert_eq!(outcome.ok(), 100);
    assert!(outcome.latencies()[0] >= 300.0);
    assert!(outcome.all.in_flight_max >= 50);
}

#[test]
fn an_open_ended_load_lasts_as_long_as_the_timeline() {
    let server = Server::start();
    let mut plan = visits(&server, "/fast");
    plan.load[0].stages[0].length = None;
    let mut told = 0;
    let outcome = run_with(plan, &Options::default(), |load, _clock| {
        let at = brunt_scenario::units::Offset(load.started.0 + 250_000_000);
        load.steering().end_timeline(at);
        told = at.0;
    });
    let outcome = outcome.unwrap();
    assert_eq!((outcome.end.scheduled, outcome.ok(), outcome.end.load_ended.0), (50, 50, told));
}

#[test]
fn an_aborted_load_stops_at_once_and_says_what_was_open() {
    let server = Server::start();
    let mut plan = visits(&server, "/never");
    plan.load[0].stages[0].length = None;
    let outcome = run_with(plan, &Options::default(), |load, clock| {
        while clock.now().0 < load.started.0 + 100_000_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        load.steering().abort();
    });
    let outcome = outcome.unwrap();
    assert!((20..60).contains(&outcome.end.scheduled), "{} were due", outcome.end.scheduled);
    assert_eq!(outcome.errors(ErrorClass::Unfinished) as u64, outcome.end.scheduled);
}

#[test]
fn closed_users_wait_for_their_replies_and_think() {
    let server = Server::start();
    let think = Step::Think(Spread::Constant(Duration::from_millis(40)));
    let steps = vec![step(get("/fast")), think, step(get("/fast?again"))];
    let plan = plan(site(&server), steps, Model::Closed, vec![stage(4.0, 0.4), stage(0.0, 0.1)]);
    let outcome = run(plan, &Options { workers: Some(2), ..Options::default() }).unwrap();
    let iterations = outcome.all.iterations.len();
    // At most one iteration every 40 ms for each of the four users.
    assert!((12..=40).contains(&iterations), "{iterations} iterations");
    assert_eq!(outcome.end.scheduled as usize, iterations);
    assert_eq!(outcome.all.in_flight_max, 2, "on each of the two workers");
    for iteration in &outcome.all.iterations {
        let whole = iteration.done.since(iteration.intended);
        assert!(whole >= Duration::from_millis(40));
        assert!(iteration.busy_ns <= (whole - Duration::from_millis(40)).as_nanos() as u64, "thinking is not busy");
    }
    let second = outcome.all.requests.iter().find(|request| request.series == 1).unwrap();
    let late = second.sent.unwrap().since(second.intended);
    assert!(late < Duration::from_millis(20), "sent {late:?} after the think time");
}

#[test]
fn a_service_gets_its_requests_in_turn_and_only_its_ready_instances() {
    let servers = [Server::start(), Server::start(), Server::start()];
    let mut plan = visits(&servers[0], "/fast");
    plan.targets.insert("site".into(), Target::Service("shop".into()));
    let mut known = brunt_scenario::plan::Addresses::default();
    known.services.insert("shop".into(), servers.iter().map(Server::url).collect());
    let outcome = crate::rig::run_known(plan, &known, &Options::default(), |destinations, load, _| {
        assert_eq!(load.workers, 1);
        destinations.set_ready("shop", 1, false);
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.ok(), 100);
    assert_eq!(servers.each_ref().map(Server::count), [50, 0, 50]);
    assert_eq!(outcome.all.requests.iter().filter(|request| request.instance == 2).count(), 50);
}

#[test]
fn the_same_seed_has_the_same_digest_and_the_address_does_not_matter() {
    let digest = |seed, url: &str| {
        let target = Target::Url(Text::literal(url));
        let mut plan = plan(target, vec![step(get("/"))], Model::OpenPoisson, vec![stage(50.0, 3.0)]);
        plan.seed = seed;
        brunt::load::arrivals::schedule_digest(&plan)
    };
    assert_eq!(digest(1, "http://127.0.0.1:1"), digest(1, "http://127.0.0.1:2"));
    assert_ne!(digest(1, "http://127.0.0.1:1"), digest(2, "http://127.0.0.1:1"));
}
