//! A network in a namespace of the test's own: what passes, what does not, and what is left.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::*;
use crate::netlink::testing::in_a_namespace;

const PATIENCE: Duration = Duration::from_secs(5);

fn key(service: &str, index: usize) -> Key {
    (service.to_owned(), index)
}

fn build(instances: &[Key]) -> Network {
    Network::build("7-4711", "of a test", instances.to_vec()).unwrap()
}

/// What everybody can see of a network: the interfaces of this namespace and where its routes lead.
fn visible() -> (Vec<String>, Vec<Range>) {
    let mut socket = link::open().unwrap();
    let links = link::all(&mut socket).unwrap().into_iter().map(|link| link.name).collect();
    (links, range::taken(&mut socket).unwrap())
}

/// A word there and back, over TCP, from one place to an address of another; returns who the caller was.
fn talk(from: &Namespace, listener: &TcpListener) -> IpAddr {
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut stream = from.inside(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(b"hello").unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
        });
        let (mut stream, peer) = listener.accept().unwrap();
        let mut word = [0; 5];
        stream.read_exact(&mut word).unwrap();
        stream.write_all(&word).unwrap();
        caller.join().unwrap();
        peer.ip()
    })
}

#[test]
fn instances_and_brunt_reach_each_other_by_both_families() {
    in_a_namespace("agent::network::tests::instances_and_brunt_reach_each_other_by_both_families", || {
        let (orders, payments) = (key("orders", 0), key("a-service-with-a-long-name", 3));
        let network = build(&[orders.clone(), payments.clone()]);
        let (orders_at, payments_at) = (network.addresses(&orders).unwrap(), network.addresses(&payments).unwrap());
        let here = Namespace::current().unwrap();
        for (to, (from, brunt)) in payments_at.each().zip(orders_at.each().zip(network.layout().brunt.each())) {
            let place = network.place(&payments).unwrap();
            let listener = place.inside(|| TcpListener::bind((to, 8080)).unwrap()).unwrap();
            assert_eq!(talk(network.place(&orders).unwrap(), &listener), from, "who calls is seen as it is");
            assert_eq!(talk(&here, &listener), brunt);
            // A link: brunt listens, an instance calls.
            let listener = TcpListener::bind((brunt, 0)).unwrap();
            assert_eq!(talk(place, &listener), to);
        }
    });
}

#[test]
fn what_passes_between_instances_is_seen_by_the_hub_as_forwarded() {
    in_a_namespace("agent::network::tests::what_passes_between_instances_is_seen_by_the_hub_as_forwarded", || {
        let (a, b) = (key("a", 0), key("b", 0));
        let network = build(&[a.clone(), b.clone()]);
        // The hub has an address on each wire, and no way from there into the namespace of brunt's own loopback.
        let to = network.addresses(&b).unwrap().v4;
        let receiver = network.place(&b).unwrap().inside(|| UdpSocket::bind((to, 9)).unwrap()).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let sender = network.place(&a).unwrap().inside(|| UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
        let forwarded = || {
            let count = |text: String| {
                let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
                let names: Vec<&str> = lines.next().unwrap().split(' ').collect();
                let at = names.iter().position(|name| *name == "ForwDatagrams").unwrap();
                lines.next().unwrap().split(' ').nth(at).unwrap().parse::<u64>().unwrap()
            };
            network.hub().inside(|| count(fs::read_to_string("/proc/thread-self/net/snmp").unwrap())).unwrap()
        };
        let before = forwarded();
        for _ in 0..10 {
            sender.send_to(b"x", (to, 9)).unwrap();
            receiver.recv(&mut [0; 1]).unwrap();
        }
        assert!(forwarded() - before >= 10);
    });
}

#[test]
fn a_network_that_is_let_go_leaves_no_link_and_no_route() {
    in_a_namespace("agent::network::tests::a_network_that_is_let_go_leaves_no_link_and_no_route", || {
        let before = visible();
        let network = build(&[key("a", 0)]);
        let wire = wire_of("7-4711");
        assert!(visible().0.contains(&wire) && visible() != before);
        drop(network);
        assert_eq!(visible(), before);
        // Its name is free again at once.
        drop(build(&[key("a", 0)]));
    });
}

#[test]
fn a_second_network_takes_another_range() {
    in_a_namespace("agent::network::tests::a_second_network_takes_another_range", || {
        let first = build(&[key("a", 0)]);
        // As if the second run began its search at the same place.
        let mut socket = link::open().unwrap();
        let taken = range::taken(&mut socket).unwrap();
        let own: Vec<Ranges> = range::candidates("7-4711", true).take(1).collect();
        assert!(own[0].touch(&taken), "the first candidate is taken now");
        let second = Network::build("7-4712", "", vec![key("a", 0)]).unwrap();
        let of = |network: &Network| network.addresses(&key("a", 0)).unwrap();
        assert_ne!(of(&first), of(&second));
        // Both work side by side.
        for network in [&first, &second] {
            let place = network.place(&key("a", 0)).unwrap();
            let listener = place.inside(|| TcpListener::bind((of(network).v4, 80)).unwrap()).unwrap();
            talk(&Namespace::current().unwrap(), &listener);
        }
    });
}

#[test]
fn when_no_range_is_free_it_says_so_and_leaves_nothing() {
    in_a_namespace("agent::network::tests::when_no_range_is_free_it_says_so_and_leaves_nothing", || {
        let mut socket = link::open().unwrap();
        let loopback = link::by_name(&mut socket, "lo").unwrap().index;
        for (base, bits) in [("10.0.0.0", 8), ("198.18.0.0", 15)] {
            let range = Range { base: base.parse().unwrap(), bits };
            route::add(&mut socket, range, loopback, None).unwrap();
        }
        let before = visible();
        let error = Network::build("run", "", vec![key("a", 0)]).unwrap_err();
        assert!(error.to_string().contains("`ip route` shows them"), "{error}");
        assert_eq!(visible(), before);
    });
}

#[test]
fn namespaces_end_with_their_holder() {
    in_a_namespace("agent::network::tests::namespaces_end_with_their_holder", || {
        let network = build(&[key("a", 0)]);
        let hub = network.hub().clone();
        let before = hub.inside(|| link::all(&mut link::open().unwrap()).unwrap().len()).unwrap();
        drop(network);
        // The instance's end takes the hub's end with it as soon as the kernel has taken its namespace down.
        let until = Instant::now() + PATIENCE;
        loop {
            let left = hub.inside(|| link::all(&mut link::open().unwrap()).unwrap().len()).unwrap();
            // `lo`, and those that the kernel puts into every namespace.
            if left == before - 2 {
                break;
            }
            assert!(Instant::now() < until, "{left} interfaces are left of {before}");
            std::thread::yield_now();
        }
    });
}
