//! What the terminal screen costs: send lag of the load with and without it, and the processor time of the thread that draws.
//! `cargo bench -p brunt-tests --bench screen`; `--quick` shows that it works, and nothing about speed.
//!
//! brunt runs in a terminal of 160 by 50 that `script` (util-linux) makes, all its threads on one core, against nginx on the
//! other. With and without take turns, so what disturbs the machine for a while disturbs both.

#[path = "peers/rounds.rs"]
#[expect(dead_code, reason = "the other bench needs more of it")]
mod rounds;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use brunt_tests::brunt::binary;
use brunt_tests::nginx::Nginx;
use rounds::{alternate, compared};
use tempfile::TempDir;

const RATE: u32 = 5_000;
/// How the name of the thread stands in `/proc/PID/task/TID/stat`, after its parenthesis.
const THREAD: &str = "(screen";
/// The kernel counts processor time in these (`man 5 proc_pid_stat`, field utime).
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    let quick = std::env::args().any(|word| word == "--quick");
    let (rounds, seconds) = if quick { (1, 2) } else { (7, 8) };
    let nginx = Nginx::start("answers", 51, Some(0));
    let names = ["none", "tui"].map(|ui| format!("--ui {ui}"));
    let [lag, drawing] = alternate("the screen", rounds, &names, |place| run(&nginx.url(), &names[place], seconds));
    println!("\nsend lag p99 at {RATE}/s:\n{}", compared("ms", &lag, 0, 2));
    println!("the drawing thread, per cent of a core:\n{}", compared("%", &drawing[1..], 0, 2));
}

/// Send lag p99 in milliseconds, and per cent of a core that the drawing thread took (none: 0).
fn run(url: &str, ui: &str, seconds: u64) -> [f64; 2] {
    let folder = TempDir::with_prefix("brunt-bench-").expect("a temporary folder");
    let (out, brunt) = (folder.path().join("out"), binary());
    let load = format!("run {url} --rate {RATE}/s --for {seconds}s --out {} {ui}", out.display());
    let line = format!("stty rows 50 cols 160; exec taskset -c 1 {} {load}", brunt.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &line, "/dev/null"]).env_remove("CI").env_remove("NO_COLOR");
    script.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("XDG_STATE_HOME", folder.path());
    let mut terminal = script.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("script is part of util-linux");
    let (began, mut most) = (Instant::now(), 0.0);
    while terminal.try_wait().expect("a child can be asked").is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the run does not end");
        most = drawing_s(&out.display().to_string()).fold(most, f64::max);
        sleep(Duration::from_millis(100));
    }
    let text = fs::read_to_string(out.join("results.json")).expect("the run has written its results");
    let results = brunt_report::results::read(&text).expect("they are whole");
    let lag = results.summary.health.send_lag_ms.p99.expect("requests were sent");
    [lag, most / seconds as f64 * 100.0]
}

/// Processor time of drawing threads so far, in seconds, of the processes in whose command line this stands.
fn drawing_s(mark: &str) -> impl Iterator<Item = f64> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = processes.filter(move |path| {
        fs::read(path.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
    });
    let threads = ours.flat_map(|path| fs::read_dir(path.join("task")).into_iter().flatten().flatten());
    threads.filter_map(|thread| {
        // A thread may end between two looks; then the look before counts.
        let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        before.ends_with(THREAD).then_some(ticks / TICKS_A_SECOND)
    })
}
