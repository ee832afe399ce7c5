//! What a request costs a proxy that does nothing but carry it, and what it adds to the latency of one connection.

use std::time::{Duration, Instant};

use brunt_tests::haproxy::Balancer;
use brunt_tests::nginx::Nginx;
use brunt_tests::ports;
use tempfile::TempDir;

use crate::parts::{self, MEASURED_CORE, Part, Peers, SERVER_CORE, Wire};
use crate::rounds::{Measured, alternate, percentile};
use crate::{Effort, wire};

/// wrk has connected after this time.
const MARGIN: Duration = Duration::from_millis(500);
const BODY: usize = 1024;
const CONNECTIONS: usize = 64;

/// The proxies, all up at the same time; whoever has no turn has nothing to do.
struct Proxies {
    nginx: Nginx,
    /// Name, process, address.
    all: Vec<(String, u32, String)>,
    brunt: Wire,
    _others: Vec<Part>,
    _folder: TempDir,
}

impl Proxies {
    fn start(peers: &Peers) -> Self {
        let folder = TempDir::with_prefix("brunt-bench-").expect("a temporary folder");
        let nginx = Nginx::start("answers", BODY, Some(SERVER_CORE));
        let [port] = ports::free();
        let server = nginx.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let servers = vec![("only".to_owned(), server)];
        let balancer = Balancer { folder: folder.path().to_owned(), port, mode: "tcp", servers, server_words: "" };
        let haproxy = Part::start(MEASURED_CORE, &balancer.command());
        let address = format!("127.0.0.1:{port}");
        parts::wait_for(&address);
        let brunt = Wire::start(&nginx.address(), None);
        let mut all = vec![
            ("HAProxy".to_owned(), haproxy.pid(), address),
            ("brunt".to_owned(), brunt.pid(), brunt.address().to_owned()),
        ];
        let mut others = vec![haproxy];
        if let Some(program) = &peers.toxiproxy {
            let (part, address) = parts::toxiproxy(program, folder.path(), &nginx.address(), None);
            all.push(("Toxiproxy".to_owned(), part.pid(), address));
            others.push(part);
        }
        Self { nginx, all, brunt, _others: others, _folder: folder }
    }

    fn end(self) {
        self.brunt.end();
    }

    fn names(&self) -> Vec<String> {
        self.all.iter().map(|(name, ..)| name.clone()).collect()
    }
}

/// CPU a request and share of the kernel: 64 connections kept open, replies of 1 KiB, wrk and nginx together on the other
/// core.
pub fn cpu(effort: Effort, peers: &Peers) -> [Vec<Measured>; 2] {
    let proxies = Proxies::start(peers);
    let measured = alternate("proxy, 64 connections", effort.rounds, &proxies.names(), |place| {
        let (_, proxy, address) = &proxies.all[place];
        let seconds = (effort.span + 2 * MARGIN).as_secs() + 1;
        let command =
            ["wrk", "-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), &format!("http://{address}/")];
        let wrk = Part::start(SERVER_CORE, &command.map(str::to_owned));
        std::thread::sleep(MARGIN);
        let (cpu, requests) = (parts::cpu_us(*proxy), proxies.nginx.requests());
        std::thread::sleep(effort.span);
        let cpu = parts::cpu_us(*proxy) - cpu;
        let requests = (proxies.nginx.requests() - requests).saturating_sub(1) as f64;
        wrk.end();
        assert!(requests > 100.0 && cpu > 0.0, "{requests} requests, {cpu} us of CPU: nothing went through");
        [cpu / requests, parts::kernel_share(*proxy)]
    });
    proxies.end();
    measured
}

/// Microseconds at the median that the way through each proxy takes longer than the direct way, in the same round.
pub fn added_latency(effort: Effort, peers: &Peers) -> Vec<Measured> {
    let proxies = Proxies::start(peers);
    let direct = proxies.nginx.address();
    let [added] = alternate("added latency, one connection", effort.rounds, &proxies.names(), |place| {
        let (_, _, address) = &proxies.all[place];
        [median_us(address, effort) - median_us(&direct, effort)]
    });
    proxies.end();
    added
}

fn median_us(address: &str, effort: Effort) -> f64 {
    let mut connection = wire::Connection::open(address);
    let mut ask = || {
        let began = Instant::now();
        connection.ask();
        began.elapsed().as_secs_f64() * 1e6
    };
    for _ in 0..100 {
        ask();
    }
    percentile(&mut (0..effort.in_a_row).map(|_| ask()).collect::<Vec<_>>(), 0.5)
}
