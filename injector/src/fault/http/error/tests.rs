use std::io::Read;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::proxy::lab::{Http, Lab, eventually, fault, http, ms, number, share, text};

const OK: &str = "GET /ok HTTP/1.1\r\n\r\n";
const BAD: &str = "POST /bad HTTP/1.1\r\ncontent-length: 3\r\n\r\nxyz";

fn bad(more: &[(&'static str, brunt_scenario::plan::ParamValue)]) -> StreamFault {
    let mut with = vec![text("path", "/bad*"), text("body", "no")];
    with.extend_from_slice(more);
    fault(KIND, &with)
}

fn replies(client: &mut Http, count: usize) -> Vec<(u16, String)> {
    (0..count).map(|_| client.reply().expect("a reply")).collect()
}

fn says(status: u16, body: &str) -> (u16, String) {
    (status, body.into())
}

#[test]
fn matching_requests_are_answered_and_the_connection_stays_usable() {
    let (address, asked) = http();
    let lab = Lab::new(address);
    let mut client = lab.http();
    assert_eq!(client.ask(BAD), says(200, "POST /bad 3"));
    let refuse = bad(&[]);
    let counters = lab.add("refuse", refuse.clone());
    assert_eq!(client.ask(OK), says(200, "GET /ok 0"));
    assert_eq!(lab.verify(&refuse, &counters), Seen::NotExercised("no matching request came along".into()));
    assert_eq!(client.ask(BAD), says(503, "no"));
    assert_eq!(client.ask(OK), says(200, "GET /ok 0"));
    assert_eq!(client.ask(BAD), says(503, "no"));
    assert_eq!(lab.verify(&refuse, &counters), Seen::Yes("answered 2 requests".into()));
    lab.remove("refuse");
    assert_eq!(client.ask(BAD), says(200, "POST /bad 3"));
    assert_eq!(*asked.lock().unwrap(), ["POST /bad 3", "GET /ok 0", "GET /ok 0", "POST /bad 3"]);
    let stats = &lab.proxy.stats()[0];
    assert_eq!((stats.connections, stats.requests), (1, 4), "those that reached the target");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (address, _) = http();
    let lab = Lab::new(address);
    lab.add("refuse", bad(&[number("status", 429)]));
    let mut client = lab.http();
    client.send(&format!("{BAD}GET /slow HTTP/1.1\r\n\r\n{BAD}{OK}{BAD}"));
    assert_eq!(
        replies(&mut client, 5),
        [says(429, "no"), says(200, "GET /slow 0"), says(429, "no"), says(200, "GET /ok 0"), says(429, "no")]
    );
}

#[test]
fn a_reply_that_was_owed_when_the_fault_came_comes_first() {
    let (address, asked) = http();
    let lab = Lab::new(address);
    let mut client = lab.http();
    client.send("GET /slow HTTP/1.1\r\n\r\n");
    eventually("the target has it", || asked.lock().unwrap().len() == 1);
    lab.add("refuse", bad(&[]));
    client.send(BAD);
    assert_eq!(replies(&mut client, 2), [says(200, "GET /slow 0"), says(503, "no")]);
}

#[test]
fn who_waits_for_a_continue_gets_one_and_then_the_answer() {
    let (address, asked) = http();
    let lab = Lab::new(address);
    lab.add("refuse", bad(&[]));
    let mut client = lab.http();
    client.send("POST /bad HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(client.reply(), Some(says(100, "")));
    client.send("3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.reply(), Some(says(503, "no")));
    client.send("POST /good HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(client.reply(), Some(says(100, "")));
    client.send("abc");
    assert_eq!(client.reply(), Some(says(200, "POST /good 3")));
    assert_eq!(*asked.lock().unwrap(), ["POST /good 3"]);
}

#[test]
fn a_head_request_gets_no_body() {
    let (address, _) = http();
    let lab = Lab::new(address);
    lab.add("refuse", bad(&[]));
    let mut client = lab.http();
    client.send(&format!("HEAD /bad HTTP/1.1\r\n\r\nHEAD /ok HTTP/1.1\r\n\r\n{OK}{BAD}"));
    assert_eq!(client.reply_to(true), Some(says(503, "")));
    assert_eq!(client.reply_to(true), Some(says(200, "")));
    assert_eq!(replies(&mut client, 2), [says(200, "GET /ok 0"), says(503, "no")]);
}

#[test]
fn who_wants_the_connection_closed_sees_it_closed() {
    for request in ["GET /bad HTTP/1.1\r\nconnection: close\r\n\r\n", "GET /bad HTTP/1.0\r\n\r\n"] {
        let (address, _) = http();
        let lab = Lab::new(address);
        lab.add("refuse", bad(&[]));
        let mut client = lab.http();
        client.send(request);
        let mut all = String::new();
        client.reader.read_to_string(&mut all).unwrap();
        assert!(all.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && all.ends_with("\r\n\r\nno"), "{all}");
        assert!(all.contains("connection: close\r\n"), "{all}");
        drop(client);
        eventually("the connection is gone", || lab.proxy.stats()[0].open == 0);
    }
}

#[test]
fn a_request_that_is_being_answered_at_the_removal_is_answered_to_its_end() {
    let (address, asked) = http();
    let lab = Lab::new(address);
    let counters = lab.add("refuse", bad(&[]));
    let mut client = lab.http();
    client.send("POST /bad HTTP/1.1\r\ncontent-length: 10\r\n\r\n01234");
    eventually("it is being answered", || counters.affected.get() == 1);
    lab.remove("refuse");
    client.send("56789");
    assert_eq!(client.reply(), Some(says(503, "no")));
    assert_eq!(client.ask(BAD), says(200, "POST /bad 3"));
    assert_eq!(*asked.lock().unwrap(), ["POST /bad 3"]);
}

#[test]
fn a_slow_wire_slows_the_answers_too() {
    let (address, _) = http();
    let lab = Lab::new(address);
    lab.add("refuse", bad(&[]));
    lab.add("slow", fault("network.latency", &[ms("latency", 60)]));
    let start = std::time::Instant::now();
    assert_eq!(lab.http().ask(BAD), says(503, "no"));
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
}

#[test]
fn requests_outside_the_share_reach_the_target() {
    let (address, asked) = http();
    let lab = Lab::new(address);
    let counters = lab.add("refuse", bad(&[share(0.3)]));
    let mut client = lab.http();
    let refused = (0..200).filter(|_| client.ask(BAD).0 == 503).count();
    assert!((35..85).contains(&refused), "{refused} of 200 at 30 %");
    assert_eq!(asked.lock().unwrap().len(), 200 - refused);
    assert_eq!((counters.seen.get(), counters.affected.get()), (200, refused as u64));
}

#[test]
fn without_its_effect_it_is_found_absent() {
    let (address, _) = http();
    let lab = Lab::new(address);
    let refuse = bad(&[]);
    let counters = lab.add("refuse", refuse.clone().without_effect());
    assert_eq!(lab.http().ask(BAD), says(200, "POST /bad 3"));
    assert!(matches!(lab.verify(&refuse, &counters), Seen::Absent(_)));
}

#[test]
fn a_status_that_is_no_reply_is_refused() {
    let with = Params([number("status", 101)].into());
    let error = from_params(&with).err().unwrap().to_string();
    assert_eq!(error, "http.error: `status: 101` is not between 200 and 599");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any dialogue, pipelined and cut anywhere, while a fault by request comes and goes: as many replies as requests, in
    /// order, each either the target's or ours.
    #[test]
    fn every_request_gets_its_own_reply(
        requests in prop::collection::vec((0usize..6, 0usize..300), 1..30),
        cuts in prop::collection::vec(1usize..400, 1..40),
        switch_every in 1usize..6,
    ) {
        let (address, asked) = http();
        let lab = Lab::new(address);
        let mut stream = String::new();
        let mut expected = Vec::new();
        for (number, (form, size)) in requests.iter().enumerate() {
            let body = "b".repeat(*size);
            let path = if form % 2 == 0 { format!("/bad/{number}") } else { format!("/ok/{number}") };
            stream += &match form / 2 {
                0 => format!("PUT {path} HTTP/1.1\r\ncontent-length: {size}\r\n\r\n{body}"),
                1 if *size > 0 => format!("PUT {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"),
                _ => format!("PUT {path} HTTP/1.1\r\n\r\n"),
            };
            let size = if form / 2 == 2 { 0 } else { *size };
            expected.push((path.clone(), format!("PUT {path} {size}")));
        }
        let mut client = lab.http();
        let writer = client.reader.get_ref().try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = writer;
                let (mut rest, mut active) = (stream.as_bytes(), false);
                for (turn, cut) in cuts.iter().cycle().enumerate() {
                    if rest.is_empty() {
                        break;
                    }
                    if turn % switch_every == 0 {
                        if active { lab.remove("refuse") } else { drop(lab.add("refuse", bad(&[]))) }
                        active = !active;
                    }
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    std::io::Write::write_all(&mut writer, piece).unwrap();
                    rest = after;
                    std::thread::yield_now();
                }
            });
            for (path, echo) in &expected {
                let (status, body) = client.reply().expect("a reply to every request");
                let ours = status == 503 && body == "no" && path.starts_with("/bad");
                assert!(ours || status == 200 && body == *echo, "{status} {body:?} to {path}");
            }
        });
        let reached = asked.lock().unwrap().len();
        assert!(reached <= expected.len());
    }
}
