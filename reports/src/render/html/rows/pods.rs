//! Pods that went or were started again while the run lasted, and how long it took until others did their work.

use crate::render::format;
use crate::results::{PodData, Results};

use super::dash;

/// One pod.
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// Its target and node.
    pub about: String,
    /// When its end began.
    pub ended: String,
    /// Until Services sent nothing to it any more.
    pub left: String,
    /// Until the last request that it answered was sent.
    pub last_request: String,
    /// Until its replacement was made.
    pub replaced: String,
    /// Which that is.
    pub by: String,
    /// Until that was ready.
    pub ready: String,
    /// Until the first request was sent that it answered.
    pub first_request: String,
    /// How often its containers were started again, and why.
    pub restarts: String,
}

/// Those of which there is something to tell.
pub fn pods(results: &Results) -> Vec<PodRow> {
    let told = |pod: &&PodData| pod.ending_s.or(pod.gone_s).is_some() || !pod.restarts.is_empty();
    // In the order in which they went; those that have only been started again come last.
    let mut pods: Vec<&PodData> = results.pods.iter().filter(told).collect();
    pods.sort_by(|one, other| went_s(one).total_cmp(&went_s(other)));
    pods.into_iter().map(row).collect()
}

fn went_s(pod: &PodData) -> f64 {
    pod.ending_s.or(pod.gone_s).unwrap_or(f64::INFINITY)
}

fn row(pod: &PodData) -> PodRow {
    let node = pod.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
    let why: Vec<&str> = pod.restarts.iter().map(|restart| restart.why.as_str()).collect();
    let restarts = match why.as_slice() {
        [] => dash(),
        [only] => (*only).to_owned(),
        all => format!("{} times, last: {}", all.len(), all[all.len() - 1]),
    };
    PodRow {
        name: pod.name.clone(),
        about: format!("{}{node}", pod.target),
        ended: pod.ending_s.or(pod.gone_s).map_or_else(dash, |at| format!("{at:.3} s")),
        left: format::maybe(pod.endpoint_removal_lag_s, "s"),
        last_request: format::maybe(pod.last_request_lag_s, "s"),
        replaced: format::maybe(pod.time_to_replace_s, "s"),
        by: pod.replaced_by.clone().unwrap_or_default(),
        ready: format::maybe(pod.time_to_ready_s, "s"),
        first_request: format::maybe(pod.time_to_first_request_s, "s"),
        restarts,
    }
}
