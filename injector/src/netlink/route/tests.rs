//! Links, addresses and routes together, against the real kernel: only together can a packet use them.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use super::*;
use crate::namespace::Namespace;
use crate::netlink::testing::in_a_namespace;
use crate::netlink::{address, link};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pair into a new namespace; both ends are up and have these addresses, each with a route to the other.
fn pair(here: [&str; 2], there: [&str; 2]) -> Namespace {
    let other = Namespace::new().unwrap();
    let mut socket = link::open().unwrap();
    link::add_pair(&mut socket, "here", "of a test", other.as_fd(), "there").unwrap();
    let set = |name: &str, own: [&str; 2], others: [&str; 2]| {
        let mut socket = link::open().unwrap();
        let index = link::by_name(&mut socket, name).unwrap().index;
        link::set_up(&mut socket, index).unwrap();
        for (own, other) in own.into_iter().zip(others) {
            address::add(&mut socket, index, ip(own)).unwrap();
            add(&mut socket, Range::only(ip(other)), index, None).unwrap();
        }
    };
    set("here", here, there);
    other.inside(|| set("there", there, here)).unwrap();
    other
}

#[test]
fn packets_of_both_families_pass_at_once_between_the_ends_of_a_pair() {
    in_a_namespace("netlink::route::tests::packets_of_both_families_pass_at_once_between_the_ends_of_a_pair", || {
        let (here, there) = (["10.1.0.1", "fd00:1::1"], ["10.2.0.1", "fd00:2::1"]);
        let other = pair(here, there);
        for (own, peer) in here.into_iter().zip(there) {
            let receiver = other.inside(|| UdpSocket::bind((ip(peer), 4000))).unwrap().unwrap();
            receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let sender = UdpSocket::bind((ip(own), 0)).unwrap();
            sender.send_to(b"hello", (ip(peer), 4000)).unwrap();
            let (length, from) = receiver.recv_from(&mut [0; 16]).unwrap();
            assert_eq!((length, from.ip()), (5, ip(own)));
        }
    });
}

#[test]
fn links_and_routes_are_listed_and_a_pair_goes_with_one_of_its_ends() {
    in_a_namespace("netlink::route::tests::links_and_routes_are_listed_and_a_pair_goes_with_one_of_its_ends", || {
        let other = pair(["10.1.0.1", "fd00:1::1"], ["10.2.0.1", "fd00:2::1"]);
        let mut socket = link::open().unwrap();
        let made = link::by_name(&mut socket, "here").unwrap();
        assert_eq!((made.alias.as_str(), made.up), ("of a test", true));
        assert!(destinations(&mut socket, ip("10.0.0.0")).unwrap().contains(&Range::only(ip("10.2.0.1"))));
        assert!(destinations(&mut socket, ip("::")).unwrap().contains(&Range::only(ip("fd00:2::1"))));
        let again = add(&mut socket, Range::only(ip("10.2.0.1")), made.index, None).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let taken = link::add_pair(&mut socket, "here", "", other.as_fd(), "x").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);

        link::remove(&mut socket, made.index).unwrap();
        assert_eq!(link::by_name(&mut socket, "here").unwrap_err().kind(), io::ErrorKind::NotFound);
        let left = other.inside(|| link::all(&mut link::open().unwrap()).unwrap()).unwrap();
        assert!(left.iter().all(|link| link.name != "there"), "{left:?}");
    });
}

#[test]
fn ranges_overlap_when_they_share_an_address() {
    let range = |text: &str| {
        let (base, bits) = text.split_once('/').unwrap();
        Range { base: ip(base), bits: bits.parse().unwrap() }
    };
    let overlap = |one: &str, two: &str| range(one).overlaps(&range(two));
    assert!(overlap("10.0.0.0/8", "10.200.3.0/24"));
    assert!(overlap("10.200.3.0/24", "10.200.3.17/32"));
    assert!(overlap("0.0.0.0/0", "10.200.3.0/24"));
    assert!(!overlap("10.200.3.0/24", "10.200.4.0/24"));
    assert!(!overlap("::/0", "10.200.4.0/24"));
    assert!(overlap("fd00::/8", "fd12:3456::/64"));
    assert!(!overlap("fd12::/16", "fd13::/16"));
}
