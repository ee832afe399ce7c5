//! What goes wrong, by the class that a person acts on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use brunt::load::destinations::Destinations;
use brunt::load::{Options, preflight};
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Addresses, Link, LinkTo, Request, Target, Text};

use crate::rig::{get, run, step, visits};
use crate::server::Server;

/// A port that nothing listens on: the kernel gives it to nobody else while it is in use by this connection.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that does `act` with each connection once a request is there.
fn raw_server(act: impl Fn(TcpStream) + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1000];
            if stream.read(&mut request).unwrap() > 0 {
                act(stream);
            }
        }
    });
    Target::Url(Text::literal(url))
}

#[test]
fn a_timeout_counts_from_the_intended_start_and_closes_the_connection() {
    let server = Server::start();
    let mut plan = visits(&server, "/never");
    plan.journeys[0].steps =
        vec![step(Request { timeout: Duration::from_millis(120), ..get("/never") }), step(get("/fast"))];
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!((outcome.all.requests.len(), outcome.errors(ErrorClass::Timeout)), (100, 100));
    let latencies = outcome.latencies();
    assert!(latencies[0] >= 120.0, "not before its time: {}", latencies[0]);
    assert!(latencies[50] < 125.0, "the median ended {} ms after the start", latencies[50]);
    assert_eq!(server.connections(), 100, "none is used again");
    assert_eq!(outcome.examples()[0], "GET /never: no reply after 120ms");
}

#[test]
fn a_refused_connection_is_told_with_its_address() {
    let server = Server::start();
    let address = closed_port();
    let mut plan = visits(&server, "/");
    plan.targets.insert("site".into(), Target::Url(Text::literal(format!("http://{address}"))));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.errors(ErrorClass::ConnectRefused), 100);
    assert_eq!(outcome.examples(), vec![format!("GET /: connection refused by {address}"); 3]);
    let request = outcome.all.requests[0];
    assert_eq!((request.sent, request.instance), (None, u16::MAX));
}

#[test]
fn a_body_that_breaks_off_is_a_reset() {
    let server = Server::start();
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for reply in [&half[..], &chunk[..]] {
        let mut plan = visits(&server, "/");
        plan.targets.insert("site".into(), raw_server(move |mut stream| stream.write_all(reply).unwrap()));
        let outcome = run(plan, &Options::default()).unwrap();
        assert_eq!(outcome.errors(ErrorClass::Reset), 100, "{:?}", outcome.examples());
        assert!(outcome.all.requests[0].first_byte.is_some());
    }
}

#[test]
fn a_connection_that_is_reset_is_a_reset() {
    let server = Server::start();
    let mut plan = visits(&server, "/");
    // Closing with a linger of zero sends RST.
    let reset = |stream: TcpStream| socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    plan.targets.insert("site".into(), raw_server(reset));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.errors(ErrorClass::Reset), 100, "{:?}", outcome.examples());
    assert!(outcome.examples()[0].contains("reset by peer"), "{:?}", outcome.examples());
}

#[test]
fn a_connection_closed_instead_of_a_reply_is_a_reset_and_not_sent_again() {
    let server = Server::start();
    let mut plan = visits(&server, "/");
    plan.targets.insert("site".into(), raw_server(drop));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!((outcome.all.requests.len(), outcome.errors(ErrorClass::Reset)), (100, 100), "{:?}", outcome.examples());
}

#[test]
fn an_idle_connection_that_the_server_closed_is_not_an_error() {
    let server = Server::start();
    let mut plan = visits(&server, "/");
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    // The reply and the end come in one segment. A close that came later could meet the next request on its way, and that
    // one is rightly an error.
    let answer_and_close = move |stream: TcpStream| {
        let stream = socket2::SockRef::from(&stream);
        stream.set_tcp_cork(true).unwrap();
        assert_eq!(stream.send(reply).unwrap(), reply.len());
        stream.shutdown(Shutdown::Write).unwrap();
    };
    plan.targets.insert("site".into(), raw_server(answer_and_close));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.ok(), 100, "{:?}", outcome.examples());
}

#[test]
fn what_is_not_http_is_a_protocol_error() {
    let server = Server::start();
    let mut plan = visits(&server, "/");
    plan.targets.insert("site".into(), raw_server(|mut stream| stream.write_all(b"220 mail.example\r\n").unwrap()));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.errors(ErrorClass::Protocol), 100, "{:?}", outcome.examples());
}

#[test]
fn a_head_above_64_kib_is_a_protocol_error() {
    let server = Server::start();
    let mut plan = visits(&server, "/");
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    plan.targets.insert("site".into(), raw_server(move |mut stream| drop(stream.write_all(head.as_bytes()))));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.errors(ErrorClass::Protocol), 100, "{:?}", outcome.examples());
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_a_tls_error() {
    let server = Server::start_tls(true);
    let mut plan = visits(&server, "/");
    let url = Text::literal(format!("https://localhost:{}", server.address.port()));
    plan.targets.insert("site".into(), Target::Url(url));
    plan.load[0].stages[0].length = Some(Duration::from_millis(50));
    let outcome = run(plan, &Options::default()).unwrap();
    assert_eq!(outcome.errors(ErrorClass::Tls), 10, "{:?}", outcome.examples());
}

#[test]
fn pre_flight_names_every_target_that_cannot_be_reached_and_every_link_that_leads_nowhere() {
    let server = Server::start();
    let address = closed_port();
    let mut plan = visits(&server, "/");
    plan.targets.insert("other".into(), Target::Url(Text::literal(format!("http://{address}"))));
    plan.journeys[0].steps.push(step(Request { id: "x".into(), target: "other".into(), ..get("/") }));
    let to =
        |address: SocketAddr| LinkTo::Address { host: address.ip().to_string(), port: address.port(), https: false };
    let link = |name: &str, address| Link { name: name.into(), to: to(address), listen: None };
    let links = [link("good", server.address), link("wire", address)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let destinations = Destinations::resolve(&plan, &Addresses::default()).await.unwrap();
        preflight::check(&destinations, &links).await.unwrap_err()
    });
    let refused = format!("connection refused by {address}");
    let told = [format!("target `other`: {refused}"), format!("link `wire` leads nowhere: {refused}")];
    assert!(error.to_string().starts_with(&told.join("\n")), "{error}");
    assert!(error.to_string().contains("is it started"), "{error}");
    assert_eq!(server.count(), 0, "no request was sent");
}
