//! How exact faults by netem are, told inside the virtual machine: its clock counts instructions, so the times are those of the
//! kernel's queues and of nothing else. What is printed behind [`MARK`] becomes a section of docs/accuracy.md: see `machine`.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::place::{PEER, PORT, Place, VICTIM, block, fault, inject, lost, percent, time, undone};

/// How a line of the section begins.
pub const MARK: &str = "accuracy| ";

/// All that stands in the section; without it only what a test needs.
fn whole() -> bool {
    std::env::var_os("BRUNT_UPDATE").is_some()
}

/// Half of them are below the first, 99 of 100 below the second.
fn quantiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3)
}

fn beyond(times: Vec<Duration>, asked: Duration) -> [f64; 2] {
    quantiles(times).map(|time| time - asked.as_secs_f64() * 1e3)
}

/// What each took of so many datagrams a second that leave the victim for a second, or come to it.
fn at_a_rate(place: &Place, way: &str, per_second: u32) -> Vec<Duration> {
    let (here, there, to) = match way {
        "to" => (&place.peer, &place.victim, VICTIM[0]),
        _ => (&place.victim, &place.peer, PEER[0]),
    };
    let receiver = there.inside(|| UdpSocket::bind((to, PORT))).unwrap().unwrap();
    let sender = here.inside(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
    receiver.set_nonblocking(true).unwrap();
    sender.connect((to, PORT)).unwrap();
    let began = Instant::now();
    let (mut sent, mut took, mut buffer) = (0, Vec::new(), [0; 8]);
    while took.len() < per_second as usize && began.elapsed() < Duration::from_secs(3) {
        let due = (began.elapsed().as_secs_f64() * f64::from(per_second)) as u32;
        while sent < due.min(per_second) {
            let stamp = began.elapsed().as_nanos() as u64;
            sender.send(&stamp.to_be_bytes()).unwrap();
            sent += 1;
        }
        while receiver.recv(&mut buffer).is_ok() {
            took.push(began.elapsed() - Duration::from_nanos(u64::from_be_bytes(buffer)));
        }
    }
    assert_eq!(took.len(), per_second as usize, "of {per_second}, {way} it");
    took
}

#[test]
#[ignore = "told in a virtual machine"]
fn latencies_and_losses_are_as_asked() {
    let place = Place::new();
    let (latencies, shares, many) = match whole() {
        true => (vec![1, 10, 100, 500], vec![0.001, 0.01, 0.05, 0.3], 20_000),
        false => (vec![1, 100], vec![0.05], 4000),
    };
    block(async {
        let injector = place.start("accuracy").await;
        println!("{MARK}| asked | way | | late p50 | late p99 |\n{MARK}|---|---|---|---|---|");
        for milliseconds in latencies {
            let asked = Duration::from_millis(milliseconds);
            for way in ["to", "from"] {
                inject(&injector, &fault("network.latency", way, &[time(milliseconds)])).await;
                for (family, address) in ["UDP, IPv4", "UDP, IPv6"].into_iter().zip(PEER) {
                    let number = if milliseconds > 100 { 10 } else { 50 };
                    let times =
                        if way == "to" { place.arrives(address, number) } else { place.leaves(address, number) };
                    assert_eq!(times.len(), number as usize);
                    let late = beyond(times, asked);
                    println!("{MARK}| {milliseconds} ms | {way} | {family}, idle | {:.2} | {:.2} |", late[0], late[1]);
                    assert!(late.iter().all(|late| (-0.01..3.0).contains(late)), "{late:?} at {milliseconds} ms");
                }
                undone(&injector.revert("line").await);
            }
        }
        for way in ["to", "from"] {
            inject(&injector, &fault("network.latency", way, &[time(20)])).await;
            let late = beyond(at_a_rate(&place, way, 5000), Duration::from_millis(20));
            println!("{MARK}| 20 ms | {way} | UDP, IPv4, 5000/s | {:.2} | {:.2} |", late[0], late[1]);
            assert!(late.iter().all(|late| (-0.01..3.0).contains(late)), "{late:?} at 5,000/s");
            undone(&injector.revert("line").await);
        }
        println!("{MARK}\n{MARK}| asked | way | | lost | of | found |\n{MARK}|---|---|---|---|---|---|");
        for share in shares {
            for way in ["to", "from"] {
                inject(&injector, &fault("network.loss", way, &[percent("loss", share)])).await;
                let came = if way == "to" { place.arrives(PEER[0], many) } else { place.leaves(PEER[0], many) };
                lost(many, &came, share);
                let gone = many as usize - came.len();
                let found = 100.0 * gone as f64 / f64::from(many);
                println!("{MARK}| {} % | {way} | UDP, IPv4 | {gone} | {many} | {found:.2} % |", share * 100.0);
                undone(&injector.revert("line").await);
            }
        }
        injector.close().await.unwrap();
    });
}
