//! Instances: whether the load was spread evenly, and whether one of them was worse than its siblings.

use crate::render::format;
use crate::render::words;
use crate::results::{Results, ServedData, ServedWindow};

/// How far from its even share an instance may be before it is marked.
const UNEVEN: f64 = 0.25;
/// So many times as slow as the median of its siblings is marked.
const SLOWER: f64 = 3.0;

/// One target with its instances.
pub struct TargetRows {
    /// Its name.
    pub target: String,
    /// What a reader should take from the table, in a sentence.
    pub sentence: String,
    /// Instances in order.
    pub rows: Vec<InstanceRow>,
}

/// One instance.
pub struct InstanceRow {
    /// Its name.
    pub name: String,
    /// Its address, where the name does not say it.
    pub address: String,
    /// Requests in `run`.
    pub requests: String,
    /// Its share of them.
    pub share: String,
    /// The same for the bar, 0 to 100.
    pub bar: f64,
    /// Far from an even share.
    pub uneven: bool,
    /// Share of failed requests.
    pub error_rate: String,
    /// Requests failed.
    pub failed: bool,
    /// p50, p99 and maximum in `run`, then p99 in each of [`heads`]; marked where far above its siblings.
    pub latency: Vec<(String, bool)>,
}

/// The windows that stand beside `run`: the reference and the faults, as far as they fit.
pub fn heads(results: &Results) -> Vec<String> {
    const SHOWN: usize = 5;
    let names = words::windows_in_order(&results.summary.windows).into_iter().map(|(name, _)| name.to_owned());
    names.filter(|name| name == "baseline" || name.starts_with("fault:")).take(SHOWN).collect()
}

/// All targets that load went to.
pub fn instances(results: &Results) -> Vec<TargetRows> {
    let heads = heads(results);
    results.served.chunk_by(|a, b| a.target == b.target).map(|served| target(&heads, served)).collect()
}

fn target(heads: &[String], served: &[ServedData]) -> TargetRows {
    let of = |served: &ServedData, window: &str| served.windows.get(window).copied();
    let reached: Vec<&ServedData> = served.iter().filter(|served| served.address.is_some()).collect();
    let total: u64 = served.iter().filter_map(|served| of(served, "run")).map(|run| run.requests).sum();
    let even = 1.0 / reached.len().max(1) as f64;
    let mut rows = Vec::new();
    let mut least_and_most = (f64::INFINITY, 0.0_f64);
    for instance in served {
        let run = of(instance, "run");
        let requests = run.map_or(0, |run| run.requests);
        let share = if total > 0 { requests as f64 / total as f64 } else { 0.0 };
        let counts = instance.address.is_some() && reached.len() > 1 && total > 0;
        if counts {
            least_and_most = (least_and_most.0.min(share), least_and_most.1.max(share));
        }
        let slow = |window: &str, value: fn(ServedWindow) -> Option<f64>| {
            let ms = of(instance, window).and_then(value);
            let others = reached.iter().filter(|other| other.instance != instance.instance);
            let others: Vec<f64> = others.filter_map(|other| of(other, window).and_then(value)).collect();
            let marked = ms.zip(median(others)).is_some_and(|(ms, others)| ms >= SLOWER * others);
            (format::maybe(ms, "ms"), marked)
        };
        let mut latency = vec![slow("run", |w| w.p50_ms), slow("run", |w| w.p99_ms), slow("run", |w| w.max_ms)];
        latency.extend(heads.iter().map(|head| slow(head, |w| w.p99_ms)));
        rows.push(InstanceRow {
            name: instance.instance.clone(),
            address: instance.address.clone().filter(|address| *address != instance.instance).unwrap_or_default(),
            requests: format::count(requests),
            share: format::maybe((total > 0).then_some(share), "fraction"),
            bar: (share * 1000.0).round() / 10.0,
            uneven: counts && (share / even - 1.0).abs() > UNEVEN,
            error_rate: format::maybe(run.map(|run| run.error_rate), "fraction"),
            failed: run.is_some_and(|run| run.errors > 0),
            latency,
        });
    }
    TargetRows { target: served[0].target.clone(), sentence: sentence(reached.len(), total, least_and_most), rows }
}

fn sentence(instances: usize, requests: u64, (least, most): (f64, f64)) -> String {
    match (instances, requests) {
        (_, 0) => "No request was measured.".to_owned(),
        (0 | 1, _) => "One address: nothing to compare.".to_owned(),
        (instances, _) => format!(
            "{} of {}; an even share would be {}, and they had {} to {}.",
            format::counted(requests, "request"),
            format::counted(instances as u64, "instance"),
            format::percent(1.0 / instances as f64),
            format::percent(least),
            format::percent(most)
        ),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}
