//! How exactly faults on the wire do what they are told, brunt beside Toxiproxy, end to end: from the client's write to the
//! arrival of the whole reply.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use brunt_tests::answering::Answering;
use tempfile::TempDir;

use crate::Effort;
use crate::parts::{self, Part, Peers, Wire};
use crate::rounds::{Measured, alternate, percentile};
use crate::wire::{self, Evenly};

const ASKED_MS: f64 = 100.0;
/// 10 Mbit/s in bytes.
const ASKED_BYTES: f64 = 1_250_000.0;
/// Buffers on the way have filled after this time.
const BUFFERS_FILL: Duration = Duration::from_millis(500);

/// What nothing that waits can better, on the core where the proxies are.
const TIMER: &str = "a bare timer of the kernel";

/// One way to be asked, and the error of p50 and p99 in milliseconds.
pub struct Case {
    /// In words.
    pub what: &'static str,
    /// At the median.
    pub p50: Vec<Measured>,
    /// At the 99th percentile.
    pub p99: Vec<Measured>,
}

/// 100 ms on every reply.
pub fn latency(effort: Effort, peers: &Peers) -> Vec<Case> {
    let one = Evenly { connections: 1, rate: 100.0, lasts: effort.span };
    let many = Evenly { connections: 1000, rate: 2000.0, lasts: effort.span };
    let whole = Answering::on_core_0();
    let halves = Answering::in_two_segments_on_core_0();
    let mut cases = Vec::new();
    for (what, server, asked) in [
        ("1 connection, 100 messages a second", &whole, one),
        ("the same, each reply in two segments", &halves, one),
        ("1,000 connections, 2,000 messages a second", &whole, many),
    ] {
        let toxic = ("latency", r#"{"latency":100,"jitter":0}"#);
        let idle = Wire::start(server.address(), None);
        let slow = Between::start(peers, server.address(), ("network.latency", "latency: 100ms"), toxic);
        let directly = [(server.address(), 0.0), (idle.address(), 0.0)];
        let addresses: Vec<_> = directly.into_iter().chain(slow.addresses(ASKED_MS)).collect();
        let without = ["no proxy, no fault", "brunt's proxy, no fault"].map(str::to_owned);
        let names = [vec![TIMER.to_owned()], without.to_vec(), slow.names()].concat();
        let [p50, p99] = alternate(&format!("100 ms, {what}"), effort.rounds, &names, |place| {
            let Some((address, due)) = place.checked_sub(1).map(|place| addresses[place]) else {
                let mut late = wire::timer_lateness_ms(asked.rate, asked.lasts);
                return [0.5, 0.99].map(|share| percentile(&mut late, share));
            };
            let mut latencies = asked.latencies_ms(address);
            let errors = [0.5, 0.99].map(|share| percentile(&mut latencies, share) - due);
            assert!(errors[0] > -1.0, "the fault has no effect: {errors:?} ms");
            errors
        });
        idle.end();
        slow.end();
        cases.push(Case { what, p50, p99 });
    }
    cases
}

/// How many per cent more or less than 10 Mbit/s come through.
pub fn bandwidth(effort: Effort, peers: &Peers) -> Vec<Measured> {
    let sender = endless();
    let toxic = ("bandwidth", r#"{"rate":1250}"#);
    let narrow = Between::start(peers, &sender, ("network.bandwidth", "rate: 10mbit"), toxic);
    let addresses: Vec<_> = narrow.addresses(ASKED_BYTES).collect();
    let [error] = alternate("10 Mbit/s", effort.rounds, &narrow.names(), |place| {
        let (address, due) = addresses[place];
        [(wire::bytes_a_second(address, BUFFERS_FILL, effort.span) / due - 1.0) * 100.0]
    });
    narrow.end();
    error
}

/// A fault in front of a server, by brunt and by Toxiproxy.
struct Between {
    brunt: Wire,
    toxiproxy: Option<(Part, String)>,
    _folder: TempDir,
}

impl Between {
    fn start(peers: &Peers, upstream: &str, fault: (&str, &str), toxic: (&str, &str)) -> Self {
        let folder = TempDir::with_prefix("brunt-bench-").expect("a temporary folder");
        let toxiproxy = peers.toxiproxy.as_ref();
        let toxiproxy = toxiproxy.map(|program| parts::toxiproxy(program, folder.path(), upstream, Some(toxic)));
        Self { brunt: Wire::start(upstream, Some(fault)), toxiproxy, _folder: folder }
    }

    fn names(&self) -> Vec<String> {
        let toxiproxy = self.toxiproxy.as_ref().map(|_| "Toxiproxy".to_owned());
        std::iter::once("brunt".to_owned()).chain(toxiproxy).collect()
    }

    fn addresses(&self, due: f64) -> impl Iterator<Item = (&str, f64)> {
        let toxiproxy = self.toxiproxy.as_ref().map(|(_, address)| address.as_str());
        std::iter::once(self.brunt.address()).chain(toxiproxy).map(move |address| (address, due))
    }

    fn end(self) {
        self.brunt.end();
    }
}

/// Sends to everybody who connects, as fast as they take it, until they hang up.
fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                while stream.write_all(&[b'x'; 16 * 1024]).is_ok() {}
            });
        }
    });
    address
}
