//! In a network namespace of the test's own, against the real kernel.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::*;
use crate::netlink::nf_tables::{Hook, Leased, Match, Rule, Transport, Verdict};
use crate::netlink::testing::in_a_namespace;

const PORT: u16 = 4712;
const NUMBER: u16 = 4712;

fn rule() -> Rule {
    let matches = vec![Match::Transport(Transport::Udp), Match::To(PORT)];
    Rule { hook: Hook::Prerouting, matches, verdict: Verdict::Queue { number: NUMBER } }
}

fn table() -> Leased {
    Leased::install("brunt-test", Duration::from_secs(5), &[rule()]).unwrap()
}

struct Traffic {
    receiver: UdpSocket,
    sender: UdpSocket,
}

impl Traffic {
    fn new() -> Self {
        let receiver = UdpSocket::bind(("127.0.0.1", PORT)).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        Self { receiver, sender }
    }

    fn send(&self, numbers: std::ops::Range<u8>) {
        for number in numbers {
            self.sender.send(&[number]).unwrap();
        }
    }

    fn received(&self) -> Vec<u8> {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| self.receiver.recv(&mut buffer).ok().map(|_| buffer[0])).collect()
    }
}

/// Reads until so many have come.
fn read(queue: &mut Queue, many: usize) -> Vec<(u32, u8)> {
    let mut all = Vec::new();
    let began = Instant::now();
    while all.len() < many {
        queue.read(|packet| all.push((packet.id, *packet.bytes.last().unwrap()))).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{} of {many} came", all.len());
    }
    all
}

#[test]
fn packets_wait_for_their_verdicts_and_keep_their_bytes_or_get_others() {
    in_a_namespace("netlink::queue::tests::packets_wait_for_their_verdicts_and_keep_their_bytes_or_get_others", || {
        let traffic = Traffic::new();
        let mut queue = Queue::bind(NUMBER, Copied::Whole, 100).unwrap();
        let _table = table();
        traffic.send(0..6);
        let came = read(&mut queue, 6);
        assert!(came.iter().map(|(_, byte)| *byte).eq(0..6), "{came:?}");
        assert!(traffic.received().is_empty());
        assert_eq!(queue.waiting(), Some(6));
        let id = |place: usize| came[place].0;
        queue.accept(id(4)).unwrap();
        queue.drop_one(id(1)).unwrap();
        queue.flush().unwrap();
        assert_eq!(traffic.received(), [4]);
        queue.accept_up_to(id(2)).unwrap();
        queue.flush().unwrap();
        assert_eq!(traffic.received(), [0, 2]);
        // Other bytes, with the checksum of UDP switched off so that they are not thrown away.
        let mut changed = None;
        traffic.send(9..10);
        let began = Instant::now();
        while changed.is_none() && began.elapsed() < Duration::from_secs(5) {
            queue.read(|packet| changed = Some((packet.id, packet.bytes.to_vec()))).unwrap();
        }
        let (id, mut bytes) = changed.unwrap();
        assert_eq!((bytes.len(), bytes[28]), (29, 9));
        bytes[26..29].copy_from_slice(&[0, 0, 77]);
        queue.accept_changed(id, &bytes).unwrap();
        queue.flush().unwrap();
        assert_eq!(traffic.received(), [77]);
        assert!(queue.losses().none());
    });
}

#[test]
fn s7_queue_number_taken() {
    in_a_namespace("netlink::queue::tests::s7_queue_number_taken", || {
        let first = Queue::bind(NUMBER, Copied::Head, 100).unwrap();
        let Err(error) = Queue::bind(NUMBER, Copied::Head, 100) else { panic!("bound twice") };
        assert!(matches!(error, BindError::Taken(NUMBER)), "{error}");
        drop(first);
        assert!(Queue::bind(NUMBER, Copied::Head, 100).is_ok());
    });
}

#[test]
fn what_the_queue_loses_by_itself_is_counted() {
    in_a_namespace("netlink::queue::tests::what_the_queue_loses_by_itself_is_counted", || {
        let traffic = Traffic::new();
        let mut queue = Queue::bind(NUMBER, Copied::Head, 10).unwrap();
        let table = table();
        traffic.send(0..15);
        let came = read(&mut queue, 10);
        assert_eq!(queue.waiting(), Some(10));
        assert_eq!(queue.losses(), Losses { overflowed: 5, ..Losses::default() });
        // Removing a base chain drops what waits, and says nothing.
        drop(table);
        assert_eq!(queue.waiting(), Some(0));
        queue.accept(came[3].0).unwrap();
        queue.flush().unwrap();
        let began = Instant::now();
        while queue.losses().vanished == 0 && began.elapsed() < Duration::from_secs(5) {
            queue.read(|_| panic!("nothing more was sent")).unwrap();
        }
        assert_eq!(queue.losses(), Losses { overflowed: 5, vanished: 1, ..Losses::default() });
        assert!(traffic.received().is_empty());
    });
}

#[test]
fn a_reader_that_is_too_slow_learns_how_many_it_has_missed() {
    in_a_namespace("netlink::queue::tests::a_reader_that_is_too_slow_learns_how_many_it_has_missed", || {
        let traffic = Traffic::new();
        let mut queue = Queue::bind(NUMBER, Copied::Head, 100_000).unwrap();
        sockopt::set_socket_recv_buffer_size(&queue.socket, 4096).unwrap();
        let _table = table();
        let mut came = 0;
        for _ in 0..3 {
            traffic.send(0..200);
            while queue.read(|_| came += 1).unwrap() > 0 {}
            // The kernel knows of them before the next number tells, and they are the same.
            assert_eq!(queue.waiting(), Some(came as u32));
        }
        // The last number that came may not be the last that was given.
        sockopt::set_socket_recv_buffer_size(&queue.socket, 1 << 20).unwrap();
        traffic.send(0..1);
        while queue.read(|_| came += 1).unwrap() > 0 {}
        let losses = queue.losses();
        assert!(losses.unread > 0 && losses.warned > 0, "{losses:?}");
        assert_eq!(came + losses.unread, 601, "{losses:?}");
    });
}

#[test]
fn the_table_in_proc_is_read_by_its_columns() {
    let text = "    7  31337   12 2    64     5     6       99  1\n   70      1    0 1     0     0     0        0  1\n";
    assert_eq!(row(text, 7), Some(Row { waiting: 12, overflowed: 5, unread: 6 }));
    assert_eq!(row(text, 70), Some(Row { waiting: 0, overflowed: 0, unread: 0 }));
    assert_eq!(row(text, 8), None);
}
