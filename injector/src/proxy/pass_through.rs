//! Byte-exact pass-through: whatever is sent in whatever pieces, both ways, while faults that destroy nothing come and go,
//! arrives as it was.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::ParamValue;
use proptest::prelude::*;

use super::lab::{Lab, echo, fault, ms, names, pairs, round_trip, server, share, size, text, word};

type Kind = (&'static str, &'static str, Vec<(&'static str, ParamValue)>);

/// Faults that change no byte: delays, thin wires and slices, and faults by request that hit nothing.
fn harmless() -> Vec<Kind> {
    let nowhere = || text("path", "/nowhere");
    vec![
        ("slow", "network.latency", vec![ms("latency", 4), ms("jitter", 4), word("direction", "both")]),
        ("slower", "network.latency", vec![ms("latency", 7), ms("jitter", 7), word("direction", "to")]),
        ("cut", "network.partition", vec![word("direction", "both")]),
        ("deaf", "network.partition", vec![word("direction", "from")]),
        ("thin", "network.bandwidth", vec![("rate", ParamValue::Bandwidth(20_000_000))]),
        ("sliced", "tcp.slicer", vec![size("size", 777), ms("delay", 1)]),
        ("requests", "http.latency", vec![ms("latency", 3), ms("jitter", 2)]),
        ("some-requests", "http.latency", vec![ms("latency", 9), share(0.3)]),
        ("error", "http.error", vec![nowhere()]),
        ("abort", "http.abort", vec![share(0.0)]),
        ("replace", "http.body", vec![text("replace", "x"), share(0.0)]),
        ("truncate", "http.body", vec![size("truncate", 3), nowhere()]),
        ("header", "http.header", vec![pairs("set", &[("a", "b")]), names("remove", &["etag"]), share(0.0)]),
        ("no-header", "http.header", vec![names("remove", &["etag"]), nowhere()]),
    ]
}

/// Adds and removes faults as `changes` say, each after some milliseconds, and removes what is left at the end.
fn come_and_go(lab: &Lab, changes: &[(usize, u64)]) {
    let kinds = harmless();
    let mut active = vec![false; kinds.len()];
    for (which, wait) in changes {
        let which = which % kinds.len();
        let (id, kind, with) = &kinds[which];
        active[which] = !active[which];
        if active[which] {
            lab.add(id, fault(kind, with));
        } else {
            lab.remove(id);
        }
        std::thread::sleep(Duration::from_millis(*wait));
    }
    kinds.iter().for_each(|(id, ..)| lab.remove(id));
}

/// Sends `all` in pieces of these sizes, over and over, with a pause after some.
fn send(mut socket: &TcpStream, mut all: &[u8], pieces: &[(usize, u64)]) {
    for (size, wait) in pieces.iter().cycle() {
        if all.is_empty() {
            return;
        }
        let (piece, rest) = all.split_at((*size).min(all.len()));
        socket.write_all(piece).unwrap();
        all = rest;
        if *wait > 0 {
            std::thread::sleep(Duration::from_millis(*wait));
        }
    }
}

fn assert_same(what: &str, got: &[u8], expected: &[u8]) {
    let same = got.iter().zip(expected).take_while(|(one, other)| one == other).count();
    assert!(got == expected, "{what}: {} of {} bytes, the first {same} as they were", got.len(), expected.len());
}

/// A request and its reply, of every form there is; `form` and `length` choose.
fn exchange(number: usize, form: usize, length: usize) -> (String, String) {
    let body: String = ('a'..='z').cycle().skip(number % 26).take(length).collect();
    let chunked = match length {
        0 => "0\r\n\r\n".to_owned(),
        _ => format!("{length:X};name=value\r\n{body}\r\n0\r\nx-sum: {length}\r\n\r\n"),
    };
    let request = match form % 5 {
        0 => format!("GET /a/{number} HTTP/1.1\r\nhost: x\r\n\r\n"),
        1 => format!("POST /b/{number} HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}"),
        2 => format!("PUT /c/{number} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
        3 => format!("HEAD /d/{number} HTTP/1.1\r\n\r\n"),
        _ => format!("\r\nPOST /e/{number} HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: {length}\r\n\r\n{body}"),
    };
    let reply = match (form % 5, form / 5 % 4) {
        (3, _) => format!("HTTP/1.1 200 OK\r\netag: {number}\r\ncontent-length: {length}\r\n\r\n"),
        (4, _) => {
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{body}")
        }
        (_, 0) => format!("HTTP/1.1 200 OK\r\nETag: {number}\r\nContent-Length: {length}\r\n\r\n{body}"),
        (_, 1) => format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"),
        (_, 2) => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        _ => format!("HTTP/1.1 304 Not Modified\r\ncontent-length: {length}\r\n\r\n"),
    };
    (request, reply)
}

/// A server that reads each request to its last byte, then sends its reply in pieces; what it reads must be what was sent.
fn answering(dialogue: Arc<Vec<(String, String)>>, pieces: Vec<(usize, u64)>) -> SocketAddr {
    server(move |mut socket| {
        for (request, reply) in dialogue.iter() {
            let mut got = vec![0; request.len()];
            if socket.read_exact(&mut got).is_err() {
                return;
            }
            // A panic here ends the connection, which the client notices.
            assert_same("a request", &got, request.as_bytes());
            send(&socket, reply.as_bytes(), &pieces);
        }
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert_same("behind the last request", &rest, b"");
    })
}

fn pieces(largest: usize) -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop::collection::vec((1..largest, prop::sample::select(vec![0u64, 0, 0, 1, 3])), 1..30)
}

fn changes() -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop::collection::vec((0usize..64, 0u64..8), 0..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Data of no protocol, both ways at once.
    #[test]
    fn opaque_bytes_arrive_as_they_were_while_faults_come_and_go(
        seed in any::<u64>(),
        length in 1usize..400_000,
        pieces in pieces(20_000),
        changes in changes(),
    ) {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        // Made before the first cut: one that hangs is forgotten when its client closes. And no HTTP.
        round_trip(&mut client, b"\x00made");
        let expected: Vec<u8> = (0..length as u64).map(|place| (seed.wrapping_mul(place | 1) >> 29) as u8).collect();
        std::thread::scope(|scope| {
            let mut reader = client.try_clone().unwrap();
            let received = scope.spawn(move || {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).map(|_| all)
            });
            scope.spawn(|| come_and_go(&lab, &changes));
            send(&client, &expected, &pieces);
            client.shutdown(Shutdown::Write).unwrap();
            assert_same("an echo", &received.join().unwrap().unwrap(), &expected);
        });
    }

    /// Pipelined HTTP/1.1 of every framing, both ways, in pieces that are cut anywhere.
    #[test]
    fn http_arrives_as_it_was_while_faults_that_hit_nothing_come_and_go(
        forms in prop::collection::vec((0usize..20, prop::sample::select(vec![0usize, 1, 2, 17, 300, 5000])), 1..40),
        sent in pieces(600),
        answered in pieces(600),
        changes in changes(),
    ) {
        let dialogue: Vec<_> =
            forms.iter().enumerate().map(|(number, (form, length))| exchange(number, *form, *length)).collect();
        let requests: String = dialogue.iter().map(|(request, _)| request.as_str()).collect();
        let replies: String = dialogue.iter().map(|(_, reply)| reply.as_str()).collect();
        let lab = Lab::new(answering(Arc::new(dialogue), answered));
        // Connected before the first fault, for the same reason.
        let client = lab.connect();
        super::lab::eventually("it is made", || lab.proxy.stats()[0].open == 1);
        let (first, rest) = requests.as_bytes().split_at(1);
        (&client).write_all(first).unwrap();
        super::lab::eventually("it reaches the server", || lab.proxy.stats()[0].bytes_to == 1);
        std::thread::scope(|scope| {
            let mut reader = client.try_clone().unwrap();
            let received = scope.spawn(move || {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).map(|_| all)
            });
            scope.spawn(|| come_and_go(&lab, &changes));
            send(&client, rest, &sent);
            client.shutdown(Shutdown::Write).unwrap();
            assert_same("the replies", &received.join().unwrap().unwrap(), replies.as_bytes());
        });
        prop_assert_eq!(lab.proxy.stats()[0].bytes_to, requests.len() as u64);
    }
}
