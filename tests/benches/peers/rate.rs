//! Whether brunt sends when it said it would: send lag, the rate that was reached, and what memory that takes.

use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::ended::window;
use brunt_tests::nginx::Nginx;

use crate::Effort;
use crate::parts::{MEASURED_CORE, SERVER_CORE, most_memory_mib};
use crate::rounds::{Measured, alternate};

const RATES: [u32; 2] = [5_000, 20_000];

/// By rate: share of the requests that were asked for, send lag p50 and p99 in milliseconds, resident memory in MiB.
pub fn reached(effort: Effort) -> [Vec<Measured>; 4] {
    let nginx = Nginx::start("answers", 51, Some(SERVER_CORE));
    let names = RATES.map(|rate| format!("{rate}/s"));
    alternate("send lag", effort.rounds, &names, |place| {
        let rate = RATES[place];
        let seconds = effort.span.as_secs().max(1);
        let words = ["--rate", &format!("{rate}/s"), "--for", &format!("{seconds}s"), "--out", "out"];
        let brunt = Brunt::with(["run", &nginx.url()]).args(words);
        let running = brunt.under(["taskset", "-c", &MEASURED_CORE.to_string()]).start();
        // The most that it had so far; it only grows.
        let mut memory: f64 = 0.0;
        let gone = || {
            let now = most_memory_mib(running.pid());
            memory = memory.max(now);
            now == 0.0
        };
        assert!(brunt_tests::host::comes_true(Duration::from_secs(60), gone), "the run does not end");
        // A machine that is too busy makes the run invalid: the figures say so, too.
        let results = running.wait().results();
        let lag = results.summary.health.send_lag_ms;
        let (p50, p99) = (lag.p50.unwrap_or(f64::NAN), lag.p99.unwrap_or(f64::NAN));
        let asked = f64::from(rate) * seconds as f64;
        [window(&results, "run").requests as f64 / asked, p50, p99, memory]
    })
}
