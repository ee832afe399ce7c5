//! Between two namespaces of the test's own, over a veth: what the receiver gets, by the clock.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::namespace::Namespace;
use crate::netlink::link;
use crate::netlink::nf_tables::{Hook, Leased, Match, Rule, Transport, Verdict};
use crate::netlink::testing::in_a_namespace;

const PORT: u16 = 4711;
/// Payload of a full TCP segment, of our datagrams, and what both are on the wire: IPv4 and Ethernet.
const SEGMENT: [u64; 2] = [1448, 1514];
const DATAGRAM: [u64; 2] = [1200, 1242];

fn sh(line: &str) {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A namespace at the other end of a veth: 10.9.0.2 and fd09::2 there, .1 here.
fn other_end() -> Namespace {
    let other = Namespace::new().unwrap();
    link::add_pair(&mut link::open().unwrap(), "va", "", other.as_fd(), "vb").unwrap();
    let up = |name: &str, last: u8| {
        sh(&format!(
            "ip addr add 10.9.0.{last}/24 dev {name}; ip addr add fd09::{last}/64 dev {name} nodad; ip link set {name} up; \
             ip link set lo up"
        ));
    };
    up("va", 1);
    other.inside(|| up("vb", 2)).unwrap();
    other
}

fn to_port(transport: Transport) -> Rule {
    let matches = vec![Match::Transport(transport), Match::To(PORT)];
    Rule { hook: Hook::Postrouting, matches, verdict: Verdict::Priority(CLASS) }
}

fn not_loopback(queues: &Queues) -> bool {
    queues.name != "lo"
}

/// Bytes a second that arrive in a window after the beginning, while `send` sends as fast as it can.
fn arriving(receive: impl FnMut() -> usize + Send, send: impl FnMut() + Send) -> f64 {
    const BEGINNING: Duration = Duration::from_millis(400);
    const WINDOW: Duration = Duration::from_millis(2000);
    let (arrived, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut receive, mut send) = (receive, send);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                arrived.fetch_add(receive() as u64, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                send();
            }
        });
        thread::sleep(BEGINNING);
        let (from, before) = (Instant::now(), arrived.load(Ordering::Relaxed));
        thread::sleep(WINDOW);
        let (took, bytes) = (from.elapsed(), arrived.load(Ordering::Relaxed) - before);
        over.store(true, Ordering::Relaxed);
        bytes as f64 / took.as_secs_f64()
    })
}

fn tcp(other: &Namespace, port: u16) -> f64 {
    let listener = other.inside(|| TcpListener::bind(("10.9.0.2", port))).unwrap().unwrap();
    let mut sender = TcpStream::connect(("10.9.0.2", port)).unwrap();
    // BBR, where it is the default, finds its own way.
    rustix::net::sockopt::set_tcp_congestion(&sender, "cubic").unwrap();
    sender.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut receiver, _) = listener.accept().unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut into, from) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    arriving(move || receiver.read(&mut into).unwrap_or(0), move || drop(sender.write(&from)))
}

fn udp(other: &Namespace, address: &str, port: u16) -> f64 {
    let receiver = other.inside(|| UdpSocket::bind((address, port))).unwrap().unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let sender = UdpSocket::bind(if address.contains(':') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
    sender.connect((address, port)).unwrap();
    sender.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut into, from) = ([0; 2048], [0; DATAGRAM[0] as usize]);
    arriving(move || receiver.recv(&mut into).unwrap_or(0), move || drop(sender.send(&from)))
}

/// How far the rate on the wire is from what was asked for.
fn off(payload: f64, [inner, wire]: [u64; 2], rate: Rate) -> f64 {
    payload * wire as f64 / inner as f64 / rate.bytes_per_second as f64 - 1.0
}

#[test]
fn a_rate_is_kept_within_3_percent_by_tcp_and_udp_and_nothing_else_is_held() {
    let name = "netlink::tc::shaped::tests::a_rate_is_kept_within_3_percent_by_tcp_and_udp_and_nothing_else_is_held";
    in_a_namespace(name, || {
        let other = other_end();
        let before = Tree::of(&mut Tc::open().unwrap()).unwrap();
        let mut shaped = Shaped::prepare(not_loopback).unwrap();
        let rules = [to_port(Transport::Tcp), to_port(Transport::Udp)];
        let table = Leased::install("brunt-test", Duration::from_secs(60), &rules).unwrap();
        let rate = Rate { bytes_per_second: 20_000_000 / 8 };
        shaped.install(&Shape::Rate(rate)).unwrap();
        let v6 = [DATAGRAM[0], DATAGRAM[1] + 20];
        // A busy machine may be late to look at the clock; a wrong rate is wrong every time.
        let within_3_percent = |what: &str, measure: &dyn Fn() -> f64| {
            let mut found = Vec::new();
            while found.len() < 3 && found.last().is_none_or(|off: &f64| off.abs() > 0.03) {
                found.push(measure());
            }
            println!("{what}: {found:?}");
            assert!(found.last().is_some_and(|off| off.abs() <= 0.03), "{what} was off each time: {found:?}");
        };
        within_3_percent("TCP", &|| off(tcp(&other, PORT), SEGMENT, rate));
        within_3_percent("UDP", &|| off(udp(&other, "10.9.0.2", PORT), DATAGRAM, rate));
        within_3_percent("UDP over IPv6", &|| off(udp(&other, "fd09::2", PORT), v6, rate));
        let free = tcp(&other, PORT + 1);
        assert!(free > 10.0 * rate.bytes_per_second as f64, "another port got {free:.0} bytes/s");
        let seen = shaped.statistics().unwrap();
        // Whether any is dropped is the senders' affair: one that waits for room in its socket's buffer fills no queue.
        assert!(seen.overlimits > 0 && seen.packets > 1000, "{seen:?}");
        let (restored, _) = shaped.restore().unwrap();
        assert_eq!(restored, [Restored::Yes("the queues of va are as they were".into())]);
        table.remove().unwrap();
        assert_eq!(Tree::of(&mut Tc::open().unwrap()).unwrap(), before);
    });
}

#[test]
fn a_class_that_was_left_behind_is_inert() {
    in_a_namespace("netlink::tc::shaped::tests::a_class_that_was_left_behind_is_inert", || {
        let other = other_end();
        let rate = Rate { bytes_per_second: 20_000 };
        Shaped::prepare(not_loopback).unwrap().install(&Shape::Rate(rate)).unwrap();
        let table = Leased::install("brunt-test", Duration::from_secs(60), &[to_port(Transport::Udp)]).unwrap();
        let slow = udp(&other, "10.9.0.2", PORT);
        assert!(slow < 1.5 * rate.bytes_per_second as f64, "{slow:.0} bytes/s through the rule");
        // What the agent's death does.
        drop(table);
        let fast = udp(&other, "10.9.0.2", PORT);
        assert!(fast > 50.0 * rate.bytes_per_second as f64, "{fast:.0} bytes/s without it");
    });
}

#[test]
fn rule_7_a_link_whose_txqueuelen_is_0_has_room_and_keeps_its_0() {
    in_a_namespace("netlink::tc::shaped::tests::rule_7_a_link_whose_txqueuelen_is_0_has_room_and_keeps_its_0", || {
        let other = other_end();
        sh("ip link set va txqueuelen 0");
        let before = Tree::of(&mut Tc::open().unwrap()).unwrap();
        let mut shaped = Shaped::prepare(not_loopback).unwrap();
        shaped.install(&Shape::Rate(Rate { bytes_per_second: 12_500 })).unwrap();
        let table = Leased::install("brunt-test", Duration::from_secs(60), &[to_port(Transport::Udp)]).unwrap();
        // A burst of 50 waits, where the kernel's own limit would let one packet wait.
        let receiver = other.inside(|| UdpSocket::bind(("10.9.0.2", PORT))).unwrap().unwrap();
        let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
        for number in 0..50_u8 {
            sender.send_to(&[number; DATAGRAM[0] as usize], ("10.9.0.2", PORT)).unwrap();
        }
        let seen = shaped.statistics().unwrap();
        assert!(seen.drops == 0 && seen.backlog > 40 * DATAGRAM[1] as u32, "{seen:?}");
        // Revert lets them go at once, in order.
        let (restored, lost) = shaped.restore().unwrap();
        assert_eq!((restored.len(), lost), (1, 0));
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 2048];
        let came: Vec<u8> = (0..50).map(|_| receiver.recv(&mut buffer).map_or(255, |_| buffer[0])).collect();
        assert_eq!(came, (0..50).collect::<Vec<u8>>());
        table.remove().unwrap();
        assert_eq!(Tree::of(&mut Tc::open().unwrap()).unwrap(), before);
        assert!(before.links.iter().any(|queues| queues.name == "va" && queues.length == 0));
    });
}
