//! The proxy without faults, and bytes that survive faults that come and go.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use super::budget::{BUDGET, FLOOR};
use super::lab::{
    LINK, Lab, allow_many_descriptors, echo, echo_of_many, eventually, fault, http, is_reset, ms, names, round_trip,
    server, text, word,
};
use super::*;

#[test]
fn bytes_pass_both_ways_and_are_counted() {
    let lab = Lab::new(echo());
    let mut client = lab.connect();
    round_trip(&mut client, b"hello");
    round_trip(&mut client, &vec![7; 300_000]);
    let stats = &lab.proxy.stats()[0];
    assert_eq!((stats.connections, stats.open, stats.requests), (1, 1, 0));
    assert_eq!((stats.bytes_to, stats.bytes_from), (300_005, 300_005));
    drop(client);
    eventually("the connection is gone", || lab.proxy.stats()[0].open == 0);
}

#[test]
fn a_half_close_is_passed_on_and_the_reply_still_comes_back() {
    let lab = Lab::new(server(|mut socket| {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        socket.write_all(format!("got {}", all.len()).as_bytes()).unwrap();
    }));
    let mut client = lab.connect();
    client.write_all(&[1; 1000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "got 1000");
}

#[test]
fn a_client_is_reset_at_once_when_the_upstream_refuses() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lab = Lab::new(free);
    assert!(is_reset(&mut lab.connect()));
    eventually("the refusal is counted", || lab.proxy.stats()[0].refused == 1);
}

#[test]
fn a_reset_of_the_server_reaches_the_client_behind_the_bytes_before_it() {
    let lab = Lab::new(server(|mut socket| {
        socket.read_exact(&mut [0; 1]).unwrap();
        socket.write_all(b"last words").unwrap();
        // Long enough for the proxy to have read them: a reset discards what is still in flight.
        std::thread::sleep(Duration::from_millis(50));
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }));
    let slow = fault("network.latency", &[ms("latency", 150)]);
    lab.add("slow", slow);
    let mut client = lab.connect();
    client.write_all(b"?").unwrap();
    let mut words = [0; 10];
    client.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"last words");
    assert!(is_reset(&mut client));
}

#[test]
fn a_reset_of_the_client_reaches_the_server() {
    let (tell, told) = mpsc::channel();
    let lab = Lab::new(server(move |mut socket| {
        socket.read_exact(&mut [0; 1]).unwrap();
        tell.send(socket.read(&mut [0; 1]).map_err(|error| error.kind())).unwrap();
    }));
    let mut client = lab.connect();
    client.write_all(b"?").unwrap();
    eventually("the byte has passed", || lab.proxy.stats()[0].bytes_to == 1);
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), Err(io::ErrorKind::ConnectionReset));
}

/// Runs the test of this name in a process of its own, whose memory is nobody else's. True in that process.
fn is_alone(name: &str) -> bool {
    const ALONE: &str = "BRUNT_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = std::process::Command::new(std::env::current_exe().unwrap());
    let output =
        own.args([&format!("proxy::tests::{name}"), "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn a_sender_is_slowed_down_to_its_receiver_and_the_process_stays_below_64_megabytes() {
    if !is_alone("a_sender_is_slowed_down_to_its_receiver_and_the_process_stays_below_64_megabytes") {
        return;
    }
    for slow in [false, true] {
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let lab = Lab::new(server(move |mut socket| {
            gone.lock().unwrap().recv().unwrap();
            let _ = std::io::copy(&mut socket, &mut io::sink());
        }));
        if slow {
            lab.add("slow", fault("network.latency", &[ms("latency", 100), word("direction", "to")]));
        }
        let client = lab.connect();
        client.set_nonblocking(true).unwrap();
        // The proxy, two sockets' buffers: after those nothing more is taken.
        let mut sent = 0;
        let mut quiet = 0;
        while quiet < 300 {
            match (&client).write(&[1; 65536]) {
                Ok(n) => (sent, quiet) = (sent + n, 0),
                Err(_) => {
                    quiet += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(sent < 60 << 20, "{sent} bytes were taken though nobody reads them");
        }
        let taken = lab.proxy.stats()[0].bytes_to;
        assert!(resident() < 64_000_000, "the process has {} bytes", resident());
        // All of it arrives once it is read.
        go.send(()).unwrap();
        drop(client);
        eventually("the rest has passed", || lab.proxy.stats()[0].open == 0);
        assert_eq!(lab.proxy.stats()[0].bytes_to, sent as u64, "of which {taken} went before the server read");
    }
}

/// Sends until nothing has been taken for a while.
fn flood(clients: &[TcpStream]) {
    clients.iter().for_each(|client| client.set_nonblocking(true).unwrap());
    let mut quiet = 0;
    while quiet < 200 {
        quiet += 1;
        for mut client in clients {
            while client.write(&[1; 65536]).is_ok() {
                quiet = 0;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn deaf() -> SocketAddr {
    server(|mut socket| {
        let _ = std::io::copy(&mut socket, &mut io::sink());
    })
}

#[test]
fn a_flood_through_a_delay_is_held_up_to_half_of_the_budget_and_no_further() {
    let lab = Lab::new(deaf());
    let counters = lab.add("slow", fault("network.latency", &[ms("latency", 60_000), word("direction", "to")]));
    flood(&[lab.connect()]);
    let held = counters.bytes_held.get() as usize;
    assert!((BUDGET / 2 - (1 << 20)..=BUDGET / 2).contains(&held), "held {held}");
}

#[test]
fn many_floods_share_the_budget_and_leave_room_for_a_newcomer() {
    let lab = Lab::new(deaf());
    let counters = lab.add("slow", fault("network.latency", &[ms("latency", 60_000), word("direction", "to")]));
    let clients: Vec<_> = (0..30).map(|_| lab.connect()).collect();
    flood(&clients);
    let held = counters.bytes_held.get() as usize;
    assert!((BUDGET * 8 / 10..=BUDGET + 30 * FLOOR).contains(&held), "held {held}");
    let before = held;
    flood(&[lab.connect()]);
    let newcomer = counters.bytes_held.get() as usize - before;
    assert!(newcomer >= FLOOR / 2, "the newcomer could send {newcomer}");
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn requests_that_reach_the_upstream_are_counted() {
    let lab = Lab::new(echo());
    let mut client = lab.connect();
    for _ in 0..3 {
        round_trip(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    assert_eq!(lab.proxy.stats()[0].requests, 1, "after an echo that is no reply nothing is parsed");
    let mut client = lab.connect();
    client.write_all(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGE").unwrap();
    eventually("both are counted", || lab.proxy.stats()[0].requests == 3);
}

#[test]
fn each_upstream_of_a_link_has_a_listener_of_its_own() {
    let proxy = Proxy::start(1).unwrap();
    let names = ["a", "b", "c"];
    let upstreams = names.map(|name| server(move |mut socket| socket.write_all(name.as_bytes()).unwrap()).to_string());
    let addresses = proxy.open(LINK, false, upstreams.to_vec(), None).unwrap();
    assert_eq!(proxy.listeners(LINK), 3);
    for (name, address) in names.iter().zip(addresses) {
        let mut told = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(told, *name);
    }
    assert!(matches!(proxy.remove("elsewhere", 0, "x"), Err(Error::Unknown { .. })));
}

#[test]
fn an_upstream_by_name_is_resolved_when_it_is_connected_to() {
    let proxy = Proxy::start(1).unwrap();
    let port = echo().port();
    let address = proxy.open(LINK, false, vec![format!("localhost:{port}")], None).unwrap()[0];
    round_trip(&mut TcpStream::connect(address).unwrap(), b"hello");
}

#[test]
fn a_port_in_use_is_an_error_that_names_link_and_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Proxy::start(1).unwrap().open(LINK, false, vec!["127.0.0.1:1".into()], Some(&address)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(LINK) && text.contains(&address) && text.contains("in use"), "{text}");
}

#[test]
fn a_given_port_is_the_first_of_as_many_as_there_are_upstreams() {
    // A port that was free a moment ago, in a range where nobody looks for one by chance.
    let port = (0..50)
        .map(|n| 21_000 + n * 7)
        .find(|port| (0..2).all(|place| TcpListener::bind(("127.0.0.1", port + place)).is_ok()));
    let listen = format!("127.0.0.1:{}", port.unwrap());
    let proxy = Proxy::start(1).unwrap();
    let addresses = proxy.open(LINK, false, vec![echo().to_string(), echo().to_string()], Some(&listen)).unwrap();
    assert_eq!(addresses[0].to_string(), listen);
    assert_eq!(addresses[1].port(), addresses[0].port() + 1);
}

#[test]
fn the_proxy_takes_its_listeners_and_connections_with_it() {
    let lab = Lab::new(echo());
    let mut client = lab.connect();
    round_trip(&mut client, b"hello");
    let address = lab.address;
    drop(lab);
    assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "the connection has ended");
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

#[test]
fn two_thousand_connections_talk_at_once() {
    const MANY: u64 = 2100;
    allow_many_descriptors();
    let lab = Lab::new(echo_of_many());
    let mut clients: Vec<_> = (0..MANY).map(|_| lab.connect()).collect();
    for round in 0..3u8 {
        for client in &mut clients {
            client.write_all(&[round; 100]).unwrap();
        }
        for client in &mut clients {
            let mut back = [0; 100];
            client.read_exact(&mut back).unwrap();
            assert_eq!(back, [round; 100]);
        }
    }
    assert_eq!(lab.proxy.stats()[0].open, MANY);
    drop(clients);
    eventually("all are gone", || lab.proxy.stats()[0].open == 0);
}

#[test]
fn a_server_that_ends_first_still_hears_the_client_out() {
    let (tell, told) = mpsc::channel();
    let lab = Lab::new(server(move |mut socket| {
        socket.write_all(b"goodbye").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        tell.send(all).unwrap();
    }));
    lab.add("slow", fault("network.latency", &[ms("latency", 10), word("direction", "both")]));
    let mut client = lab.connect();
    let mut words = String::new();
    client.read_to_string(&mut words).unwrap();
    assert_eq!(words, "goodbye");
    for _ in 0..3 {
        client.write_all(&[5; 100_000]).unwrap();
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap().len(), 300_000);
    eventually("the connection is gone", || lab.proxy.stats()[0].open == 0);
}

#[test]
fn an_upgraded_connection_talks_both_ways_at_will_while_faults_by_request_come() {
    let (address, _) = http();
    let lab = Lab::new(address);
    let before = [("early-error", "http.error"), ("early-abort", "http.abort")];
    before.iter().for_each(|(id, kind)| drop(lab.add(id, fault(kind, &[text("path", "/elsewhere")]))));
    let mut client = lab.http();
    client.send("GET /upgrade HTTP/1.1\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    assert_eq!(client.reply(), Some((101, String::new())));
    let socket = client.reader.get_mut();
    // Frames that look like nothing, and one that looks like a request.
    for frame in [&b"\x81\x05hello"[..], b"\x88\x00", b"GET /bad HTTP/1.1\r\n\r\n"] {
        round_trip(socket, frame);
    }
    for kind in ["http.error", "http.abort", "http.latency", "http.header", "http.body"] {
        let with = match kind {
            "http.latency" => vec![ms("latency", 60_000)],
            "http.header" => vec![names("remove", &["a"])],
            "http.body" => vec![text("replace", "x")],
            _ => vec![],
        };
        lab.add(kind, fault(kind, &with));
        round_trip(socket, b"\x81\x05hello");
        round_trip(socket, b"GET /bad HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    }
}

#[test]
fn no_byte_is_dropped_or_damaged_while_faults_come_and_go_under_load() {
    let lab = Lab::new(echo_of_many());
    let done = std::sync::atomic::AtomicBool::new(false);
    let rounds: Vec<u64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..40u64)
            .map(|number| {
                let (lab, done) = (&lab, &done);
                scope.spawn(move || {
                    let mut socket = lab.connect();
                    let mut round = 0;
                    while round < 5 || !done.load(std::sync::atomic::Ordering::Relaxed) {
                        round += 1;
                        let length = (number * 7919 + round * 104_729) % 30_000 + 1;
                        let message: Vec<u8> = (0..length).map(|place| ((place * number) ^ round) as u8).collect();
                        round_trip(&mut socket, &message);
                    }
                    round
                })
            })
            .collect();
        let harmless = [
            ("slow", fault("network.latency", &[ms("latency", 2), ms("jitter", 2), word("direction", "both")])),
            ("cut", fault("network.partition", &[])),
            ("requests", fault("http.latency", &[ms("latency", 2)])),
            ("error", fault("http.error", &[text("path", "/nowhere")])),
            ("body", fault("http.body", &[text("replace", "x"), text("path", "/nowhere")])),
        ];
        for turn in 0..200 {
            let (id, fault) = &harmless[turn % harmless.len()];
            lab.add(id, fault.clone());
            std::thread::sleep(Duration::from_millis(2));
            lab.remove(id);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(rounds.iter().all(|rounds| *rounds >= 5), "{rounds:?}");
    eventually("all are gone", || lab.proxy.stats()[0].open == 0);
}
