//! How much comes through a thin wire, told by who receives it: bytes a second as the wire counts them, Ethernet's header included.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use rustix::thread::set_current_timer_slack;

use super::lab::{Lab, PORT, Way, any_core, on_core};

/// The wire is busy from the first packets on; only the start of threads and connections is left out.
const BEGINS: Duration = Duration::from_millis(300);
/// Of a frame that is full, over IPv4 and IPv6.
const FULL: f64 = 1514.0;

/// Datagrams, a quarter more than the wire carries.
pub fn datagrams(lab: &Lab, way: Way, address: &str, rate: u64, look: Duration) -> f64 {
    const PAYLOAD: usize = 1400;
    let (sender, receiver) = lab.sockets(way, address);
    let framed = PAYLOAD + 8 + if address.contains(':') { 40 } else { 20 } + 14;
    let gap = Duration::from_secs_f64(framed as f64 / (rate as f64 * 1.25));
    let receiving = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&receiving);
    let sending = std::thread::spawn(move || {
        on_core(0);
        let _ = set_current_timer_slack(std::num::NonZeroU64::new(1));
        let began = Instant::now();
        let mut sent = 0_u32;
        while still.load(Relaxed) {
            sender.send(&[0; PAYLOAD]).expect("nobody is told of what is lost");
            sent += 1;
            std::thread::sleep((gap * sent).saturating_sub(began.elapsed()));
        }
    });
    on_core(0);
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("not zero");
    let began = Instant::now();
    let receive = || {
        let length = receiver.recv(&mut [0; PAYLOAD]).expect("the wire carries something");
        assert_eq!(length, PAYLOAD);
        Instant::now()
    };
    let first = std::iter::repeat_with(receive).find(|came| *came > began + BEGINS).expect("it goes on");
    let (mut last, mut many) = (first, 0_u32);
    while last < first + look {
        last = receive();
        many += 1;
    }
    receiving.store(false, Relaxed);
    sending.join().expect("it does not panic");
    any_core();
    (many as usize * framed) as f64 / (last - first).as_secs_f64()
}

/// One connection, as fast as it goes. By the segments that the receiving kernel counts: what it has and cannot deliver yet,
/// because one before it was lost, has passed the wire.
pub fn stream(lab: &Lab, way: Way, address: &str, look: Duration) -> f64 {
    let (from, to, host) = match way {
        Way::To => (&lab.peer, &lab.target, "1"),
        Way::From => (&lab.target, &lab.peer, "2"),
    };
    let address: IpAddr = address.replace('?', host).parse().expect("an address");
    let listener = to.inside(|| TcpListener::bind((address, PORT))).expect("entered").expect("bound");
    let client = from.inside(|| TcpStream::connect((address, PORT))).expect("entered").expect("connected");
    socket2::SockRef::from(&client).set_tcp_congestion(b"cubic").expect("cubic is in every kernel");
    let (mut server, _) = listener.accept().expect("it has connected");
    let reading = std::thread::spawn(move || {
        on_core(0);
        let mut buffer = vec![0; 1 << 16];
        while server.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    let looking = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&looking);
    let writing = std::thread::spawn(move || {
        on_core(0);
        let mut client = client;
        while still.load(Relaxed) {
            client.write_all(&[7; 1 << 14]).expect("the connection holds");
        }
        // What is in its buffer would take seconds.
        let _ = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
    });
    std::thread::sleep(BEGINS);
    let (before, since) = (segments(to), Instant::now());
    std::thread::sleep(look);
    let rate = (segments(to) - before) * FULL / since.elapsed().as_secs_f64();
    looking.store(false, Relaxed);
    writing.join().expect("it does not panic");
    reading.join().expect("it does not panic");
    rate
}

/// TCP segments of both families that have come to a namespace.
fn segments(namespace: &Namespace) -> f64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/snmp");
    let text = namespace.inside(read).expect("entered").expect("/proc is mounted");
    let mut tcp = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, numbers) = (tcp.next().expect("a line of names"), tcp.next().expect("a line of numbers"));
    let place = names.split_whitespace().position(|name| name == "InSegs").expect("the kernel counts them");
    numbers.split_whitespace().nth(place).and_then(|number| number.parse().ok()).expect("a number")
}
