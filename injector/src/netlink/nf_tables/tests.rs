//! In a network namespace of the test's own, against the real kernel.

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::netlink::testing::in_a_namespace;

const PORT: u16 = 4711;
const LEASE: Duration = Duration::from_secs(2);

/// A receiver and how many of `many` datagrams come through to it.
fn through(receiver: &UdpSocket, many: u32) -> u32 {
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut came = 0;
    let mut buffer = [0; 16];
    for number in 0..many {
        sender.send_to(&number.to_be_bytes(), receiver.local_addr().unwrap()).unwrap();
        // Over loopback a datagram has arrived, or is gone, when `send` returns.
        came += u32::from(receiver.recv(&mut buffer).is_ok());
    }
    came
}

fn receiver(port: u16) -> UdpSocket {
    let receiver = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    receiver.set_nonblocking(true).unwrap();
    receiver
}

fn loss(share: f64) -> Rule {
    let millionths = (share * 1e6) as u32;
    let matches = vec![Match::Transport(Transport::Udp), Match::To(PORT), Match::Share { millionths }];
    Rule { hook: Hook::Input, matches, verdict: Verdict::Drop }
}

#[test]
fn a_fifth_is_lost_and_only_of_what_goes_to_the_port() {
    in_a_namespace("netlink::nf_tables::tests::a_fifth_is_lost_and_only_of_what_goes_to_the_port", || {
        let (target, other) = (receiver(PORT), receiver(PORT + 1));
        let mut table = Leased::install("brunt-test", LEASE, &[loss(0.2)]).unwrap();
        let came = through(&target, 5000);
        // Five standard deviations of 28 on each side.
        assert!((3860..=4140).contains(&came), "{came} of 5,000 came through a loss of 20 %");
        assert_eq!(table.counts(Hook::Input).unwrap(), [u64::from(5000 - came)]);
        assert_eq!(through(&other, 500), 500);
        table.remove().unwrap();
        assert_eq!(through(&target, 500), 500);
    });
}

#[test]
fn the_rule_acts_as_long_as_the_lease_is_renewed() {
    in_a_namespace("netlink::nf_tables::tests::the_rule_acts_as_long_as_the_lease_is_renewed", || {
        let target = receiver(PORT);
        let lease = Duration::from_secs(1);
        let mut table = Leased::install("brunt-test", lease, &[loss(1.0)]).unwrap();
        let began = Instant::now();
        while began.elapsed() < lease * 2 {
            table.beat().unwrap();
            assert_eq!(through(&target, 50), 0, "{:?} after the beginning, with a lease of {lease:?}", began.elapsed());
            std::thread::sleep(lease / 10);
        }
        // Nobody renews it: it ends by itself, a moment (a jiffy, the last beat) before or after its time.
        table.beat().unwrap();
        let last = Instant::now();
        while through(&target, 1) == 0 {
            assert!(last.elapsed() < lease * 3, "the rule has outlived its lease");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(last.elapsed() > lease.mul_f64(0.9), "the rule was gone after {:?}", last.elapsed());
    });
}

#[test]
fn a_table_goes_with_its_socket_and_nobody_else_can_take_its_name() {
    in_a_namespace("netlink::nf_tables::tests::a_table_goes_with_its_socket_and_nobody_else_can_take_its_name", || {
        let target = receiver(PORT);
        let table = Leased::install("brunt-test", LEASE, &[loss(1.0)]).unwrap();
        assert_eq!(through(&target, 20), 0);
        let refused = Leased::install("brunt-test", LEASE, &[loss(1.0)]).unwrap_err();
        assert_eq!(refused.part, "new table");
        drop(table);
        assert_eq!(through(&target, 20), 20);
    });
}

#[test]
fn rule_13_without_the_right_the_kernel_says_no_and_nothing_is_left() {
    // In the namespace of the tests themselves, with every capability dropped: not even root may.
    let name = "netlink::nf_tables::tests::rule_13_without_the_right_the_kernel_says_no_and_nothing_is_left";
    if std::env::var_os("BRUNT_TEST_WITHOUT_RIGHTS").is_none() {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "65534", "--regid", "65534"]);
        if !rustix::process::geteuid().is_root() {
            command = Command::new("env");
        } else {
            command.arg("--clear-groups");
        }
        let output =
            command.arg(this).args(["--exact", name, "--nocapture"]).env("BRUNT_TEST_WITHOUT_RIGHTS", "1").output();
        let output = output.expect("setpriv is part of util-linux");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let refused = Leased::install("brunt-test", LEASE, &[loss(1.0)]).unwrap_err();
    assert_eq!(refused.why.kind(), io::ErrorKind::PermissionDenied, "{refused}");
}

#[test]
fn addresses_match_exactly_or_by_their_first_bits_in_their_own_protocol_only() {
    in_a_namespace(
        "netlink::nf_tables::tests::addresses_match_exactly_or_by_their_first_bits_in_their_own_protocol_only",
        || {
            let v4 = receiver(PORT);
            let v6 = UdpSocket::bind(("::1", PORT)).unwrap();
            let send = |from: &str, to: &UdpSocket| {
                let sender = UdpSocket::bind((from, 0)).unwrap();
                sender.send_to(b"x", to.local_addr().unwrap()).unwrap();
            };
            let addresses = |address: &str, prefix| Addresses { address: address.parse().unwrap(), prefix };
            let rule = |matches| Rule { hook: Hook::Input, matches, verdict: Verdict::Queue { number: 7 } };
            let rules = [
                rule(vec![Match::Source(addresses("127.0.0.9", 32))]),
                rule(vec![Match::Source(addresses("127.0.8.77", 22))]),
                rule(vec![Match::Destination(addresses("127.0.0.0", 8))]),
                rule(vec![Match::Source(addresses("::1", 128)), Match::Unmarked(0)]),
                rule(vec![Match::Source(addresses("::1", 128)), Match::Unmarked(5)]),
                rule(vec![Match::Destination(addresses("fd00::", 8))]),
            ];
            // Each rule ends the packet's way through the chain, so each has a table of its own.
            let counts = |from: &str, to: &UdpSocket| -> Vec<u64> {
                rules
                    .iter()
                    .map(|rule| {
                        let mut table = Leased::install("brunt-test", LEASE, std::slice::from_ref(rule)).unwrap();
                        send(from, to);
                        table.counts(Hook::Input).unwrap()[0]
                    })
                    .collect()
            };
            assert_eq!(counts("127.0.0.9", &v4), [1, 0, 1, 0, 0, 0]);
            assert_eq!(counts("127.0.0.8", &v4), [0, 0, 1, 0, 0, 0]);
            assert_eq!(counts("127.0.11.1", &v4), [0, 1, 1, 0, 0, 0]);
            assert_eq!(counts("127.0.12.1", &v4), [0, 0, 1, 0, 0, 0]);
            assert_eq!(counts("::1", &v6), [0, 0, 0, 0, 1, 0]);
            // Nobody is bound to the queue, so everything has come through.
            let mut buffer = [0; 4];
            assert_eq!((0..24).filter(|_| v4.recv(&mut buffer).is_ok()).count(), 24);
        },
    );
}

#[test]
fn a_paused_lease_lets_everything_pass_until_it_begins_again() {
    in_a_namespace("netlink::nf_tables::tests::a_paused_lease_lets_everything_pass_until_it_begins_again", || {
        let target = receiver(PORT);
        let mut table = Leased::install("brunt-test", LEASE, &[loss(1.0)]).unwrap();
        assert_eq!(through(&target, 20), 0);
        table.pause().unwrap();
        table.pause().unwrap();
        assert_eq!(through(&target, 20), 20);
        table.beat().unwrap();
        assert_eq!(through(&target, 20), 0);
    });
}

#[test]
fn peers_are_whom_the_table_was_told_of_last() {
    in_a_namespace("netlink::nf_tables::tests::peers_are_whom_the_table_was_told_of_last", || {
        let (v4, v6) = (receiver(PORT), UdpSocket::bind(("::1", PORT)).unwrap());
        v6.set_nonblocking(true).unwrap();
        let comes = |from: &str, to: &UdpSocket| {
            let sender = UdpSocket::bind((from, 0)).unwrap();
            sender.send_to(b"x", to.local_addr().unwrap()).unwrap();
            to.recv(&mut [0; 4]).is_ok()
        };
        let came = || [comes("127.0.0.8", &v4), comes("127.0.0.9", &v4), comes("::1", &v6)];
        let rules = [Family::V4, Family::V6].map(|family| Rule {
            hook: Hook::Input,
            matches: vec![Match::FromPeer(family)],
            verdict: Verdict::Drop,
        });
        let mut table = Leased::install("brunt-test", LEASE, &rules).unwrap();
        assert_eq!(came(), [true; 3], "nobody is meant yet");
        let peers = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        table.meet(&peers(&["127.0.0.8", "::1", "127.0.0.8"])).unwrap();
        assert_eq!(came(), [false, true, false]);
        table.meet(&peers(&["127.0.0.8", "127.0.0.9"])).unwrap();
        assert_eq!(came(), [false, false, true]);
        let many: Vec<IpAddr> =
            (0..2500_u32).map(|number| IpAddr::from((0x7f01_0000 + number).to_be_bytes())).collect();
        table.meet(&[many, peers(&["127.0.0.9"])].concat()).unwrap();
        assert_eq!(came(), [true, false, true]);
        table.meet(&[]).unwrap();
        assert_eq!(came(), [true; 3]);
        assert_eq!(table.counts(Hook::Input).unwrap(), [4, 1]);
        drop(table);
        // The other end is told in the same way.
        let to = [Rule { hook: Hook::Output, matches: vec![Match::ToPeer(Family::V4)], verdict: Verdict::Count }];
        let mut table = Leased::install("brunt-test", LEASE, &to).unwrap();
        table.meet(&peers(&["127.0.0.1"])).unwrap();
        came();
        assert_eq!(table.counts(Hook::Output).unwrap(), [2]);
    });
}
