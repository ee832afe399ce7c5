//! brunt beside its peers: what a request costs a client (wrk, oha) and a proxy (HAProxy, Toxiproxy), and how accurate
//! faults and schedules are. `./tests/run bench` runs it; it writes `docs/performance.md`.
//!
//! Figures of a small machine are worth something only beside each other, so candidates take turns (A B C A B C ...) and
//! what is told are medians and ratios within one round. Nothing here passes or fails by its speed: a bench fails if
//! something does not run, or if what it measured does not hang together (no requests, no effect).
//!
//! `peers [--quick] [--page FILE]`: `--quick` runs a few short rounds, which show that everything still works and nothing
//! about speed; the page is then only printed.

mod accuracy;
mod clients;
mod host;
mod page;
mod parts;
mod proxies;
mod rate;
mod rounds;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often every candidate has its turn.
    pub rounds: usize,
    /// For how long each time.
    pub span: Duration,
    /// Requests in a row where one connection is measured.
    pub in_a_row: usize,
}

const WHOLE: Effort = Effort { rounds: 7, span: Duration::from_secs(4), in_a_row: 3000 };
const QUICK: Effort = Effort { rounds: 1, span: Duration::from_millis(700), in_a_row: 200 };

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    let (mut quick, mut page) = (false, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => quick = true,
            "--page" => page = Some(PathBuf::from(words.next().expect("--page FILE"))),
            // cargo adds this to every bench.
            "--bench" => {}
            other => panic!("peers [--quick] [--page FILE], not {other}"),
        }
    }
    let effort = if quick { QUICK } else { WHOLE };
    // The bench's own clients share the server's core; programs that are measured are moved to the other.
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(parts::SERVER_CORE);
    rustix::thread::sched_setaffinity(None, &cores).expect("a machine of two cores has the first");
    let peers = parts::Peers::find();
    let host = host::describe(&peers);
    println!("{host}");
    let figures = page::Figures {
        host,
        rounds: effort.rounds,
        clients: clients::closed_loop(effort, &peers),
        clients_at_a_rate: clients::fixed_rate(effort, &peers),
        proxies: proxies::cpu(effort, &peers),
        added: proxies::added_latency(effort, &peers),
        latency: accuracy::latency(effort, &peers),
        bandwidth: accuracy::bandwidth(effort, &peers),
        rates: rate::reached(effort),
    };
    let text = page::render(&figures);
    match page {
        Some(path) => {
            std::fs::write(&path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            rounds::progress(&format!("written to {}", path.display()));
        }
        None => println!("{text}"),
    }
}
