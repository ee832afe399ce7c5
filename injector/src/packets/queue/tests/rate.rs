//! Packets before a thin wire.

use super::*;

/// Datagrams of the tests on the wire: four bytes, and headers.
const V4: u64 = 4 + 8 + 20 + 14;
const V6: u64 = 4 + 8 + 40 + 14;

fn rate(bytes_per_second: u64) -> Treatment {
    Treatment::Rate(Rate { bytes_per_second })
}

#[test]
fn packets_pass_at_the_rate_in_order_in_both_protocols_and_directions() {
    in_a_namespace(here!("packets_pass_at_the_rate_in_order_in_both_protocols_and_directions"), || {
        const SENT: u32 = 1000;
        for hook in [Hook::Prerouting, Hook::Output] {
            for (address, each) in [("127.0.0.1", V4), ("::1", V6)] {
                let mut traffic = Traffic::new(address, PORT);
                let mut queue = start(&to_port(hook, Transport::Udp), &rate(200_000));
                let began = Instant::now();
                traffic.send(SENT);
                assert!(traffic.receive(SENT as usize).into_iter().eq(0..SENT));
                let took = began.elapsed();
                let least = Duration::from_secs_f64((each * u64::from(SENT)) as f64 / 200_000.0);
                assert!(took >= least, "{took:?} over {address} at {hook:?} instead of {least:?}");
                // How late is the machine's affair; the bench measures it.
                assert!(took < least * 3, "{took:?} over {address} at {hook:?} instead of {least:?}");
                let counters = queue.release().unwrap();
                let carried = counters.carried;
                assert_eq!((carried.bytes, carried.dropped), (each * u64::from(SENT), 0));
                assert!(carried.busy >= least && carried.busy <= took, "{carried:?}");
                assert!(counters.acted >= u64::from(SENT) - carried.times, "{counters:?}");
                assert_eq!((counters.came, counters.held, counters.trouble()), (SENT.into(), 0, None));
            }
        }
    });
}

#[test]
fn what_finds_no_room_before_the_wire_is_lost_and_counted_and_what_waits_goes_on_at_the_end() {
    in_a_namespace(
        here!("what_finds_no_room_before_the_wire_is_lost_and_counted_and_what_waits_goes_on_at_the_end"),
        || {
            const SENT: u32 = 5000;
            let mut traffic = Traffic::new("127.0.0.1", PORT);
            let mut queue = start(&arriving(), &rate(100));
            for _ in 0..SENT / 100 {
                traffic.send(100);
                until("the decision about all packets", || queue.counters().came == u64::from(traffic.sent));
            }
            // 128 KiB, and the one that was there before they were full.
            let fit = (128 << 10) / V4 as u32 + 1;
            let counters = queue.release().unwrap();
            // With 100 bytes a second hardly any has left in the meantime.
            let kept = SENT - u32::try_from(counters.carried.dropped).unwrap();
            assert!((fit..fit + 50).contains(&kept), "{counters:?}");
            let came = traffic.receive(kept as usize);
            assert!(came[..fit as usize].iter().copied().eq(0..fit) && came.is_sorted(), "the first ones, in order");
            assert!(counters.carried.bytes < 100 * V4, "what goes on at the end has not passed the wire");
            assert_eq!((counters.held, counters.trouble()), (0, None));
        },
    );
}

#[test]
fn tcp_slows_down_to_the_rate_and_arrives_whole() {
    in_a_namespace(here!("tcp_slows_down_to_the_rate_and_arrives_whole"), || {
        use std::io::{Read, Write};
        let ran = std::process::Command::new("ip").args(["link", "set", "lo", "mtu", "1500"]).status().unwrap();
        assert!(ran.success());
        const BYTES: usize = 1_000_000;
        for (hook, address) in [(Hook::Prerouting, "127.0.0.1"), (Hook::Output, "::1")] {
            let mut queue = start(&to_port(hook, Transport::Tcp), &rate(1_000_000));
            let listener = TcpListener::bind((address, PORT)).unwrap();
            let mut client = TcpStream::connect((address, PORT)).unwrap();
            socket2::SockRef::from(&client).set_tcp_congestion(b"cubic").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let bytes: Vec<u8> = (0..BYTES).map(|number| (number % 251) as u8).collect();
            let sent = bytes.clone();
            let began = Instant::now();
            let writer = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
            let mut got = vec![0; bytes.len()];
            server.read_exact(&mut got).unwrap();
            let took = began.elapsed();
            assert!(got == bytes, "other bytes have arrived");
            assert!(took > Duration::from_secs(1), "{took:?} at {hook:?}");
            drop(writer.join().unwrap().unwrap());
            let counters = queue.release().unwrap();
            assert!(counters.carried.bytes > BYTES as u64 && counters.acted > 300, "{counters:?}");
            assert_eq!(counters.trouble(), None);
        }
    });
}
