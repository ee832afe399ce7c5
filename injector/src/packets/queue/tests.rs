//! Real traffic in network namespaces of the tests' own, entered as an ordinary user would.
//!
//! What is lost follows from the seed, so no test of shares can fail by chance. Of times, only what must hold is asserted:
//! nothing comes early, and the first comes soon after it is due. How soon is measured by the bench.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

use brunt_scenario::plan::Params;

use super::flows::{Flows, Key};
use super::loss::Losing;
use super::*;
use crate::fault::delay::Delays;
use crate::netlink::nf_tables::Transport;
use crate::netlink::queue::Copied;
use crate::netlink::testing::in_a_namespace;
use crate::proxy::lab::{ms, word};

mod egress;
mod forward;
mod rate;
mod safety;

const PORT: u16 = 4713;
const LEASE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// The name under which the test harness knows a test of this module.
macro_rules! here {
    ($name:literal) => {
        &concat!(module_path!(), "::", $name)["brunt_injector::".len()..]
    };
}
use here;

fn to_port(hook: Hook, transport: Transport) -> Path {
    Path { hook, any_of: vec![vec![Match::Transport(transport), Match::To(PORT)]], but_not: Vec::new() }
}

fn arriving() -> Path {
    to_port(Hook::Prerouting, Transport::Udp)
}

fn start(path: &Path, treatment: &Treatment) -> Queue {
    let here = Namespace::current().unwrap();
    Queue::start(&here, path, treatment, 42, "brunt-test", LEASE).unwrap()
}

fn share(share: f64) -> Share {
    Share { share, correlation: 0.0 }
}

fn lose(of: f64) -> Treatment {
    Treatment::Lose(Loss::Share(share(of)))
}

fn delay(millis: u64) -> Treatment {
    let with = [ms("latency", millis), word("distribution", "constant")];
    Treatment::Delay(Delays::from_params("network.latency", &Params(with.into_iter().collect())).unwrap())
}

/// Waits for an event of another thread.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "{what} has not happened");
        std::thread::yield_now();
    }
}

/// Numbered datagrams from one socket to another.
struct Traffic {
    sender: UdpSocket,
    receiver: UdpSocket,
    sent: u32,
}

impl Traffic {
    fn new(address: &str, port: u16) -> Self {
        let receiver = UdpSocket::bind((address, port)).unwrap();
        let sender = UdpSocket::bind((address, 0)).unwrap();
        Self::between(sender, receiver)
    }

    fn between(sender: UdpSocket, receiver: UdpSocket) -> Self {
        receiver.set_nonblocking(true).unwrap();
        socket2::SockRef::from(&receiver).set_recv_buffer_size(4 << 20).unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        Self { sender, receiver, sent: 0 }
    }

    fn send(&mut self, many: u32) {
        for _ in 0..many {
            self.sender.send(&self.sent.to_be_bytes()).unwrap();
            self.sent += 1;
        }
    }

    /// All that is there.
    fn received(&self) -> Vec<u32> {
        let mut buffer = [0; 4];
        std::iter::from_fn(|| self.receiver.recv(&mut buffer).ok().map(|_| u32::from_be_bytes(buffer))).collect()
    }

    /// Waits until so many have come.
    fn receive(&self, many: usize) -> Vec<u32> {
        let mut all = Vec::new();
        until("the arrival of all packets", || {
            all.extend(self.received());
            all.len() >= many
        });
        all
    }

    /// Sends so many, never more at a time than fit anywhere, and returns those that came.
    fn pass(&mut self, queue: &Queue, many: u32) -> Vec<u32> {
        let before = queue.counters().came;
        let mut came = Vec::new();
        let mut sent = 0;
        while sent < many {
            let now = (many - sent).min(200);
            self.send(now);
            sent += now;
            until("the decision about all packets", || queue.counters().came >= before + u64::from(sent));
            came.extend(self.received());
        }
        came
    }
}

/// Of `n` independent trials with chance `p`, between how many succeed in all but one of ten thousand cases.
fn interval(n: u32, p: f64) -> std::ops::RangeInclusive<usize> {
    let n = f64::from(n);
    let chance = |k: f64| {
        let ways = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
        (ways + k * p.ln() + (n - k) * (1.0 - p).ln()).exp()
    };
    let (mut below, mut low, mut high) = (0.0, None, None);
    for k in 0..=n as usize {
        below += chance(k as f64);
        low = low.or((below > 0.000_05).then_some(k));
        high = high.or((below > 0.999_95).then_some(k));
    }
    low.unwrap()..=high.unwrap()
}

#[test]
fn as_many_are_lost_as_were_asked_for_in_both_protocols() {
    in_a_namespace(here!("as_many_are_lost_as_were_asked_for_in_both_protocols"), || {
        const SENT: u32 = 20_000;
        for address in ["127.0.0.1", "::1"] {
            for asked in [0.001, 0.01, 0.05, 0.3] {
                let mut traffic = Traffic::new(address, PORT);
                let mut queue = start(&arriving(), &lose(asked));
                let came = traffic.pass(&queue, SENT);
                let lost = SENT as usize - came.len();
                assert!(interval(SENT, asked).contains(&lost), "{lost} of {SENT} lost at {asked} over {address}");
                assert_eq!(queue.matched().unwrap(), u64::from(SENT));
                let counters = queue.release().unwrap();
                assert_eq!((counters.came, counters.acted), (u64::from(SENT), lost as u64));
                assert_eq!(counters.trouble(), None);
                assert!(came.is_sorted());
            }
        }
    });
}

#[test]
fn what_is_lost_follows_from_the_seed_the_flow_and_the_packets_number_in_it() {
    in_a_namespace(here!("what_is_lost_follows_from_the_seed_the_flow_and_the_packets_number_in_it"), || {
        const SENT: u32 = 20_000;
        let loss = Loss::GilbertElliott { p: 0.02, r: 0.25, loss_good: 0.0, loss_bad: 1.0 };
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let queue = start(&arriving(), &Treatment::Lose(loss));
        let came = traffic.pass(&queue, SENT);
        let mut flows = Flows::new(42);
        let mut losing = Losing::new(loss, &mut flows.of_path());
        let flow = flows.of(Key::of(&[]));
        let expected: Vec<u32> = (0..SENT).filter(|_| !losing.next(&mut flow.draws)).collect();
        assert_eq!(came, expected);
        // How many are lost in a row: the mean of the chain is 4.
        let lost = SENT as usize - came.len();
        let gaps = came.windows(2).filter(|two| two[1] - two[0] > 1).count();
        let run = lost as f64 / gaps as f64;
        assert!((run / 4.0 - 1.0).abs() < 0.05, "bursts of {run}");
    });
}

#[test]
fn packets_are_held_for_as_long_as_was_asked_in_both_protocols() {
    in_a_namespace(here!("packets_are_held_for_as_long_as_was_asked_in_both_protocols"), || {
        for (asked, many) in [(1, 40), (10, 20), (100, 5), (500, 3)] {
            for address in ["127.0.0.1", "::1"] {
                let mut traffic = Traffic::new(address, PORT);
                let mut queue = start(&arriving(), &delay(asked));
                let mut took: Vec<Duration> = (0..many)
                    .map(|_| {
                        let sent = Instant::now();
                        traffic.send(1);
                        traffic.receive(1);
                        sent.elapsed()
                    })
                    .collect();
                took.sort();
                let asked = Duration::from_millis(asked);
                assert!(took[0] >= asked, "{:?} over {address} instead of {asked:?}", took[0]);
                // How late most of them are is the machine's affair; the bench measures it.
                let soon = asked + Duration::from_millis(10);
                assert!(took[0] < soon, "{:?} over {address} instead of {asked:?}", took[0]);
                let counters = queue.release().unwrap();
                assert_eq!((counters.acted, counters.asked), (many, asked * many as u32));
                assert_eq!(counters.trouble(), None);
            }
        }
    });
}

#[test]
fn a_flow_keeps_its_order_however_much_its_delays_differ() {
    in_a_namespace(here!("a_flow_keeps_its_order_however_much_its_delays_differ"), || {
        let with = Params([ms("latency", 20), ms("jitter", 19)].into_iter().collect());
        let treatment = Treatment::Delay(Delays::from_params("network.latency", &with).unwrap());
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &treatment);
        traffic.send(500);
        assert!(traffic.receive(500).into_iter().eq(0..500));
        let counters = queue.release().unwrap();
        assert!(counters.pushed_back > 300, "{counters:?}");
        assert_eq!(counters.trouble(), None);
    });
}

#[test]
fn other_ports_peers_and_protocols_never_meet_the_queue() {
    in_a_namespace(here!("other_ports_peers_and_protocols_never_meet_the_queue"), || {
        let from: IpAddr = "127.0.0.5".parse().unwrap();
        let meant = vec![Match::Source(from.into()), Match::Transport(Transport::Udp), Match::To(PORT)];
        let path = Path { hook: Hook::Prerouting, any_of: vec![meant], but_not: Vec::new() };
        let mut queue = start(&path, &lose(1.0));
        let all = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
        let to = |from: &str, to: UdpSocket| Traffic::between(UdpSocket::bind((from, 0)).unwrap(), to);
        let mut others = [
            to("127.0.0.5", UdpSocket::bind(("127.0.0.1", PORT + 1)).unwrap()),
            to("127.0.0.6", UdpSocket::bind(("127.0.0.2", PORT + 2)).unwrap()),
            to("::1", UdpSocket::bind(("::1", PORT)).unwrap()),
        ];
        for other in &mut others {
            other.send(50);
            assert!(other.receive(50).into_iter().eq(0..50));
        }
        let other_peer = UdpSocket::bind("127.0.0.6:0").unwrap();
        other_peer.send_to(b"here", ("127.0.0.1", PORT)).unwrap();
        all.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(all.recv(&mut [0; 8]).is_ok());
        // The same port and peer, over TCP.
        let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], PORT)).into()).unwrap();
        drop(listener);
        assert_eq!((queue.matched().unwrap(), queue.counters().came), (0, 0));
        // And the one that is meant does.
        let meant = UdpSocket::bind((from, 0)).unwrap();
        meant.send_to(b"not here", ("127.0.0.1", PORT)).unwrap();
        until("the loss of the one that is meant", || queue.counters().acted == 1);
    });
}

#[test]
fn tcp_goes_through_delay_and_loss_and_arrives_whole() {
    in_a_namespace(here!("tcp_goes_through_delay_and_loss_and_arrives_whole"), || {
        use std::io::{Read, Write};
        // As on a wire: a loopback would carry 64 KiB in one.
        let ran = std::process::Command::new("ip").args(["link", "set", "lo", "mtu", "1500"]).status().unwrap();
        assert!(ran.success());
        for (treatment, least) in [(delay(10), 10), (lose(0.02), 0)] {
            let mut queue = start(&to_port(Hook::Prerouting, Transport::Tcp), &treatment);
            let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
            let began = Instant::now();
            let mut client = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
            assert!(began.elapsed() >= Duration::from_millis(least), "the first packet was held");
            socket2::SockRef::from(&client).set_tcp_congestion(b"cubic").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
            let sent = bytes.clone();
            let writer = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
            let mut got = vec![0; bytes.len()];
            server.read_exact(&mut got).unwrap();
            assert!(got == bytes, "other bytes have arrived");
            drop(writer.join().unwrap().unwrap());
            let counters = queue.release().unwrap();
            assert!(counters.acted > 0 && counters.came > 600, "{counters:?}");
            assert_eq!(counters.trouble(), None);
        }
    });
}

#[test]
fn reordered_packets_overtake_and_none_is_lost() {
    in_a_namespace(here!("reordered_packets_overtake_and_none_is_lost"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &Treatment::Reorder(share(0.25), Duration::from_millis(30)));
        traffic.send(400);
        let came = traffic.receive(400);
        let mut sorted = came.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..400));
        let counters = queue.release().unwrap();
        assert!(interval(400, 0.25).contains(&(counters.acted as usize)), "{counters:?}");
        // Those that are overtaken keep their own order, and so do those that overtake.
        let overtaken = came.windows(2).filter(|two| two[1] < two[0]).count();
        assert!((1..=counters.acted as usize).contains(&overtaken), "nobody was overtaken: {came:?}");
        assert_eq!(counters.trouble(), None);
    });
}

#[test]
fn a_damaged_packet_is_thrown_away_by_the_checksum_of_its_receiver() {
    in_a_namespace(here!("a_damaged_packet_is_thrown_away_by_the_checksum_of_its_receiver"), || {
        let wrong = || -> u64 {
            let text = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
            let mut udp = text.lines().filter(|line| line.starts_with("Udp:"));
            let (names, numbers) = (udp.next().unwrap(), udp.next().unwrap());
            let place = names.split_whitespace().position(|name| name == "InCsumErrors").unwrap();
            numbers.split_whitespace().nth(place).unwrap().parse().unwrap()
        };
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &Treatment::Corrupt(share(0.1)));
        let before = wrong();
        let came = traffic.pass(&queue, 2000);
        assert!(came.is_sorted());
        let counters = queue.release().unwrap();
        assert!(interval(2000, 0.1).contains(&(counters.acted as usize)), "{counters:?}");
        // A changed port or length may fail otherwise than by the checksum, and so may a packet whose checksum became zero.
        let (lost, by_checksum) = (2000 - came.len() as u64, wrong() - before);
        assert!(lost + 2 >= counters.acted && lost <= counters.acted, "{lost} lost, {counters:?}");
        assert!(by_checksum * 10 >= lost * 6, "{by_checksum} of {lost} by their checksum");
        assert_eq!(counters.trouble(), None);
    });
}
