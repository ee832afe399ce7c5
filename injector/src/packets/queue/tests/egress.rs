//! Packets that are treated where they are made.

use super::*;

fn leaving() -> Path {
    to_port(Hook::Output, Transport::Udp)
}

#[test]
fn what_leaves_is_held_as_a_copy_for_its_time() {
    in_a_namespace(here!("what_leaves_is_held_as_a_copy_for_its_time"), || {
        for address in ["127.0.0.1", "::1"] {
            let mut traffic = Traffic::new(address, PORT);
            let mut queue = start(&leaving(), &delay(100));
            for _ in 0..5 {
                let began = Instant::now();
                traffic.send(20);
                assert_eq!(traffic.receive(20).len(), 20);
                assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
            }
            assert_eq!(queue.matched().unwrap(), 100, "copies are not queued again");
            let counters = queue.release().unwrap();
            assert_eq!((counters.came, counters.held, counters.trouble()), (100, 0, None));
        }
    });
}

#[test]
fn a_sender_is_not_held_up_by_copies_and_they_go_on_in_order_at_the_end() {
    in_a_namespace(here!("a_sender_is_not_held_up_by_copies_and_they_go_on_in_order_at_the_end"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&leaving(), &delay(60_000));
        // Held in the kernel they would be charged to the sender, and the 257th would wait for a minute.
        traffic.send(1000);
        assert!(traffic.received().is_empty());
        let counters = queue.release().unwrap();
        assert!(traffic.receive(1000).into_iter().eq(0..1000));
        assert_eq!((counters.came, counters.held, counters.trouble()), (1000, 0, None));
    });
}

#[test]
fn a_loss_where_packets_are_made_is_not_told_to_their_sender() {
    in_a_namespace(here!("a_loss_where_packets_are_made_is_not_told_to_their_sender"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let queue = start(&leaving(), &lose(0.5));
        // `send` fails on any error.
        let came = traffic.pass(&queue, 1000);
        assert_eq!(came.len() as u64, 1000 - queue.counters().acted);
    });
}

#[test]
fn s6_duplicate_does_not_storm() {
    in_a_namespace(here!("s6_duplicate_does_not_storm"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&leaving(), &Treatment::Duplicate(share(1.0)));
        traffic.send(500);
        let came = traffic.receive(1000);
        assert!(came.into_iter().eq((0..500).flat_map(|number| [number, number])));
        assert_eq!(queue.matched().unwrap(), 500);
        let counters = queue.release().unwrap();
        assert_eq!((counters.came, counters.acted, counters.trouble()), (500, 500, None));
        assert!(traffic.received().is_empty());
    });
}

#[test]
fn what_has_arrived_cannot_be_duplicated() {
    in_a_namespace(here!("what_has_arrived_cannot_be_duplicated"), || {
        let here = Namespace::current().unwrap();
        let treatment = Treatment::Duplicate(share(0.1));
        let refused = Queue::start(&here, &arriving(), &treatment, 1, "brunt-test", LEASE).map(|_| ()).unwrap_err();
        assert!(matches!(refused, Error::Unfit(_)), "{refused}");
    });
}
