//! Counts made requests as the recorder would.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brunt_report::results::*;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One request of a made run.
pub struct Made {
    pub at_s: f64,
    pub latency_us: u64,
    pub error: Option<&'static str>,
}

/// A named span.
pub type Window = (&'static str, f64, f64);

/// Gathers made requests into results, as the recorder would.
pub struct Maker {
    windows: Vec<(String, f64, f64)>,
    duration_s: f64,
    slice_s: f64,
    pooled: Vec<(f64, u64, bool)>,
    series: Vec<SeriesData>,
    steps: BTreeMap<String, BTreeMap<String, StepData>>,
}

impl Maker {
    pub fn new(duration_s: f64, slice_s: f64, windows: &[(String, f64, f64)]) -> Self {
        Self {
            windows: windows.to_vec(),
            duration_s,
            slice_s,
            pooled: Vec::new(),
            series: Vec::new(),
            steps: BTreeMap::new(),
        }
    }

    /// Adds a step with its requests, in order of time.
    pub fn step(&mut self, journey: &str, step: &str, requests: &[Made]) {
        let mut slices: BTreeMap<u64, (SliceData, BTreeMap<u64, u64>)> = BTreeMap::new();
        for made in requests {
            let (slice, latencies) = slot(&mut slices, made.at_s, self.slice_s);
            slice.offered += 1;
            if let Some(class) = made.error {
                *slice.errors.entry(class.to_owned()).or_default() += 1;
            }
            *latencies.entry(three_digits(made.latency_us)).or_default() += 1;
            slot(&mut slices, made.at_s + made.latency_us as f64 / 1e6, self.slice_s).0.completed += 1;
        }
        let slices =
            slices.into_values().map(|(slice, pairs)| SliceData { latency_us: pairs.into_iter().collect(), ..slice });
        let facts: Vec<(f64, u64, bool)> =
            requests.iter().map(|made| (made.at_s, made.latency_us, made.error.is_some())).collect();
        let mut histograms = BTreeMap::new();
        let mut windows = BTreeMap::new();
        for (name, from, to) in &self.windows {
            let inside = within(&facts, *from, *to);
            if !inside.is_empty() {
                histograms.insert(name.clone(), encoded(inside));
            }
            windows.insert(name.clone(), window(*from, *to, inside));
        }
        self.pooled.extend(facts);
        self.series.push(SeriesData {
            journey: journey.to_owned(),
            step: step.to_owned(),
            histograms,
            slice_s: self.slice_s,
            slices: slices.collect(),
        });
        self.steps.entry(journey.to_owned()).or_default().insert(step.to_owned(), StepData { windows });
    }

    /// A run with nothing but its requests; the caller fills in the rest.
    pub fn finish(mut self, scenario: &str) -> Results {
        self.pooled.sort_by(|a, b| a.0.total_cmp(&b.0));
        let windows = self
            .windows
            .iter()
            .map(|(name, from, to)| (name.clone(), window(*from, *to, within(&self.pooled, *from, *to))))
            .collect();
        let spans = self
            .windows
            .iter()
            .map(|(window, from_s, to_s)| SpanData { window: window.clone(), from_s: *from_s, to_s: *to_s })
            .collect();
        let started = self.pooled.len() as u64;
        Results {
            schema: SCHEMA.to_owned(),
            summary: Summary {
                verdict: Verdict::Pass,
                sentence: String::new(),
                exit_code: 0,
                scenario: scenario.to_owned(),
                labels: BTreeMap::new(),
                scenario_sha256: "5f2b9c0f4a1de7c1e0f3c7a9b2d4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f8".to_owned(),
                schedule_digest: "9d3e1f77ab20c4e58f6b7a8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7081920".to_owned(),
                seed: 7,
                started_at: "2026-03-14T09:26:53Z".to_owned(),
                duration_s: self.duration_s,
                brunt_version: "0.1.0".to_owned(),
                windows,
                steps: self.steps,
                gates: Vec::new(),
                guardrails: Vec::new(),
                faults: Vec::new(),
                findings: Vec::new(),
                errors: Vec::new(),
                health: healthy(started),
            },
            series: self.series,
            served: Vec::new(),
            spans,
            slos: Vec::new(),
            load_changes: Vec::new(),
            operator: Vec::new(),
            events: Vec::new(),
            probes: Vec::new(),
            pods: Vec::new(),
            nodes: Vec::new(),
            autoscalers: Vec::new(),
            crew: None,
            plan: PlanData { source: format!("{scenario}.brunt.yaml"), ..PlanData::default() },
            environment: Environment {
                host: "build-7".to_owned(),
                kernel: "Linux 6.18.44 x86_64".to_owned(),
                cpu: "AMD EPYC 7B13".to_owned(),
                cores: 2,
                memory_mib: 7_936,
                congestion_control: "cubic".to_owned(),
                workers: 1,
                command: format!("brunt run {scenario}.brunt.yaml"),
                commit: Some("4f6c1d2".to_owned()),
            },
        }
    }
}

/// A generator that kept its schedule.
fn healthy(started: u64) -> Health {
    Health {
        send_lag_ms: LagData { p50: Some(0.03), p99: Some(0.11), max: Some(2.4) },
        queued_ms: LagData { p50: Some(0.0), p99: Some(0.02), max: Some(1.1) },
        generator_cpu: 0.21,
        in_flight_max: 84,
        scheduled: started,
        started,
        dropped: 0,
        valid: true,
        reasons: Vec::new(),
        warnings: Vec::new(),
    }
}

fn slot(
    slices: &mut BTreeMap<u64, (SliceData, BTreeMap<u64, u64>)>,
    at_s: f64,
    slice_s: f64,
) -> &mut (SliceData, BTreeMap<u64, u64>) {
    let index = (at_s / slice_s) as u64;
    slices.entry(index).or_insert_with(|| {
        let empty = SliceData {
            at_s: index as f64 * slice_s,
            offered: 0,
            completed: 0,
            errors: BTreeMap::new(),
            latency_us: Vec::new(),
        };
        (empty, BTreeMap::new())
    })
}

/// Requests of a window; they stand in order of time.
fn within(facts: &[(f64, u64, bool)], from: f64, to: f64) -> &[(f64, u64, bool)] {
    let index = |at: f64| facts.partition_point(|fact| fact.0 < at);
    &facts[index(from)..index(to).max(index(from))]
}

fn three_digits(us: u64) -> u64 {
    let unit = 10_u64.pow(us.max(1).ilog10().saturating_sub(2));
    us / unit * unit
}

fn histogram(facts: &[(f64, u64, bool)]) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    for (_, us, _) in facts {
        histogram.record(*us).expect("it grows");
    }
    histogram
}

fn encoded(facts: &[(f64, u64, bool)]) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram(facts), &mut bytes).expect("memory takes it");
    STANDARD.encode(bytes)
}

fn latency(facts: &[(f64, u64, bool)]) -> LatencyData {
    if facts.is_empty() {
        return LatencyData::default();
    }
    let histogram = histogram(facts);
    let at = |quantile: f64| Some(histogram.value_at_quantile(quantile) as f64 / 1e3);
    LatencyData {
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p99_9: at(0.999),
        max: at(1.0),
        mean: Some(histogram.mean() / 1e3),
    }
}

fn window(from_s: f64, to_s: f64, inside: &[(f64, u64, bool)]) -> WindowData {
    let length_s = to_s - from_s;
    let requests = inside.len() as u64;
    let errors = inside.iter().filter(|(_, _, failed)| *failed).count() as u64;
    let rate = if length_s > 0.0 { requests as f64 / length_s } else { 0.0 };
    WindowData {
        from_s,
        to_s,
        length_s,
        requests,
        errors,
        error_rate: (requests > 0).then(|| errors as f64 / requests as f64),
        offered_per_s: rate,
        completed_per_s: rate,
        dropped: 0,
        repeats: 0,
        unfinished: 0,
        check_failures: 0,
        latency_ms: latency(inside),
        service_ms: latency(inside),
    }
}

/// A reply time around `median_us` with the long tail that services have.
pub fn draw(rng: &mut ChaCha8Rng, median_us: f64) -> u64 {
    let bell: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    (median_us * (0.25 * bell).exp()) as u64 + 150
}

/// What the instances of a target served, warm-up and recoveries left out; `pick` says who served which request.
pub fn served(
    target: &str,
    names: &[&str],
    windows: &[(String, f64, f64)],
    requests: &[Made],
    pick: impl Fn(usize, &Made) -> usize,
) -> Vec<ServedData> {
    let of = |(index, name): (usize, &&str)| {
        let mine = requests.iter().enumerate().filter(|(number, made)| pick(*number, made) == index);
        let facts: Vec<_> = mine.map(|(_, made)| (made.at_s, made.latency_us, made.error.is_some())).collect();
        let judged = windows.iter().filter(|(name, ..)| name != "warmup" && !name.starts_with("recovery"));
        let windows = judged.map(|(name, from, to)| {
            let window = window(*from, *to, within(&facts, *from, *to));
            let (p50_ms, p99_ms, max_ms) = (window.latency_ms.p50, window.latency_ms.p99, window.latency_ms.max);
            let error_rate = window.error_rate.unwrap_or_default();
            let (requests, errors) = (window.requests, window.errors);
            (name.clone(), ServedWindow { requests, errors, error_rate, p50_ms, p99_ms, max_ms })
        });
        ServedData {
            target: target.to_owned(),
            instance: (*name).to_owned(),
            address: Some(format!("127.0.0.1:4110{index}")),
            windows: windows.collect(),
        }
    };
    names.iter().enumerate().map(of).collect()
}
