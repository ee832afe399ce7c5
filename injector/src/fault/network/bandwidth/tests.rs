//! A thin wire between real sockets: how fast it is, for whom, and what becomes of what it holds.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use brunt_scenario::plan::ParamValue;

use super::*;
use crate::proxy::Proxy;
use crate::proxy::lab::{LINK, Lab, echo, eventually, fault, is_silent_for, round_trip, seen, server, share, word};

fn rate(bits: u64) -> (&'static str, ParamValue) {
    ("rate", ParamValue::Bandwidth(bits))
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|place| (place * 31 % 251) as u8).collect()
}

/// A server that sends so many bytes at once and closes.
fn sender(bytes: usize) -> SocketAddr {
    let all = pattern(bytes);
    server(move |mut socket| {
        let _ = socket.write_all(&all);
    })
}

fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    all
}

/// How many seconds it takes to bring `bytes` to each of some clients at once.
fn download(bits: u64, clients: usize, bytes: usize) -> f64 {
    let lab = Lab::new(sender(bytes));
    let slow = fault(KIND, &[rate(bits)]);
    let counters = lab.add("thin", slow.clone());
    let start = Instant::now();
    let got = std::thread::scope(|scope| {
        let clients =
            [(); 8].iter().take(clients).map(|()| scope.spawn(|| (rest(&mut lab.connect()), start.elapsed())));
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let expected = pattern(bytes);
    assert!(got.iter().all(|(all, _)| *all == expected), "other bytes came");
    let said = seen(|| lab.verify(&slow, &counters));
    assert!(said.contains("passed while the wire was busy"), "{said}");
    got.iter().map(|(_, took)| took.as_secs_f64()).fold(0.0, f64::max)
}

/// A wire must never be too fast. Too slow it may be on a machine that is busy with something else: not five times over.
#[track_caller]
fn keeps_to(bits: u64, clients: usize) {
    let seconds = 1.5;
    let bytes = (bits as f64 / 8.0 * seconds) as usize / clients;
    let expected = (bytes * clients) as f64 * 8.0 / bits as f64;
    let mut found = Vec::new();
    for _ in 0..5 {
        let took = download(bits, clients, bytes);
        let error = took / expected - 1.0;
        assert!(error > -0.03, "{bits} bit/s for {clients}: {:.1} % too fast", -error * 100.0);
        found.push(error);
        if error < 0.03 {
            return;
        }
    }
    panic!("{bits} bit/s for {clients}: too slow every time: {found:?}");
}

#[test]
fn one_connection_gets_the_rate_within_three_per_cent() {
    for bits in [64_000, 1_000_000, 100_000_000] {
        keeps_to(bits, 1);
    }
}

#[test]
fn several_connections_share_the_rate_within_three_per_cent() {
    for bits in [64_000, 10_000_000, 100_000_000] {
        keeps_to(bits, 4);
    }
}

#[test]
fn an_idle_wire_delays_a_message_by_its_length_and_saves_nothing_up() {
    // Answers when it has the whole message: an echo would send its first bytes back while the last ones still come.
    let lab = Lab::new(server(|mut socket| {
        let mut message = [0; 1250];
        while socket.read_exact(&mut message).is_ok() {
            socket.write_all(&message).unwrap();
        }
    }));
    // 1,250 bytes take 100 ms, there and back again.
    lab.add("thin", fault(KIND, &[rate(100_000)]));
    let mut client = lab.connect();
    for _ in 0..3 {
        let span = round_trip(&mut client, &[1; 1250]);
        assert!((195..300).contains(&span.as_millis()), "{span:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_direction_has_the_rate_and_only_the_chosen_one_is_slow() {
    let up_and_down = |direction| {
        let lab = Lab::new(server(|mut socket| {
            let up = rest(&mut socket);
            socket.write_all(&up[..2500]).unwrap();
        }));
        let counters = lab.add("thin", fault(KIND, &[rate(100_000), word("direction", direction)]));
        let mut client = lab.connect();
        client.write_all(&pattern(5000)).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let start = Instant::now();
        assert_eq!(rest(&mut client), pattern(2500));
        assert!(counters.bytes_held.get() > 0);
        start.elapsed().as_millis()
    };
    let spans = ["to", "from", "both"].map(up_and_down);
    for (span, expected) in spans.into_iter().zip([400, 200, 600]) {
        assert!((expected - 10..expected + 150).contains(&span), "{spans:?}");
    }
}

#[test]
fn a_small_reply_has_its_turn_beside_a_download() {
    let lab = Lab::new(server(|mut socket| {
        let mut wish = [0; 1];
        while socket.read_exact(&mut wish).is_ok() {
            let bytes = if wish[0] == b'L' { 1 << 20 } else { 100 };
            if socket.write_all(&pattern(bytes)).is_err() {
                return;
            }
        }
    }));
    // The large one takes eight seconds.
    let counters = lab.add("thin", fault(KIND, &[rate(1_000_000), word("direction", "from")]));
    let mut large = lab.connect();
    large.write_all(b"L").unwrap();
    eventually("the download is under way", || counters.bytes_held.get() > 10_000);
    let mut small = lab.connect();
    let start = Instant::now();
    small.write_all(b"S").unwrap();
    small.read_exact(&mut [0; 100]).unwrap();
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
}

#[test]
fn a_fast_sender_is_slowed_down_and_not_stored() {
    let lab = Lab::new(server(|mut socket| {
        let _ = std::io::copy(&mut socket, &mut io::sink());
    }));
    lab.add("thin", fault(KIND, &[rate(64_000)]));
    let client = lab.connect();
    client.set_nonblocking(true).unwrap();
    let mut quiet = 0;
    while quiet < 100 {
        if (&client).write(&[1; 65536]).is_err() {
            quiet += 1;
            std::thread::sleep(Duration::from_millis(1));
        } else {
            quiet = 0;
        }
    }
    let taken = lab.proxy.stats()[0].bytes_to as usize;
    assert!(taken < 2 * (ROOM + (64 << 10)), "the proxy has taken {taken} bytes, which it cannot pass on for seconds");
}

#[test]
fn what_is_held_goes_out_at_once_on_removal_as_it_was() {
    let lab = Lab::new(sender(300_000));
    let mut live = lab.connect();
    // A minute's worth.
    let counters = lab.add("thin", fault(KIND, &[rate(40_000)]));
    let mut fresh = lab.connect();
    eventually("bytes are held", || counters.bytes_held.get() > 0);
    let start = Instant::now();
    lab.remove("thin");
    assert!(rest(&mut fresh) == pattern(300_000) && rest(&mut live) == pattern(300_000), "other bytes came");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn what_never_fills_the_wire_does_not_exercise_it() {
    let lab = Lab::new(echo());
    let thin = fault(KIND, &[rate(1_000_000_000)]);
    let counters = lab.add("thin", thin.clone());
    assert_eq!(lab.verify(&thin, &counters), Seen::NotExercised("no connection came along".into()));
    round_trip(&mut lab.connect(), b"hello");
    eventually("both ways are counted", || counters.bytes_paced.get() == 10);
    let told = "10 bytes came along on 1 connection, too few to fill the wire";
    assert_eq!(lab.verify(&thin, &counters), Seen::NotExercised(told.into()));
}

#[test]
fn connections_outside_the_share_pass_beside_the_wire() {
    let lab = Lab::new(echo());
    // A byte takes 80 ms.
    lab.add("thin", fault(KIND, &[rate(100), share(0.5)]));
    let quick = (0..40)
        .filter(|_| {
            let mut client = lab.connect();
            client.write_all(b"0123456789").unwrap();
            !is_silent_for(&mut client, Duration::from_millis(40))
        })
        .count();
    assert!((8..32).contains(&quick), "{quick} of 40 were quick");
}

#[test]
fn each_listener_of_a_link_is_a_wire_of_its_own() {
    let proxy = Proxy::start(1).unwrap();
    let upstreams = [sender(12_500), sender(12_500), sender(12_500)].map(|address| address.to_string());
    let addresses = proxy.open(LINK, false, upstreams.to_vec(), None).unwrap();
    let thin = fault(KIND, &[rate(200_000)]);
    for listener in [0, 1] {
        proxy.add(LINK, listener, "thin", thin.clone()).unwrap();
    }
    let took = |address: &SocketAddr| {
        let start = Instant::now();
        assert_eq!(rest(&mut TcpStream::connect(address).unwrap()).len(), 12_500);
        start.elapsed().as_millis()
    };
    let spans = std::thread::scope(|scope| {
        let all = addresses.iter().map(|address| scope.spawn(move || took(address))).collect::<Vec<_>>();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    // Half a second each; one after the other would take a second. The third is not hit.
    assert!(spans[..2].iter().all(|span| (490..900).contains(span)) && spans[2] < 300, "{spans:?}");
}

#[test]
fn without_its_effect_it_is_found_absent() {
    let lab = Lab::new(echo());
    let thin = fault(KIND, &[rate(1_000)]);
    let counters = lab.add("thin", thin.clone().without_effect());
    round_trip(&mut lab.connect(), &[1; 1000]);
    assert!(matches!(lab.verify(&thin, &counters), Seen::Absent(_)));
}

#[test]
fn a_wire_that_lets_too_much_through_is_found_out() {
    let thin = fault(KIND, &[rate(1_000_000)]);
    let counted = |bytes| Counted {
        seen: 1,
        affected: 1,
        connections: 1,
        bytes_held: bytes,
        bytes_paced: bytes,
        nanos_paced: 1_000_000_000,
        ..Counted::default()
    };
    let verify = |bytes| thin.verify(&counted(bytes), &mut || unreachable!("it needs no fresh connection"));
    let right = "held back 125,000 bytes on 1 connection; 1.00 mbit/s passed while the wire was busy";
    assert_eq!(verify(125_000), Seen::Yes(right.into()));
    assert_eq!(verify(135_000), Seen::Absent("1.08 mbit/s passed where 1.00 mbit/s should".into()));
}

#[test]
fn a_rate_is_needed_and_none_is_no_rate() {
    let told = |with: &[(&'static str, ParamValue)]| {
        from_params(&Params(with.iter().cloned().collect())).err().unwrap().to_string()
    };
    assert_eq!(told(&[]), "network.bandwidth: `rate` is missing, as in `rate: 10mbit`");
    assert_eq!(told(&[rate(0)]), "network.bandwidth: at `rate: 0bit` nothing passes: use network.partition");
}
