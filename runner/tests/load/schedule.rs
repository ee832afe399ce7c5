//! When requests are sent, and from when their latency counts.

use std::time::Duration;

use brunt::load::Options;
use brunt::load::arrivals::{Arrivals, Change};
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Journey, LOAD_CHANGE, Load, Model, Stage, Step, Target, Text};
use brunt_scenario::units::{Offset, Spread};

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

#[test]
fn workers_change_their_load_at_the_same_instant_whatever_their_number() {
    let server = Server::start();
    let changes = [(200, 3.0), (450, 0.5), (600, 1.0)];
    let change = |at_ms, factor| Change { at: Duration::from_millis(at_ms), factor };
    let poisson = || {
        let steps = vec![step(get("/fast"))];
        plan(site(&server), steps, Model::OpenPoisson, vec![stage(300.0, 0.8)])
    };
    let mut schedule = Arrivals::new(poisson().seed, 0, &poisson().load[0], 0, 1);
    changes.iter().for_each(|(at, factor)| schedule.change(change(*at, *factor)));
    let wanted: Vec<u64> = schedule.map(|due| due.at_ns).collect();
    for workers in 1..=3 {
        let outcome = run_with(poisson(), &Options { workers: Some(workers), ..Options::default() }, |load, _clock| {
            for (at, factor) in changes {
                let at = Offset(load.started.0 + at * 1_000_000);
                load.steering().change(0, factor, at);
            }
        });
        let outcome = outcome.unwrap();
        let mut intended: Vec<u64> =
            outcome.all.arrivals.iter().map(|arrival| arrival.intended.0 - outcome.started).collect();
        intended.sort_unstable();
        assert_eq!(intended, wanted, "{workers} workers");
        assert_eq!((outcome.end.scheduled, outcome.ok()), (wanted.len() as u64, wanted.len()));
    }
}

#[test]
fn a_change_that_is_told_while_the_load_runs_is_in_force_at_its_instant() {
    let server = Server::start();
    let mut plan = visits(&server, "/fast");
    plan.load[0].stages = vec![stage(100.0, 1.0)];
    let mut at = Offset(0);
    let outcome = run_with(plan, &Options { workers: Some(2), ..Options::default() }, |load, clock| {
        while clock.now().0 < load.started.0 + 300_000_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        at = clock.now().after(LOAD_CHANGE);
        load.steering().change(0, 5.0, at);
    });
    let outcome = outcome.unwrap();
    let split = at.since(Offset(outcome.started)).as_secs_f64();
    let before = outcome.all.arrivals.iter().filter(|arrival| arrival.intended < at).count() as f64;
    let after = outcome.all.arrivals.len() as f64 - before;
    assert!((before - 100.0 * split).abs() <= 1.0, "{before} in {split} s");
    assert!((after - 500.0 * (1.0 - split)).abs() <= 1.0, "{after} in {} s", 1.0 - split);
    assert_eq!(outcome.end.scheduled, outcome.all.arrivals.len() as u64);
}

#[test]
fn users_of_a_closed_load_come_and_go_with_its_changes() {
    let server = Server::start();
    let steps = vec![step(get("/fast")), Step::Think(Spread::Constant(Duration::from_millis(10)))];
    let plan = plan(site(&server), steps, Model::Closed, vec![stage(2.0, 0.9)]);
    let outcome = run_with(plan, &Options { workers: Some(1), ..Options::default() }, |load, _clock| {
        load.steering().change(0, 3.0, Offset(load.started.0 + 300_000_000));
        load.steering().change(0, 1.0, Offset(load.started.0 + 600_000_000));
    });
    let outcome = outcome.unwrap();
    let most = |from_ms: u64, to_ms: u64| {
        let span = outcome.started + from_ms * 1_000_000..outcome.started + to_ms * 1_000_000;
        let within = outcome.batches.iter().filter(|batch| span.contains(&batch.upto.0));
        within.map(|batch| batch.in_flight_max).max()
    };
    // A batch is handed over each 50 ms, and users are looked at as often: 200 ms around each change are left out.
    assert_eq!((most(0, 300), most(400, 600), most(800, 2000)), (Some(2), Some(6), Some(2)));
}
