//! The workers of a load that came from pods, as every rendering says it.

use crate::render::format;
use crate::results::{CrewData, WorkerData};

/// The heads of the table of workers.
pub const HEADS: [&str; 7] = ["worker", "node", "requests", "send lag p99", "cpu", "clock ahead", "known to"];

/// Its rows, by worker.
pub fn rows(crew: &CrewData) -> Vec<[String; 7]> {
    crew.workers.iter().map(row).collect()
}

fn row(worker: &WorkerData) -> [String; 7] {
    let lost = if worker.lost.is_some() { ", lost" } else { "" };
    [
        format!("{} {}{lost}", worker.index, worker.pod),
        worker.node.clone(),
        format::count(worker.requests),
        format::maybe(worker.send_lag_ms.p99, "ms"),
        format::percent((worker.cpu * 100.0).round() / 100.0),
        format::maybe(Some(worker.clock_ahead_ms), "ms"),
        format!("±{}", format::ms(worker.within_ms)),
    ]
}

/// How far apart they were: one sentence.
pub fn sentence(crew: &CrewData) -> String {
    let (of, within) = (format::counted(crew.workers.len() as u64, "worker"), format::ms(crew.clocks_within_ms));
    let clocks =
        format!("their clocks are known to ±{within}, and what was measured is shifted onto brunt's own clock");
    match crew.start_skew_ms {
        Some(skew) => format!("{of} in namespace {} started within {}; {clocks}", crew.namespace, format::ms(skew)),
        None => format!("{of} in namespace {}, of which not all came to their end; {clocks}", crew.namespace),
    }
}
