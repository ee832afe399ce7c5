//! Packets that pass through: two namespaces and a third between them, which routes.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use super::*;

fn ip(namespace: &Namespace, words: &str) {
    let ran = namespace.inside(|| Command::new("ip").args(words.split(' ')).output().unwrap()).unwrap();
    assert!(ran.status.success(), "ip {words}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// `left` is 10.1.0.2, `right` is 10.2.0.2; the hub is .1 in both networks.
struct Lab {
    hub: Namespace,
    left: Namespace,
    right: Namespace,
}

impl Lab {
    fn new() -> Self {
        let [hub, left, right] = [(); 3].map(|()| Namespace::new().unwrap());
        let me = std::process::id();
        for (number, side) in [(1, &left), (2, &right)] {
            let netns = format!("/proc/{me}/fd/{}", side.as_fd().as_raw_fd());
            ip(&hub, &format!("link add h{number} type veth peer name v0 netns {netns}"));
            for (namespace, device, host) in [(&hub, format!("h{number}"), 1), (side, "v0".to_owned(), 2)] {
                ip(namespace, &format!("addr add 10.{number}.0.{host}/24 dev {device}"));
                ip(namespace, &format!("-6 addr add fd0{number}::{host}/64 dev {device} nodad"));
                ip(namespace, &format!("link set {device} up"));
            }
            ip(side, &format!("route add default via 10.{number}.0.1"));
            ip(side, &format!("-6 route add default via fd0{number}::1"));
        }
        for (file, value) in [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")] {
            hub.inside(|| {
                let done = Command::new("sh").args(["-c", &format!("echo {value} > /proc/sys/net/{file}")]).status();
                assert!(done.unwrap().success());
            })
            .unwrap();
        }
        Self { hub, left, right }
    }
}

#[test]
fn what_passes_is_held_both_ways_and_its_twin_in_the_other_protocol_is_not() {
    in_a_namespace(here!("what_passes_is_held_both_ways_and_its_twin_in_the_other_protocol_is_not"), || {
        let lab = Lab::new();
        let listen = |address: &str| {
            let listener = lab.right.inside(|| TcpListener::bind((address, PORT)).unwrap()).unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let mut byte = [0];
                    while stream.read(&mut byte).unwrap_or(0) > 0 {
                        stream.write_all(&byte).unwrap();
                    }
                }
            });
        };
        listen("10.2.0.2");
        listen("fd02::2");
        let round_trips = |address: &str| -> Duration {
            let mut stream = lab.left.inside(|| TcpStream::connect((address, PORT)).unwrap()).unwrap();
            stream.set_nodelay(true).unwrap();
            socket2::SockRef::from(&stream).set_tcp_congestion(b"cubic").unwrap();
            let mut took: Vec<Duration> = (0..11)
                .map(|_| {
                    let began = Instant::now();
                    stream.write_all(b"x").unwrap();
                    stream.read_exact(&mut [0]).unwrap();
                    began.elapsed()
                })
                .collect();
            took.sort();
            took[5]
        };
        let before = [round_trips("10.2.0.2"), round_trips("fd02::2")];
        let right: IpAddr = "10.2.0.2".parse().unwrap();
        let any_of = vec![vec![Match::Source(right.into())], vec![Match::Destination(right.into())]];
        let path = Path { hook: Hook::Forward, any_of, but_not: Vec::new() };
        let mut queue = Queue::start(&lab.hub, &path, &delay(40), 1, "brunt-test", LEASE).unwrap();
        let took = round_trips("10.2.0.2");
        // There and back.
        assert!(took >= Duration::from_millis(80), "{took:?}, without the fault {before:?}");
        assert!(round_trips("fd02::2") < Duration::from_millis(40), "the other protocol is delayed, too");
        let counters = queue.release().unwrap();
        assert_eq!(counters.trouble(), None);
        assert!(round_trips("10.2.0.2") < Duration::from_millis(40), "it is still there");
    });
}
