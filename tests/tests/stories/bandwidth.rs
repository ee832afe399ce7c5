//! A thin wire in front of packets, through the whole program: as fast as was asked in both directions, over both families of
//! addresses and with both protocols, for those that are meant and for nobody beside.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;

use crate::bystanders::{Bystanders, spared};

/// Of the story's wire, bytes a second: 4 Mbit/s.
const RATE: f64 = 500_000.0;
/// Until as much waits as may: the wire is busy from then on.
const FILLS: Duration = Duration::from_millis(700);
/// How long it is looked at.
const LOOK: Duration = Duration::from_millis(2500);
/// A frame that is full, whichever the family, as the wire counts it.
const FULL: f64 = 1514.0;

/// Addresses of the cable, both families.
fn addresses(host: u16) -> [IpAddr; 2] {
    [[10, 77, 0, host as u8].into(), Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host).into()]
}

/// One and a half times the rate over UDP, half of it over each family: what arrives, bytes on the wire a second.
fn datagrams(from: &Namespace, to: &Namespace, host: u16) -> JoinHandle<f64> {
    const PAYLOAD: usize = 1000;
    let bind = || UdpSocket::bind("[::]:0").expect("a port is free");
    let receiver = to.inside(bind).expect("root may enter");
    let port = receiver.local_addr().expect("it is bound").port();
    let senders = addresses(host).map(|address| {
        let any: IpAddr = if address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { [0, 0, 0, 0].into() };
        let sender = from.inside(|| UdpSocket::bind((any, 0))).expect("root may enter").expect("a port is free");
        sender.connect((address, port)).expect("there is a route");
        sender
    });
    thread::spawn(move || {
        let began = Instant::now();
        let sending = thread::spawn(move || {
            while began.elapsed() < FILLS + LOOK {
                for sender in senders.iter().chain(&senders) {
                    sender.send(&[0; PAYLOAD]).expect("nobody is told of what is lost");
                }
                // Sometimes longer: 4.2 kB would still be the rate every 8 ms.
                thread::sleep(Duration::from_millis(5));
            }
        });
        receiver.set_read_timeout(Some(Duration::from_secs(2))).expect("it is not zero");
        let (mut first, mut bytes) = (None, 0.0);
        let rate = loop {
            let (length, peer) = receiver.recv_from(&mut [0; PAYLOAD]).expect("the wire carries something");
            let SocketAddr::V6(peer) = peer else { panic!("{peer} is no address of this socket") };
            let header = if peer.ip().to_ipv4_mapped().is_some() { 20 } else { 40 };
            match first {
                None if began.elapsed() < FILLS => {}
                None => first = Some(Instant::now()),
                Some(first) => {
                    bytes += (length + 8 + header + 14) as f64;
                    if first.elapsed() > LOOK {
                        break bytes / first.elapsed().as_secs_f64();
                    }
                }
            }
        };
        sending.join().expect("it does not panic");
        rate
    })
}

/// As much as goes over two connections, one over each family: what arrives, bytes on the wire a second. By the segments that
/// the receiving kernel counts: what it has and cannot deliver yet, because one before was lost, has passed the wire.
fn streams(from: &Namespace, to: &Namespace, host: u16) -> f64 {
    let listener = to.inside(|| TcpListener::bind("[::]:0")).expect("root may enter").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let ends = addresses(host).map(|address| {
        let client = from.inside(|| TcpStream::connect((address, port))).expect("root may enter");
        (client.expect("it is let in"), listener.accept().expect("it has connected").0)
    });
    let began = Instant::now();
    let threads = ends.map(|(mut client, mut server)| {
        let reading = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while server.read(&mut buffer).is_ok_and(|read| read > 0) {}
        });
        let writing = thread::spawn(move || {
            while began.elapsed() < FILLS + LOOK {
                client.write_all(&[7; 1 << 14]).expect("the connection holds");
            }
        });
        [reading, writing]
    });
    thread::sleep(FILLS);
    let (before, since) = (segments(to), Instant::now());
    thread::sleep(LOOK);
    let rate = (segments(to) - before) * FULL / since.elapsed().as_secs_f64();
    threads.into_iter().flatten().for_each(|thread| thread.join().expect("it does not panic"));
    rate
}

/// TCP segments of both families that have come to a namespace.
fn segments(namespace: &Namespace) -> f64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/snmp");
    let text = namespace.inside(read).expect("root may enter").expect("/proc is mounted");
    let mut tcp = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, numbers) = (tcp.next().expect("a line of names"), tcp.next().expect("a line of numbers"));
    let place = names.split_whitespace().position(|name| name == "InSegs").expect("the kernel counts them");
    numbers.split_whitespace().nth(place).and_then(|number| number.parse().ok()).expect("a number")
}

#[track_caller]
fn is_the_rate(what: &str, found: f64) {
    assert!((found / RATE - 1.0).abs() < 0.03, "{what}: {found:.0} bytes/s instead of {RATE}");
}

#[test]
fn a_wire_carries_its_rate_in_both_directions_over_both_families_with_datagrams_and_streams() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    // The load uses neither the wire nor the namespaces at its ends.
    let elsewhere = Answering::at_once();
    let story = Scenario::new(&format!(
        "
        version: 1
        name: bandwidth
        targets: {{ api: {{ url: \"{}\" }}, lab: {{ netns: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 10/s, for: timeline }} }}
        timeline:
          - {{ id: thin, fault: network.bandwidth, target: lab, for: 60s, with: {{ rate: 4mbit }} }}
        gates: [ {{ metric: requests, min: 1 }} ]
        ",
        elsewhere.url(),
        network.server,
    ));
    let run = Brunt::run(&story).start();
    run.wait_for("event=fault.active fault=thin");

    let (client, server) = (network.of_client(), network.of_server());
    let (to, from) = (datagrams(&client, &server, 2), datagrams(&server, &client, 1));
    let [to, from] = [to, from].map(|thread| thread.join().expect("it does not panic"));
    is_the_rate("UDP to the target", to);
    is_the_rate("UDP from the target", from);
    is_the_rate("TCP to the target", streams(&client, &server, 2));
    is_the_rate("TCP from the target", streams(&server, &client, 1));

    run.signal(nix::sys::signal::Signal::SIGTERM);
    let ended = run.wait().expect_code(143);
    let results = ended.results();
    let seen = fault(&results, "thin");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(seen.reason.contains("packets had to wait") && seen.mechanism.contains("NFQUEUE"), "{seen:?}");
    assert!(seen.residue.iter().any(|residue| residue.contains("for which the wire had no room")), "{seen:?}");
    let left = server.inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn of_services_processes_and_namespaces_the_wire_holds_what_is_meant_and_nothing_else() {
    let _machine = machine::alone();
    let lab = Bystanders::new();
    let timeline = "
          - baseline: 1s
          # A hundred requests a second are twice as much as that, and so are their replies.
          - { id: service-thin, fault: network.bandwidth, target: own, for: 3s, with: { rate: 80kbit } }
          - pause: 1s
          - { id: process-thin, fault: network.bandwidth, target: ledger, from: client, direction: to, for: 3s,
              with: { rate: 80kbit } }
          - pause: 1s
          - { id: namespace-thin, fault: network.bandwidth, target: lab, from: client, direction: from, for: 3s,
              with: { rate: 80kbit } }";
    let gates = "
          - { id: thin-1, journey: own, metric: latency.p50, window: 'fault:service-thin', min: 250ms }
          - { id: thin-2, journey: ledger, metric: latency.p50, window: 'fault:process-thin', min: 250ms }
          - { id: thin-3, journey: ledger, metric: latency.p50, window: 'fault:namespace-thin', min: 250ms }
          - { id: thin-4, journey: neighbour, metric: latency.p50, window: 'fault:namespace-thin', min: 250ms }
    ";
    let spared = spared(&[
        ("service-thin", &["ledger", "twin", "neighbour"]),
        ("process-thin", &["own", "twin", "neighbour"]),
        ("namespace-thin", &["own", "twin"]),
    ]);
    let ended = lab.run("thin-wires", timeline, &(gates.to_owned() + "\n" + &spared));

    let thin = "bytes/s of 10,000 bytes/s";
    lab.all_seen(&ended, &["service-thin", "process-thin", "namespace-thin"].map(|id| (id, thin)));
}

#[test]
fn a_wire_that_holds_nothing_back_makes_the_run_invalid_and_one_that_nothing_fills_inconclusive() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let story = |rate: &str| {
        Scenario::new(&format!(
            "
        version: 1
        name: no-wire
        targets: {{ api: {{ url: \"http://10.77.0.2:{}\" }}, lab: {{ netns: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 50/s, for: timeline }} }}
        timeline:
          - {{ id: thin, fault: network.bandwidth, target: lab, for: 2s, with: {{ rate: {rate} }} }}
        ",
            service.port(),
            network.server,
        ))
    };
    let run = |story: &Scenario| Brunt::run(story).under(["ip", "netns", "exec", &network.client]);
    let absent = run(&story("80kbit")).env("BRUNT_TEST_NO_EFFECT", "1").go().expect_code(5);
    let seen = fault(&absent.results(), "thin").clone();
    assert!(!seen.verified && seen.reason.contains("none had to pass the wire"), "{seen:?}");
    // One request at a time never has another packet in front of it for long; at 200 Mbit/s hardly ever.
    let idle = run(&story("200mbit")).go();
    let seen = fault(&idle.results(), "thin").clone();
    assert!(seen.verified || seen.reason.contains("too few to fill a wire"), "{seen:?}");
}

#[test]
fn plan_says_which_rung_serves_and_a_rate_that_the_queue_cannot_keep_is_refused_with_the_way_out() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let story = |with: &str| {
        Scenario::new(&format!(
            "
        version: 1
        name: rungs
        targets: {{ api: {{ url: \"http://10.77.0.2:80\" }}, lab: {{ netns: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 1/s, for: timeline }} }}
        timeline:
          - {{ id: thin, fault: network.bandwidth, target: lab, for: 1s, with: {{ {with} }} }}
        ",
            network.server,
        ))
    };
    let plan = |with: &str| Brunt::with(["plan"]).arg(story(with).path()).go();
    plan("rate: 4mbit").expect_code(0).expect_said("NFQUEUE (packets), at most 200 Mbit/s");
    plan("rate: 10gbit, direction: from").expect_code(0).expect_said("htb (packets)");
    let fast = plan("rate: 1gbit").expect_code(3);
    fast.expect_said("above 200 Mbit/s").expect_said("`direction: from`");
}
