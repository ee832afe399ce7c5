//! Steps that ask again until the reply is as wanted.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use brunt_report::sample::ErrorClass;

use crate::rig::{Outcome, plan_of, run, workers};
use crate::server::Server;

/// Ten iterations, each with a URL of its own.
fn ask(server: &Server, path: &str, until: &str) -> Outcome {
    let text = format!(
        "load: {{ main: {{ get: '{path}&id={{{{ iteration }}}}', retry_until: {{ {until} }}, rate: 100/s, for: 100ms }} }}\n"
    );
    run(plan_of(&server.url(), &text), &workers(1)).unwrap()
}

#[test]
fn the_step_lasts_until_the_first_reply_as_wanted_and_every_request_is_counted() {
    let server = Server::start();
    let outcome = ask(&server, "/turns?on=3", "body: { $.state: paid }, within: 10s, every: 40ms");
    assert_eq!((outcome.ok(), outcome.all.requests.len()), (10, 10), "{:?}", outcome.examples());
    assert_eq!((server.count(), outcome.all.repeats.len()), (30, 20));
    let latencies = outcome.latencies();
    assert!(latencies[0] >= 80.0, "two pauses of 40 ms are part of it: {latencies:?}");
    for request in &outcome.all.requests {
        let again =
            outcome.all.repeats.iter().filter(|repeat| repeat.at > request.intended && repeat.at <= request.done);
        assert!(again.count() >= 2);
        let sent = request.sent.unwrap();
        assert!(sent.0 - request.intended.0 >= 80_000_000, "what was sent last is the request of the wanted reply");
    }
    assert!(outcome.all.repeats.iter().all(|repeat| !repeat.warmup && repeat.series == 0));
}

#[test]
fn what_is_not_wanted_in_time_is_a_failed_check_that_shows_the_last_reply() {
    let server = Server::start();
    let outcome = ask(&server, "/turns?on=999", "body: { $.state: paid }, within: 190ms, every: 50ms");
    assert_eq!((outcome.errors(ErrorClass::Check), outcome.all.requests.len()), (10, 10), "{:?}", outcome.examples());
    assert!(outcome.latencies()[0] >= 190.0, "{:?}", outcome.latencies());
    assert_eq!(server.count(), 10 + outcome.all.repeats.len());
    assert!((20..=30).contains(&outcome.all.repeats.len()), "at 50, 100 and 150 ms: {}", outcome.all.repeats.len());
    let example = outcome.examples()[0].to_owned();
    assert!(example.contains("not as wanted within 190ms"), "{example}");
    assert!(example.ends_with("the last reply: `$.state` is \"open\", not as expected"), "{example}");
}

#[test]
fn an_error_is_asked_again_and_a_status_can_be_what_is_wanted() {
    let server = Server::start();
    let appears = ask(&server, "/turns?on=2&first=404", "status: 200, within: 10s, every: 20ms");
    assert_eq!((appears.ok(), appears.all.repeats.len()), (10, 10), "{:?}", appears.examples());
    let vanishes = ask(&server, "/turns?on=2&then=404&x=1", "status: [404, 410], within: 10s, every: 20ms");
    assert_eq!((vanishes.ok(), vanishes.all.repeats.len()), (10, 10), "{:?}", vanishes.examples());
}

#[test]
fn a_step_that_does_not_wait_for_a_body_takes_what_is_wanted_at_once() {
    let server = Server::start();
    let outcome = ask(&server, "/turns?on=1", "status: 200, within: 10s, every: 5s");
    assert_eq!((outcome.ok(), outcome.all.repeats.len()), (10, 0));
    assert!(outcome.latencies()[5] < 1000.0);
}

#[test]
fn a_connection_that_breaks_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1000];
            let read = stream.read(&mut request).unwrap();
            if read > 0 && seen.fetch_add(1, Ordering::Relaxed) >= 2 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").unwrap();
            }
        }
    });
    let text =
        "load: { main: { get: /, retry_until: { status: 200, within: 20s, every: 20ms }, rate: 10/s, for: 100ms } }\n";
    let outcome = run(plan_of(&url, text), &workers(1)).unwrap();
    assert_eq!((outcome.ok(), outcome.all.repeats.len()), (1, 2), "{:?}", outcome.examples());
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[test]
fn a_step_that_still_asks_when_the_drain_ends_is_unfinished() {
    let server = Server::start();
    let text = "load: { main: { get: '/turns?on=999', drain: 100ms, rate: 100/s, for: 50ms,\n\
                retry_until: { body: { $.state: paid }, within: 30s, every: 20ms } } }\n";
    let outcome = run(plan_of(&server.url(), text), &workers(1)).unwrap();
    assert_eq!((outcome.errors(ErrorClass::Unfinished), outcome.all.requests.len()), (5, 5));
}
