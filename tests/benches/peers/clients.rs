//! What a request costs the client: brunt beside wrk and oha. nginx answers 51 bytes on one core, the client has the other.
//!
//! nginx counts the requests and the kernel the CPU time, over a span in the middle of the run: nobody's own figures are
//! believed, and nobody's start counts.

use std::time::{Duration, Instant};

use brunt_tests::brunt::Brunt;
use brunt_tests::nginx::Nginx;

use crate::Effort;
use crate::parts::{self, MEASURED_CORE, Part, Peers, SERVER_CORE};
use crate::rounds::{Measured, alternate};

/// Everything has started after this time, and no run ends within it.
const MARGIN: Duration = Duration::from_millis(800);
const BODY: usize = 51;
const CONNECTIONS: usize = 50;
const RATE: usize = 5000;

/// CPU a request, requests a second, share of the kernel.
pub type Clients = [Vec<Measured>; 3];

/// 50 connections, each sends its next request when the last reply has come.
pub fn closed_loop(effort: Effort, peers: &Peers) -> Clients {
    let users = CONNECTIONS.to_string();
    let seconds = whole_seconds(effort);
    let wrk = vec!["wrk".into(), "-t1".into(), format!("-c{CONNECTIONS}"), format!("-d{seconds}s")];
    let mut all = vec![
        ("wrk", Client::Other(wrk)),
        ("brunt", Client::Brunt(vec!["--users".into(), users.clone(), "--for".into(), format!("{seconds}s")])),
    ];
    if let Some(oha) = &peers.oha {
        all.push(("oha", Client::Other(words(oha, &["--no-tui", "-c", &users, "-z", &format!("{seconds}s")]))));
    }
    measured("client, 50 connections, as fast as they go", effort, &all)
}

/// 5,000 requests a second, whatever the server does.
pub fn fixed_rate(effort: Effort, peers: &Peers) -> Option<Clients> {
    let oha = peers.oha.as_ref()?;
    let seconds = format!("{}s", whole_seconds(effort));
    let rate = RATE.to_string();
    let all = [
        (
            "oha",
            Client::Other(words(oha, &["--no-tui", "--latency-correction", "-c", "50", "-q", &rate, "-z", &seconds])),
        ),
        ("brunt", Client::Brunt(words("--rate", &[&format!("{rate}/s"), "--for", &seconds]))),
    ];
    Some(measured("client at 5,000/s", effort, &all))
}

enum Client {
    /// Words before the URL.
    Other(Vec<String>),
    /// Words after the URL.
    Brunt(Vec<String>),
}

fn words(first: &str, rest: &[&str]) -> Vec<String> {
    [&[first], rest].concat().into_iter().map(str::to_owned).collect()
}

fn whole_seconds(effort: Effort) -> u64 {
    (effort.span + 2 * MARGIN).as_secs() + 1
}

fn measured(what: &str, effort: Effort, all: &[(&str, Client)]) -> Clients {
    let nginx = Nginx::start("answers", BODY, Some(SERVER_CORE));
    let url = nginx.url();
    let names: Vec<String> = all.iter().map(|(name, _)| (*name).to_owned()).collect();
    alternate(what, effort.rounds, &names, |place| match &all[place].1 {
        Client::Other(command) => {
            let client = Part::start(MEASURED_CORE, &[command.as_slice(), std::slice::from_ref(&url)].concat());
            let values = span(client.pid(), &nginx, effort);
            client.end();
            values
        }
        Client::Brunt(words) => {
            let brunt = Brunt::with(["run", &url]).args(words).args(["--out", "out"]);
            let running = brunt.under(["taskset", "-c", &MEASURED_CORE.to_string()]).start();
            let values = span(running.pid(), &nginx, effort);
            // Invalid (5) is a run on a machine that is too busy: the spread of the figures tells that as well.
            let ended = running.wait();
            assert!([0, 5].contains(&ended.code), "{ended}");
            values
        }
    })
}

/// Watches a client in the middle of its run.
fn span(pid: u32, nginx: &Nginx, effort: Effort) -> [f64; 3] {
    std::thread::sleep(MARGIN);
    let (began, cpu, requests) = (Instant::now(), parts::cpu_us(pid), nginx.requests());
    std::thread::sleep(effort.span);
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), parts::cpu_us(pid) - cpu);
    // nginx has counted the question as well.
    let requests = (nginx.requests() - requests).saturating_sub(1) as f64;
    assert!(requests > 100.0 && cpu > 0.0, "{requests} requests, {cpu} us of CPU: it did not run");
    [cpu / requests, requests / seconds, parts::kernel_share(pid)]
}
