//! How a load entry uses its connections.

use std::time::Duration;

use brunt::load::Options;
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Target, Text};

use crate::rig::{plan_of, run, workers};
use crate::server::Server;

fn load(more: &str) -> String {
    format!("load: {{ main: {{ {more} }} }}\n")
}

#[test]
fn requests_wait_for_one_of_the_few_connections_and_the_wait_is_no_lag() {
    let server = Server::start();
    let text = load("get: /slow, max_per_host: 2, rate: 200/s, for: 50ms, drain: 60s");
    for count in [1, 2, 5] {
        let outcome = run(plan_of(&server.url(), &text), &workers(count)).unwrap();
        assert_eq!(outcome.ok(), 10, "{:?}", outcome.examples());
        // Five pairs, 300 ms each.
        let latencies = outcome.latencies();
        assert!(latencies[9] >= 1400.0, "{latencies:?}");
        let last = outcome.all.requests.iter().max_by_key(|request| request.queued_ns).unwrap();
        assert!(last.queued_ns >= 1_100_000_000, "queued {} ns", last.queued_ns);
        let mut lags: Vec<u64> = outcome.all.arrivals.iter().map(|arrival| arrival.lag_ns).collect();
        lags.sort_unstable();
        assert!(lags[5] < 100_000_000, "{lags:?}");
    }
    assert_eq!(server.connections(), 6, "two in each of the three runs");
}

#[test]
fn who_came_first_is_served_first() {
    let server = Server::start();
    let text = load("get: /turns, max_per_host: 1, rate: 500/s, for: 100ms, drain: 60s");
    let outcome = run(plan_of(&server.url(), &text), &workers(1)).unwrap();
    let mut requests = outcome.all.requests.clone();
    requests.sort_by_key(|request| request.intended);
    assert_eq!((requests.len(), server.connections()), (50, 1));
    assert!(requests.windows(2).all(|pair| pair[0].sent <= pair[1].sent));
}

#[test]
fn a_request_whose_time_is_over_while_it_waits_leaves_the_queue() {
    let server = Server::start();
    // Two users and one connection: when the first has its slow reply, the second's slow request is before its next one.
    let text = "journeys: { j: { steps: [ { get: /slow }, { get: /turns, timeout: 200ms } ] } }\n\
                load: { main: { journey: j, users: 2, max_per_host: 1, for: 100ms, drain: 60s } }\n";
    let outcome = run(plan_of(&server.url(), text), &workers(1)).unwrap();
    assert_eq!(outcome.errors(ErrorClass::Timeout), 1, "{:?}", outcome.examples());
    assert_eq!(outcome.examples(), ["GET /turns: still waiting for a connection after 200ms"]);
    let late = outcome.all.requests.iter().find(|request| request.error.is_some()).unwrap();
    assert!(late.sent.is_none() && late.queued_ns >= 199_000_000);
    assert_eq!((outcome.ok(), server.connections()), (3, 1), "who came after it was served on the same connection");
}

#[test]
fn a_connection_carries_as_many_requests_as_it_may() {
    for (reuse, connections) in [("never", 12), ("5", 3), ("always", 1)] {
        let server = Server::start();
        let text = load(&format!("get: /turns, max_per_host: 1, reuse: {reuse}, rate: 1000/s, for: 12ms"));
        let outcome = run(plan_of(&server.url(), &text), &workers(1)).unwrap();
        assert_eq!((outcome.ok(), server.connections()), (12, connections), "{reuse}: {:?}", outcome.examples());
        let told = server.requests().iter().filter(|line| line.contains("connection=close")).count();
        assert_eq!(told, 12 / if reuse == "5" { 5 } else { 12 / connections } * usize::from(reuse != "always"));
    }
}

#[test]
fn an_old_connection_takes_no_further_request() {
    let server = Server::start();
    let text = load("get: /turns, users: 1, max_age: 100ms, for: 550ms");
    let outcome = run(plan_of(&server.url(), &text), &workers(1)).unwrap();
    assert_eq!(outcome.ok(), outcome.all.requests.len(), "{:?}", outcome.examples());
    assert!((2..=6).contains(&server.connections()), "{} connections in 550 ms", server.connections());
    let opened = outcome.all.requests.iter().filter(|request| request.connect_ns > 0).count();
    assert_eq!(opened, server.connections());
}

#[test]
fn a_load_with_wishes_has_connections_of_its_own() {
    let server = Server::start();
    let text = "load:\n  polite: { get: /turns?polite, users: 1, for: 200ms }\n  \
                rude: { get: /turns?rude, reuse: never, rate: 100/s, for: 200ms }\n";
    let outcome = run(plan_of(&server.url(), text), &workers(1)).unwrap();
    assert_eq!(outcome.ok(), outcome.all.requests.len());
    assert_eq!(server.connections(), 21, "twenty and the one that is kept");
}

fn over_http2(more: &str) -> (crate::rig::Outcome, Server) {
    let server = Server::start_tls(true);
    let mut plan = plan_of("https://localhost:1", &load(more));
    let url = Text::literal(format!("https://localhost:{}", server.address.port()));
    plan.targets.insert("site".into(), Target::Url(url));
    let outcome = run(plan, &Options { insecure: true, ..workers(1) }).unwrap();
    (outcome, server)
}

#[test]
fn over_http2_the_limit_is_one_of_connections_and_their_streams_make_a_queue() {
    let more = "get: /slow, max_per_host: 1, rate: 2000/s, for: 75ms, drain: 60s";
    let (outcome, server) = over_http2(more);
    assert_eq!((outcome.ok(), server.connections()), (150, 1), "{:?}", outcome.examples());
    let latencies = outcome.latencies();
    assert!(latencies[149] >= 500.0, "a hundred at once, then the others: {}", latencies[149]);
    let queued =
        outcome.all.requests.iter().filter(|request| request.queued_ns >= Duration::from_millis(150).as_nanos() as u64);
    assert!(queued.count() >= 40);
}

#[test]
fn over_http2_a_connection_carries_as_many_requests_as_it_may() {
    let (outcome, server) = over_http2("get: /turns, reuse: 10, rate: 500/s, for: 200ms");
    assert_eq!((outcome.ok(), server.connections()), (100, 10), "{:?}", outcome.examples());
}
