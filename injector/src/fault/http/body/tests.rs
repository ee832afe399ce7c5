use std::net::SocketAddr;

use brunt_scenario::plan::ParamValue;
use proptest::prelude::*;

use super::*;
use crate::proxy::lab::{
    Asked, Http, Lab, echo, eventually, fault, http, http_saying, round_trip, share, size, text, word,
};

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

/// A target whose replies have every framing there is.
fn target() -> (SocketAddr, Asked) {
    http_saying(|method, path| match (method, path) {
        ("HEAD", _) => format!("{HEAD}content-length: 10\r\n\r\n"),
        (_, "/none") => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        (_, "/same") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n".into(),
        (_, "/empty") => format!("{HEAD}content-length: 0\r\n\r\n"),
        (_, "/chunked") => {
            format!(
                "{HEAD}transfer-encoding: chunked\r\ntrailer: sum\r\n\r\n4;x=1\r\n0123\r\n6\r\n456789\r\n0\r\nsum: 45\r\n\r\n"
            )
        }
        (_, "/gzip") => format!("{HEAD}content-encoding: gzip\r\ncontent-length: 10\r\n\r\n0123456789"),
        (_, "/close") => format!("{HEAD}connection: close\r\n\r\n0123456789"),
        _ => format!("{HEAD}content-length: 10\r\n\r\n0123456789"),
    })
}

fn ask(client: &mut Http, method: &str, path: &str) -> (Vec<String>, String) {
    client.send(&format!("{method} {path} HTTP/1.1\r\n\r\n"));
    read(client, method == "HEAD")
}

fn read(client: &mut Http, bodyless: bool) -> (Vec<String>, String) {
    let (mut head, body) = client.whole(bodyless).expect("a reply");
    (head.split_off(1), String::from_utf8(body).unwrap())
}

fn is(fields: &[&str], body: &str) -> (Vec<String>, String) {
    (fields.iter().map(|field| (*field).to_owned()).collect(), body.to_owned())
}

fn replace(with: &str) -> StreamFault {
    fault(KIND, &[text("replace", with)])
}

fn truncate(to: u64) -> StreamFault {
    fault(KIND, &[size("truncate", to)])
}

#[test]
fn bodies_of_matching_replies_are_replaced_and_then_no_more() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    let oops = fault(KIND, &[text("replace", "oops"), text("path", "/a"), word("method", "GET")]);
    let counters = lab.add("oops", oops.clone());
    assert_eq!(ask(&mut client, "GET", "/b"), is(&["content-length: 10"], "0123456789"));
    assert_eq!(ask(&mut client, "POST", "/a"), is(&["content-length: 10"], "0123456789"));
    assert_eq!(lab.verify(&oops, &counters), Seen::NotExercised("no matching body came along".into()));
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "GET", "/a"), is(&["content-length: 4"], "oops"));
    }
    assert_eq!(lab.verify(&oops, &counters), Seen::Yes("changed 2 bodies".into()));
    lab.remove("oops");
    assert_eq!(ask(&mut client, "GET", "/a"), is(&["content-length: 10"], "0123456789"));
}

#[test]
fn a_replaced_body_is_framed_by_its_length_whatever_the_old_one_was() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    lab.add("oops", replace("oops"));
    for path in ["/chunked", "/gzip", "/empty"] {
        assert_eq!(ask(&mut client, "GET", path), is(&["content-length: 4"], "oops"), "{path}");
    }
    assert_eq!(ask(&mut client, "GET", "/close"), is(&["content-length: 4", "connection: close"], "oops"));
}

#[test]
fn a_cut_body_keeps_its_framing() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    let cut = truncate(6);
    let counters = lab.add("cut", cut.clone());
    assert_eq!(ask(&mut client, "GET", "/a"), is(&["content-length: 6"], "012345"));
    let chunked = ["transfer-encoding: chunked", "trailer: sum"];
    assert_eq!(ask(&mut client, "GET", "/chunked"), is(&chunked, "012345"));
    assert_eq!(ask(&mut client, "GET", "/gzip"), is(&["content-encoding: gzip", "content-length: 6"], "012345"));
    assert_eq!(ask(&mut client, "GET", "/close"), is(&["connection: close"], "012345"));
    assert_eq!(lab.verify(&cut, &counters), Seen::Yes("changed 4 bodies".into()));
}

#[test]
fn what_is_not_longer_than_the_cut_is_untouched_and_counts_as_nothing() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    let cut = truncate(10);
    let counters = lab.add("cut", cut.clone());
    assert_eq!(ask(&mut client, "GET", "/a"), is(&["content-length: 10"], "0123456789"));
    let chunked = ["transfer-encoding: chunked", "trailer: sum", "sum: 45"];
    assert_eq!(ask(&mut client, "GET", "/chunked"), is(&chunked, "0123456789"));
    assert_eq!(lab.verify(&cut, &counters), Seen::NotExercised("no matching and longer body came along".into()));
}

#[test]
fn replies_without_a_body_are_untouched() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    let counters = lab.add("oops", replace("oops"));
    lab.add("cut", truncate(1));
    assert_eq!(ask(&mut client, "HEAD", "/a"), is(&["content-length: 10"], ""));
    assert_eq!(ask(&mut client, "GET", "/none"), is(&[], ""));
    assert_eq!(ask(&mut client, "GET", "/same"), is(&["content-length: 10"], ""));
    assert_eq!(counters.seen.get(), 0);
    assert_eq!(ask(&mut client, "GET", "/empty"), is(&["content-length: 4"], "oops"));
}

#[test]
fn a_body_that_is_being_cut_at_the_removal_is_cut_to_its_end_and_the_connection_goes_on() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let address = crate::proxy::lab::server(move |mut socket| {
        use std::io::{Read, Write};
        let mut request = [0; 18];
        while socket.read_exact(&mut request).is_ok() {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234").unwrap();
            gone.lock().unwrap().recv().unwrap();
            socket.write_all(b"56789").unwrap();
        }
    });
    let lab = Lab::new(address);
    let mut client = lab.http();
    lab.add("cut", truncate(2));
    client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(read(&mut client, false), is(&["content-length: 2"], "01"));
    lab.remove("cut");
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(read(&mut client, false), is(&["content-length: 10"], "0123456789"));
}

#[test]
fn a_target_that_breaks_off_in_a_changed_body_ends_the_connection() {
    let (address, _) = http_saying(|_, _| format!("{HEAD}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense"));
    let lab = Lab::new(address);
    lab.add("oops", replace("oops"));
    let mut client = lab.http();
    assert_eq!(ask(&mut client, "GET", "/"), is(&["content-length: 4"], "oops"));
    assert_eq!(client.reply(), None, "nothing of the nonsense comes");
}

#[test]
fn replies_outside_the_share_are_untouched() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let mut client = lab.http();
    let counters = lab.add("cut", fault(KIND, &[size("truncate", 3), share(0.3)]));
    let cut = (0..200).filter(|_| ask(&mut client, "GET", "/a").1 == "012").count();
    assert!((35..85).contains(&cut), "{cut} of 200 at 30 %");
    assert_eq!((counters.seen.get(), counters.affected.get()), (200, cut as u64));
}

#[test]
fn an_answer_of_another_fault_can_be_changed_too() {
    let (address, _) = target();
    let lab = Lab::new(address);
    lab.add("oops", replace("oops"));
    lab.add("refuse", fault("http.error", &[]));
    let mut client = lab.http();
    client.send("GET /a HTTP/1.1\r\n\r\n");
    let (head, body) = client.whole(false).unwrap();
    assert_eq!((head[0].as_str(), body.as_slice()), ("HTTP/1.1 503 Service Unavailable", &b"oops"[..]));
}

#[test]
fn what_is_no_http_and_what_follows_an_upgrade_is_untouched() {
    let lab = Lab::new(echo());
    lab.add("oops", replace("oops"));
    let mut client = lab.connect();
    for words in [&b"\x16\x03\x01 hello"[..], b"HTTP/1.1 200 OK\r\n\r\n", b"H"] {
        round_trip(&mut client, words);
    }
    // What looks like the beginning of a reply is not kept from a client that has asked for nothing.
    round_trip(&mut lab.connect(), b"HT");
    let (address, _) = http();
    let lab = Lab::new(address);
    lab.add("oops", replace("oops"));
    let mut client = lab.http();
    client.send("GET /upgrade HTTP/1.1\r\nupgrade: echo\r\n\r\n");
    assert_eq!(client.reply(), Some((101, String::new())));
    round_trip(client.reader.get_mut(), b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
}

#[test]
fn without_its_effect_it_is_found_absent() {
    let (address, _) = target();
    let lab = Lab::new(address);
    let counters = lab.add("oops", replace("oops").without_effect());
    assert_eq!(ask(&mut lab.http(), "GET", "/a").1, "0123456789");
    assert!(matches!(lab.verify(&replace("oops"), &counters), Seen::Absent(_)));
}

#[test]
fn one_of_the_two_must_be_given() {
    let error = |with: &[(&'static str, ParamValue)]| {
        from_params(&Params(with.iter().cloned().collect())).err().expect("refused").to_string()
    };
    assert!(error(&[]).contains("it needs `replace`"));
    assert!(error(&[text("replace", "x"), size("truncate", 1)]).contains("exclude each other"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However the target cuts its reply, it is cut to the same bytes, and the one behind it is whole.
    #[test]
    fn a_cut_does_not_depend_on_how_the_reply_comes(
        chunks in prop::collection::vec(1usize..40, 0..6),
        to in 0u64..120,
        pieces in prop::collection::vec(1usize..60, 1..20),
    ) {
        use std::io::Write;
        let body: String = ('a'..='z').cycle().take(chunks.iter().sum()).collect();
        let (mut rest, mut reply) = (body.as_str(), format!("{HEAD}transfer-encoding: chunked\r\n\r\n"));
        for size in &chunks {
            let (chunk, after) = rest.split_at(*size);
            reply += &format!("{size:x}\r\n{chunk}\r\n");
            rest = after;
        }
        reply += "0\r\n\r\n";
        reply += &format!("{HEAD}content-length: 3\r\n\r\nend");
        let address = crate::proxy::lab::server(move |mut socket| {
            std::io::Read::read_exact(&mut socket, &mut [0; 40]).unwrap();
            let mut rest = reply.as_bytes();
            for size in pieces.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                socket.write_all(piece).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
                std::thread::yield_now();
            }
            let _ = std::io::Read::read(&mut socket, &mut [0; 1]);
        });
        let lab = Lab::new(address);
        let counters = lab.add("cut", fault(KIND, &[size("truncate", to), text("path", "/a")]));
        let mut client = lab.http();
        client.send("GET /a HTTP/1.1\r\n\r\nGET /end HTTP/1.1\r\n\r\n");
        let (_, cut) = read(&mut client, false);
        prop_assert_eq!(&cut, &body[..body.len().min(to as usize)]);
        prop_assert_eq!(read(&mut client, false).1, "end");
        eventually("it is counted", || (counters.affected.get() == 1) == (body.len() as u64 > to));
    }
}
