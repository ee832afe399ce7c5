//! Faults on packets through the injector and its agent, on a kernel that has netem: which rung serves them, whom they hit, and
//! that they come off. Told inside the virtual machine.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_scenario::plan::{Fault, ParamValue, Piece, Target, Text};

use crate::inside::{near, sh};
use crate::place::{OTHER, PEER, PORT, Place, VICTIM, block, fault, inject, percent, rung, time, took, undone};

#[test]
#[ignore = "told in a virtual machine"]
fn latency_holds_what_leaves_and_nothing_else_and_comes_off() {
    let place = Place::new();
    block(async {
        let injector = place.start("leaves").await;
        inject(&injector, &fault("network.latency", "from", &[time(100)])).await;
        assert_eq!(rung(&injector), ("netem (packets)".into(), String::new()));
        for address in [PEER, OTHER].concat() {
            took(&place.leaves(address, 5), 5, 100);
            took(&place.arrives(address, 5), 5, 0);
        }
        // Some are on their way when it comes off, and none of them is lost.
        let receiver = place.peer.inside(|| UdpSocket::bind((PEER[0], PORT))).unwrap().unwrap();
        let sender = place.victim.inside(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
        (0..50_u8).for_each(|number| assert_eq!(sender.send_to(&[number], (PEER[0], PORT)).unwrap(), 1));
        let began = Instant::now();
        undone(&injector.revert("line").await);
        assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
        receiver.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let came: Vec<u8> = std::iter::from_fn(|| {
            let mut buffer = [0];
            receiver.recv(&mut buffer).ok().map(|_| buffer[0])
        })
        .collect();
        assert_eq!(came, (0..50).collect::<Vec<u8>>());
        drop(receiver);
        took(&place.leaves(PEER[0], 5), 5, 0);
        assert_eq!(place.left(), [""; 0]);
        injector.close().await.unwrap();
    });
}

#[test]
#[ignore = "told in a virtual machine"]
fn latency_holds_what_arrives_and_both_ways_act_together() {
    let place = Place::new();
    block(async {
        let injector = place.start("arrives").await;
        inject(&injector, &fault("network.latency", "to", &[time(100)])).await;
        assert_eq!(rung(&injector), ("netem (packets)".into(), String::new()));
        for address in [PEER, OTHER].concat() {
            took(&place.arrives(address, 5), 5, 100);
            took(&place.leaves(address, 5), 5, 0);
        }
        undone(&injector.revert("line").await);
        assert_eq!(place.left(), [""; 0]);
        inject(&injector, &fault("network.latency", "both", &[time(40)])).await;
        for address in PEER {
            took(&place.arrives(address, 5), 5, 40);
            took(&place.leaves(address, 5), 5, 40);
        }
        undone(&injector.revert("line").await);
        assert_eq!(place.left(), [""; 0]);
        injector.close().await.unwrap();
    });
}

#[test]
#[ignore = "told in a virtual machine"]
fn ten_latencies_come_off_together_though_each_holds_what_it_has_for_half_a_second() {
    let place = Place::new();
    let names: Vec<String> = (0..10).map(|number| format!("ten-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        sh(&format!(
            "ip netns del {name} 2>/dev/null || true; ip netns add {name}; ip -n {name} link add line type veth peer name down{number} netns peer
             ip -n {name} addr add 10.8.{number}.1/24 dev line; ip -n {name} link set line up
             ip -n peer addr add 10.8.{number}.2/24 dev down{number}; ip -n peer link set down{number} up"
        ));
    }
    let send = |number: usize| {
        let here = Namespace::named(&names[number]).unwrap();
        let sender = here.inside(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
        sender.send_to(&[0; 8], (format!("10.8.{number}.2").as_str(), PORT)).unwrap();
    };
    block(async {
        let injector = place.start("ten").await;
        for (number, name) in names.iter().enumerate() {
            let fault =
                Fault { id: name.clone(), target: name.clone(), ..fault("network.latency", "from", &[time(500)]) };
            let victims = injector.resolve(&fault, &Target::Netns(name.clone())).await.unwrap();
            injector.inject(&fault, &victims).await.unwrap();
            send(number);
        }
        (0..names.len()).for_each(send);
        let began = Instant::now();
        let all = injector.revert_all().await;
        let took = began.elapsed();
        println!("ten came off within {took:?}");
        assert_eq!(all.len(), names.len());
        all.iter().for_each(|(_, reverted)| undone(reverted));
        assert!(took < Duration::from_secs(1), "{took:?}");
        injector.close().await.unwrap();
    });
    sh(&names.iter().map(|name| format!("ip netns del {name}\n")).collect::<String>());
}

#[test]
#[ignore = "told in a virtual machine"]
fn loss_has_its_share_both_ways_and_the_sender_is_not_told() {
    let place = Place::new();
    block(async {
        let injector = place.start("loss").await;
        let many = 4000;
        let models = [
            (vec![percent("loss", 0.3)], 0.3, 1.0),
            (vec![("model", ParamValue::Word("gilbert_elliott")), percent("p", 0.05), percent("r", 0.45)], 0.1, 3.0),
        ];
        for (with, share, runs) in models {
            inject(&injector, &fault("network.loss", "both", &with)).await;
            assert_eq!(rung(&injector), ("netem (packets)".into(), String::new()));
            // Losses in runs tell as much as fewer of them.
            for came in [place.leaves(PEER[0], many), place.arrives(PEER[1], many)] {
                let gone = (f64::from(many) - came.len() as f64) / runs;
                println!("{} of {many} came, share {share}", came.len());
                assert!(near(gone as u32, (f64::from(many) / runs) as u32, share), "{} of {many} came", came.len());
            }
            undone(&injector.revert("line").await);
            assert_eq!(place.left(), [""; 0]);
        }
        injector.close().await.unwrap();
    });
}

#[test]
#[ignore = "told in a virtual machine"]
fn a_peer_is_hit_and_another_one_is_not() {
    let place = Place::new();
    block(async {
        let injector = place.start("peers").await;
        for family in [0, 1] {
            let host = if family == 0 { PEER[0].to_owned() } else { format!("[{}]", PEER[1]) };
            let url = Target::Url(Text(vec![Piece::Literal(format!("http://{host}:80"))]));
            let from = Some(("peer".to_owned(), url));
            inject(&injector, &Fault { from, ..fault("network.latency", "both", &[time(60)]) }).await;
            for (place_of, address) in [PEER, OTHER].concat().into_iter().enumerate() {
                let hit = if place_of == family { 60 } else { 0 };
                took(&place.leaves(address, 3), 3, hit);
                took(&place.arrives(address, 3), 3, hit);
            }
            undone(&injector.revert("line").await);
            assert_eq!(place.left(), [""; 0]);
        }
        injector.close().await.unwrap();
    });
}

#[test]
#[ignore = "told in a virtual machine"]
fn reorder_and_bandwidth_go_through_the_same_queues() {
    let place = Place::new();
    block(async {
        let injector = place.start("kinds").await;
        let reorder = fault("network.reorder", "from", &[percent("reorder", 0.25), time(20)]);
        inject(&injector, &reorder).await;
        assert_eq!(rung(&injector).0, "netem (packets)");
        let times = place.leaves(PEER[0], 400);
        let early = u32::try_from(times.iter().filter(|time| **time < Duration::from_millis(10)).count()).unwrap();
        assert!(times.len() == 400 && near(early, 400, 0.25), "{early} of {} overtook", times.len());
        undone(&injector.revert("line").await);
        let rate = ("rate", ParamValue::Bandwidth(800_000));
        inject(&injector, &fault("network.bandwidth", "both", &[rate])).await;
        assert_eq!(rung(&injector).0, "htb (packets)");
        for way in ["to", "from"] {
            let (here, there, to) = match way {
                "to" => (&place.peer, &place.victim, VICTIM[0]),
                _ => (&place.victim, &place.peer, PEER[0]),
            };
            let receiver = there.inside(|| UdpSocket::bind((to, PORT))).unwrap().unwrap();
            let sender = here.inside(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
            receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let began = Instant::now();
            // 60 of 1,042 bytes are 62,520: 0.6 s of the rate, less what passes at once.
            (0..60).for_each(|_| assert_eq!(sender.send_to(&[0; 1000], (to, PORT)).unwrap(), 1000));
            let came = (0..60).filter(|_| receiver.recv(&mut [0; 1000]).is_ok()).count();
            let took = began.elapsed();
            println!("{came} of 60 came {way} it in {took:?}");
            assert!(came == 60 && (550..650).contains(&took.as_millis()), "{came} {way} in {took:?}");
        }
        undone(&injector.revert("line").await);
        assert_eq!(place.left(), [""; 0]);
        injector.close().await.unwrap();
    });
}

#[test]
#[ignore = "told in a virtual machine"]
fn what_netem_cannot_do_is_served_below_it_and_why_is_told() {
    let place = Place::new();
    block(async {
        let injector = place.start("below").await;
        let jitter = ("jitter", ParamValue::Duration(Duration::from_millis(5)));
        let queue = "NFQUEUE (packets)".to_owned();
        inject(&injector, &fault("network.latency", "from", &[time(50), jitter])).await;
        assert_eq!(
            rung(&injector),
            (queue.clone(), "with a jitter netem lets packets of one flow overtake each other".into())
        );
        assert!(place.leaves(PEER[0], 5).iter().all(|time| (44..58).contains(&time.as_millis())));
        undone(&injector.revert("line").await);
        // Rule 4: what somebody else shapes is left alone.
        sh("tc -n victim qdisc add dev va root tbf rate 100mbit burst 100k limit 1m");
        let shaped = place.tree();
        inject(&injector, &fault("network.latency", "from", &[time(50)])).await;
        let why = "network namespace victim: link va already has tbf";
        assert!(rung(&injector).0 == queue && rung(&injector).1.starts_with(why), "{:?}", rung(&injector));
        took(&place.leaves(PEER[0], 5), 5, 50);
        undone(&injector.revert("line").await);
        assert_eq!(place.tree(), shaped);
        sh("tc -n victim qdisc del dev va root");
        // Two on one namespace act together: the second is served by the other rung.
        inject(&injector, &fault("network.latency", "from", &[time(50)])).await;
        let second = Fault { id: "second".into(), ..fault("network.latency", "from", &[time(30)]) };
        inject(&injector, &second).await;
        let rung = injector.rung("second").unwrap();
        assert!(rung.by == queue && rung.why_not_higher.unwrap().contains("another fault of brunt"));
        took(&place.leaves(PEER[0], 5), 5, 80);
        for id in ["line", "second"] {
            undone(&injector.revert(id).await);
        }
        assert_eq!(place.left(), [""; 0]);
        injector.close().await.unwrap();
    });
}
