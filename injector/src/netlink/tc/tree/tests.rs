//! In a network namespace of the test's own, with the real `tc` as the other tool.

use std::process::Command;

use super::super::fifo::Fifo;
use super::super::htb::{Class, Htb};
use super::super::rate::Rate;
use super::super::{Request, Verb};
use super::*;
use crate::netlink::testing::in_a_namespace;

const ROOT: Handle = Handle::qdisc(*OWN.start());

/// Runs a line of shell that must work.
fn sh(line: &str) {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

fn look(tc: &mut Tc, name: &str) -> Queues {
    Tree::of(tc).unwrap().links.into_iter().find(|queues| queues.name == name).unwrap()
}

/// Our root with a class and its queue.
fn shape(tc: &mut Tc, link: u32) {
    tc.ask(&Request::qdisc(Verb::Replace, Place::root(link, ROOT), &Htb { direct_packets: 1000 })).unwrap();
    let class = Place { link, parent: ROOT, handle: ROOT.class(2) };
    let rate = Rate { bytes_per_second: 125_000 };
    tc.ask(&Request::class(Verb::Add, class, &Class { rate, burst: 3000 })).unwrap();
    let leaf = Place { link, parent: ROOT.class(2), handle: Handle::qdisc(0xb271) };
    tc.ask(&Request::qdisc(Verb::Add, leaf, &Fifo::Bytes(100_000))).unwrap();
}

#[test]
fn rule_4_a_root_that_somebody_owns_is_refused_and_the_kernels_own_is_not() {
    in_a_namespace(
        "netlink::tc::tree::tests::rule_4_a_root_that_somebody_owns_is_refused_and_the_kernels_own_is_not",
        || {
            sh("ip link add va numtxqueues 2 type veth peer name vb; ip link set va up; ip link set vb up");
            let mut tc = Tc::open().unwrap();
            assert_eq!(look(&mut tc, "va").free(), Ok(()), "what a new link has");
            for (handle, free) in [(8001, "pfifo_fast"), (8002, "mq")] {
                sh(&format!("tc qdisc replace dev va root handle {handle}: {free}"));
                assert_eq!(look(&mut tc, "va").free(), Ok(()), "{free}");
            }
            // An ingress qdisc is somebody's, and none of our business: it is beside the root.
            sh(
                "tc qdisc add dev va ingress; tc filter add dev va parent ffff: protocol ip u32 match u32 0 0 action mirred egress mirror dev vb",
            );
            assert_eq!(look(&mut tc, "va").free(), Ok(()));
            for taken in ["htb", "tbf rate 1mbit burst 10k limit 10k", "pfifo"] {
                sh(&format!("tc qdisc del dev va root; tc qdisc replace dev va root handle 8001: {taken}"));
                let refused = look(&mut tc, "va").free().unwrap_err().to_string();
                let kind = taken.split(' ').next().unwrap();
                assert_eq!(refused, format!("link va already has {kind} 8001: at root, which another tool set"));
            }
            sh("tc qdisc del dev va root");
            let link = look(&mut tc, "va").link;
            shape(&mut tc, link);
            let refused = look(&mut tc, "va").free().unwrap_err().to_string();
            assert_eq!(refused, "link va already has htb b270: at root, which another fault of brunt set");
        },
    );
}

#[test]
fn rule_4_what_was_there_comes_back_parents_first_and_compares_equal() {
    in_a_namespace(
        "netlink::tc::tree::tests::rule_4_what_was_there_comes_back_parents_first_and_compares_equal",
        || {
            sh("ip link add va numtxqueues 2 type veth peer name vb; ip link set va up; ip link set vb up");
            let mut tc = Tc::open().unwrap();
            let befores = [
                ("true", "what the kernel put there by itself"),
                ("tc qdisc replace dev va root handle 8001: pfifo_fast", "a root that somebody set"),
                (
                    "tc qdisc replace dev va root handle 8003: mq; tc qdisc replace dev va parent 8003:2 handle 8002: pfifo_fast",
                    "a root with a child that somebody set",
                ),
            ];
            for (set, what) in befores {
                sh(set);
                let before = look(&mut tc, "va");
                let text = serde_json::to_string(&before).unwrap();
                shape(&mut tc, before.link);
                assert!(look(&mut tc, "va").differences(&before).len() > 2, "{what}");
                // As another process does it, from the journal.
                let read: Queues = serde_json::from_str(&text).unwrap();
                let restored = read.restore(&mut tc).unwrap();
                assert_eq!(restored, Restored::Yes("the queues of va are as they were".into()), "{what}");
                assert_eq!(look(&mut tc, "va"), before, "{what}");
                let again = read.restore(&mut tc).unwrap();
                assert_eq!(again, Restored::Yes("the queues of va were as before already".into()), "{what}");
            }
        },
    );
}

#[test]
fn rule_4_what_another_tool_put_there_meanwhile_is_left_alone_and_told() {
    in_a_namespace(
        "netlink::tc::tree::tests::rule_4_what_another_tool_put_there_meanwhile_is_left_alone_and_told",
        || {
            sh("ip link add va type veth peer name vb; ip link set va up; ip link set vb up");
            let mut tc = Tc::open().unwrap();
            let before = look(&mut tc, "va");
            shape(&mut tc, before.link);
            sh("tc qdisc replace dev va root handle 8001: pfifo limit 7");
            let Restored::Differs(differences) = before.restore(&mut tc).unwrap() else { panic!("it differs") };
            assert!(
                differences.contains(&"va: qdisc pfifo 8001: at root was not there, or was different".into()),
                "{differences:?}"
            );
            assert_eq!(look(&mut tc, "va").root().unwrap().kind, "pfifo");
            // A link of another name took the index, or the link is gone: nothing is touched.
            sh("ip link del va");
            assert_eq!(before.restore(&mut tc).unwrap(), Restored::Yes("va is gone, and its queues with it".into()));
        },
    );
}

#[test]
fn counters_are_no_difference() {
    in_a_namespace("netlink::tc::tree::tests::counters_are_no_difference", || {
        sh("tc qdisc add dev lo root handle 1: htb; tc class add dev lo parent 1: classid 1:2 htb rate 1gbit;
            tc filter add dev lo parent 1: protocol ip prio 1 u32 match ip dst 127.0.0.9/32 flowid 1:2");
        let mut tc = Tc::open().unwrap();
        let before = Tree::of(&mut tc).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for last in [1, 9] {
            socket.send_to(b"packet", ("127.0.0.".to_owned() + &last.to_string(), 9)).unwrap();
        }
        let after = Tree::of(&mut tc).unwrap();
        assert_eq!(after.differences(&before), Vec::<String>::new());
        sh("tc filter replace dev lo parent 1: protocol ip prio 2 u32 match ip dst 127.0.0.8/32 flowid 1:2");
        assert!(!Tree::of(&mut tc).unwrap().differences(&before).is_empty());
    });
}
