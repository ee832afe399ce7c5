//! How long the report of a big run takes: an hour, a hundred endpoints, twenty faults. `cargo bench -p brunt-report`.
//! Fails beyond a second and two megabytes. It is the time of the processor that counts: one thread does it all, and what else
//! the machine does is not the report's.

#[path = "../tests/renderings/sample/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the bench draws one of the made runs")]
mod sample;

use std::time::Duration;

use brunt_report::render::html::render;
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 7;

fn main() {
    let results = sample::hour();
    let mut took: Vec<Duration> = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let began = processor();
        bytes = render(&results).len();
        took.push(processor() - began);
    }
    took.sort_unstable();
    let (least, median, most) = (took[0], took[ROUNDS / 2], took[ROUNDS - 1]);
    println!("report of one hour, 100 endpoints, 20 faults: {bytes} bytes in {median:.0?} ({least:.0?} to {most:.0?})");
    assert!(median <= Duration::from_secs(1) && bytes <= 2_000_000, "{bytes} bytes in {median:?}");
}

/// What this thread has used so far.
fn processor() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("it counts up from zero")
}
