//! Made runs for looking at renderings: a small shop under faults, and the runs that go wrong. Drawn from a fixed seed, so
//! that snapshots hold.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brunt_report::results::*;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use rand::{RngExt, SeedableRng};
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
            spans,
            slos: Vec::new(),
            load_changes: Vec::new(),
            events: Vec::new(),
            probes: Vec::new(),
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

fn gate(id: &str, metric: &str, window: &str, actual: f64, limit: f64, unit: &str) -> GateData {
    GateData {
        id: id.to_owned(),
        verdict: if actual <= limit { GateVerdict::Pass } else { GateVerdict::Fail },
        metric: metric.to_owned(),
        journey: None,
        step: None,
        window: window.to_owned(),
        bound: "max".to_owned(),
        actual: Some(actual),
        limit: Some(limit),
        unit: unit.to_owned(),
        samples: 1_200,
        interval: None,
        note: String::new(),
        source_line: Some(87),
        if_inconclusive: "fail".to_owned(),
    }
}

fn event(at_s: f64, kind: &str, subject: &str, text: &str) -> Event {
    Event { at_s, kind: kind.to_owned(), subject: subject.to_owned(), text: text.to_owned() }
}

const SLOW: Window = ("fault:slow-payment", 11.0, 17.02);
const KILLED: Window = ("fault:payment-killed", 19.44, 22.51);

fn shop_requests(seed: u64) -> (Vec<Made>, Vec<Made>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut orders, mut reads) = (Vec::new(), Vec::new());
    let mut at_s = 0.0;
    while at_s < 25.0 {
        let rate = (200.0_f64 * at_s / 3.0).clamp(20.0, 200.0);
        at_s += -(1.0 - rng.random::<f64>()).ln() / rate;
        let sick = rng.random::<f64>() < 1.0 / 3.0;
        let mut latency_us = draw(&mut rng, 3_900.0);
        let mut error = None;
        if (SLOW.1..SLOW.2).contains(&at_s) && sick {
            latency_us += 350_000 + (rng.random::<f64>() * 100_000.0) as u64;
        }
        if (KILLED.1..KILLED.2 + 0.08).contains(&at_s) && sick {
            latency_us = draw(&mut rng, 1_100.0);
            error = Some(if at_s < KILLED.1 + 0.1 { "reset" } else { "status.5xx" });
        }
        let done = at_s + latency_us as f64 / 1e6;
        orders.push(Made { at_s, latency_us, error });
        if error.is_none() {
            reads.push(Made { at_s: done, latency_us: draw(&mut rng, 900.0), error: None });
        }
    }
    reads.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    (orders, reads)
}

fn named(windows: &[Window]) -> Vec<(String, f64, f64)> {
    windows.iter().map(|(name, from, to)| ((*name).to_owned(), *from, *to)).collect()
}

/// The naive shop: slow payments are not contained, the kill shows, and the system comes back by itself.
pub fn shop() -> Results {
    let windows = named(&[
        ("warmup", 0.0, 3.0),
        ("baseline", 3.0, 11.0),
        SLOW,
        ("recovery:slow-payment", 17.02, 19.42),
        KILLED,
        ("recovery:payment-killed", 22.51, 24.6),
        ("run", 3.0, 25.0),
    ]);
    let mut maker = Maker::new(25.0, 0.25, &windows);
    let (orders, reads) = shop_requests(7);
    maker.step("buy", "order", &orders);
    maker.step("buy", "read", &reads);
    let mut results = maker.finish("shop-survives-a-sick-payment-instance");
    shop_plan(&mut results);
    shop_judged(&mut results);
    shop_faults(&mut results.summary);
    shop_events(&mut results);
    shop_known(&mut results, &orders);
    results
}

fn shop_plan(results: &mut Results) {
    results.plan = PlanData {
        source: "shop.brunt.yaml".to_owned(),
        description: "Can shoppers still buy when one of three payment instances is slow, or gone?".to_owned(),
        load: vec!["shoppers: open, poisson, ramp to 200/s over 3 s (warm-up), then 200/s".to_owned()],
        steady_state: Some("Shoppers can buy".to_owned()),
        resolved_yaml: "version: 1\nname: shop-survives-a-sick-payment-instance\nseed: 7\n".to_owned(),
    };
    results.slos = vec![
        SloData {
            id: "order-latency".to_owned(),
            metric: "latency.p95".to_owned(),
            journey: Some("buy".to_owned()),
            step: Some("order".to_owned()),
            bound: "max".to_owned(),
            limit: 250.0,
            unit: "ms".to_owned(),
            over_s: 2.0,
            broken: vec![[11.0, 16.9]],
        },
        SloData {
            id: "order-success".to_owned(),
            metric: "success_rate".to_owned(),
            journey: Some("buy".to_owned()),
            step: None,
            bound: "min".to_owned(),
            limit: 0.99,
            unit: "fraction".to_owned(),
            over_s: 2.0,
            broken: vec![[19.4, 22.6]],
        },
    ];
    results.probes = vec![
        ProbeData { id: "gateway-answers".to_owned(), asked: 50, failed: 0, last_failure: None },
        ProbeData {
            id: "payments-port".to_owned(),
            asked: 50,
            failed: 6,
            last_failure: Some("connection refused by 127.0.0.1:43117".to_owned()),
        },
    ];
    results.environment.command = "brunt run shop.brunt.yaml".to_owned();
}

fn shop_judged(results: &mut Results) {
    let order = results.summary.steps["buy"]["order"].windows.clone();
    let p99 = |name: &str| order[name].latency_ms.p99.expect("the window has samples");
    let killed = results.summary.windows[KILLED.0].error_rate.expect("the window has samples");
    let summary = &mut results.summary;
    let limit = (3.0 * p99("baseline")).max(150.0);
    let of_order = |mut gate: GateData, window: &str| {
        gate.journey = Some("buy".to_owned());
        gate.step = Some("order".to_owned());
        gate.samples = order[window].requests;
        gate
    };
    let mut healthy =
        of_order(gate("healthy-first", "latency.p99", "baseline", p99("baseline"), 100.0, "ms"), "baseline");
    healthy.source_line = Some(83);
    healthy.interval = Some([p99("baseline") - 0.8, p99("baseline") + 1.1]);
    let mut contained =
        of_order(gate("slow-payment-is-contained", "latency.p99", SLOW.0, p99(SLOW.0), limit, "ms"), SLOW.0);
    contained.note = format!("the larger of 3 x baseline {:.1} ms and 150 ms", p99("baseline"));
    contained.source_line = Some(84);
    contained.interval = Some([p99(SLOW.0) - 6.0, p99(SLOW.0) + 4.0]);
    let mut hidden = gate("kill-is-hidden", "error_rate", KILLED.0, killed, 0.01, "fraction");
    hidden.samples = summary.windows[KILLED.0].requests;
    hidden.interval = Some([killed - 0.04, killed + 0.05]);
    hidden.source_line = Some(89);
    let mut recovers = gate("recovers", "recovery_time", KILLED.0, 0.09, 2.0, "s");
    recovers.samples = 1;
    recovers.source_line = Some(90);
    summary.gates = vec![healthy, contained, hidden, recovers];
    summary.verdict = Verdict::Fail;
    summary.exit_code = 99;
    summary.sentence = format!(
        "2 of 4 gates failed. slow-payment-is-contained: latency.p99 of order was {:.0} ms during slow-payment, 3.0x its limit of 150 ms.",
        p99(SLOW.0)
    );
    summary.findings = vec![
        Finding {
            severity: Severity::Error,
            text: format!(
                "slow-payment: one slow payment instance of three took the 99th percentile of order from {:.1} ms to {:.0} ms",
                p99("baseline"),
                p99(SLOW.0)
            ),
            at_s: Some(11.31),
            instance: None,
        },
        Finding {
            severity: Severity::Warning,
            text: "payment-killed: orders kept going to the dead instance for 3.1 s after it was killed".to_owned(),
            at_s: Some(19.45),
            instance: None,
        },
        Finding {
            severity: Severity::Info,
            text: "payments-2 was restarted as pid 48120".to_owned(),
            at_s: Some(22.5),
            instance: None,
        },
    ];
}

fn shop_faults(summary: &mut Summary) {
    summary.faults = vec![
        FaultData {
            id: "slow-payment".to_owned(),
            kind: "network.latency".to_owned(),
            target: "payments-net".to_owned(),
            instances: vec!["payments-1 (127.0.0.1:43115)".to_owned()],
            mechanism: "proxy".to_owned(),
            verified: true,
            reason: "first message held for 412 ms, drawn 412 ms".to_owned(),
            rollback_verified: Some(true),
            injecting_at_s: Some(11.0),
            active_at_s: Some(11.004),
            removing_at_s: Some(17.005),
            removed_at_s: Some(17.02),
            time_to_detect_s: Some(0.31),
            degraded_for_s: Some(5.9),
            recovery_time_s: Some(0.35),
            recovered: Some(true),
            residue: Vec::new(),
            rounds_planned: None,
            rounds: Vec::new(),
        },
        FaultData {
            id: "payment-killed".to_owned(),
            kind: "process.kill".to_owned(),
            target: "payments".to_owned(),
            instances: vec!["payments-2 (pid 48071)".to_owned()],
            mechanism: "signal".to_owned(),
            verified: true,
            reason: "pid 48071 is gone; back as pid 48120 after 3.05 s".to_owned(),
            rollback_verified: None,
            injecting_at_s: Some(19.44),
            active_at_s: Some(19.441),
            removing_at_s: Some(22.44),
            removed_at_s: Some(22.51),
            time_to_detect_s: Some(0.01),
            degraded_for_s: Some(3.2),
            recovery_time_s: Some(0.09),
            recovered: Some(true),
            residue: vec!["the instance has a new pid".to_owned()],
            rounds_planned: None,
            rounds: Vec::new(),
        },
    ];
}

fn shop_events(results: &mut Results) {
    results.events = vec![
        event(0.0, "run.started", "shop", "seed 7, 1 worker"),
        event(3.0, "baseline.started", "baseline", "for 8 s"),
        event(11.0, "fault.injecting", "slow-payment", "network.latency on payments-1"),
        event(11.004, "fault.active", "slow-payment", "latency 400 ms, jitter 50 ms, for 6 s"),
        event(11.31, "slo.broken", "order-latency", "latency.p95 of order 398 ms > 250 ms over 2 s"),
        event(11.42, "fault.verified", "slow-payment", "first message held for 412 ms, drawn 412 ms"),
        event(17.005, "fault.removing", "slow-payment", "after 6 s"),
        event(17.02, "fault.removed", "slow-payment", "1,204 messages were held"),
        event(17.37, "slo.holds", "order-latency", "latency.p95 of order 6.1 ms"),
        event(17.37, "recover.ended", "slow-payment", "recovered in 350 ms"),
        event(19.44, "fault.injecting", "payment-killed", "process.kill on payments-2, pid 48071"),
        event(19.441, "fault.active", "payment-killed", "killed"),
        event(19.45, "slo.broken", "order-success", "success_rate of buy 81.2 % < 99 % over 2 s"),
        event(22.51, "fault.removed", "payment-killed", "payments-2 is ready again as pid 48120"),
        event(22.6, "slo.holds", "order-success", "success_rate of buy 100 %"),
        event(24.6, "recover.ended", "payment-killed", "recovered in 90 ms"),
        event(25.0, "run.ended", "shop", "2 gates failed"),
    ];
}

fn shop_known(results: &mut Results, orders: &[Made]) {
    let failed = |class: &str| orders.iter().filter(|made| made.error == Some(class)).count() as u64;
    let error = |class: &str, first_s: f64, last_s: f64, examples: &[&str]| ErrorData {
        class: class.to_owned(),
        journey: "buy".to_owned(),
        step: "order".to_owned(),
        count: failed(class),
        first_s,
        last_s,
        examples: examples.iter().map(|&text| text.to_owned()).collect(),
    };
    results.summary.errors = vec![
        error(
            "status.5xx",
            19.54,
            22.58,
            &["POST /orders answered 502: payments-2 refused the connection", "POST /orders answered 502"],
        ),
        error("reset", 19.45, 19.53, &["POST /orders: connection reset by 127.0.0.1:41020"]),
    ];
}

/// The same shop, resilient: everything holds.
pub fn passing() -> Results {
    let mut results = shop();
    let summary = &mut results.summary;
    for gate in &mut summary.gates {
        gate.verdict = GateVerdict::Pass;
        if let (Some(actual), Some(limit)) = (gate.actual, gate.limit) {
            gate.actual = Some(actual.min(limit * 0.62));
        }
        gate.interval = None;
    }
    summary.verdict = Verdict::Pass;
    summary.exit_code = 0;
    summary.sentence = "All 4 gates held under 2 faults.".to_owned();
    summary.findings.clear();
    results
}

/// A guardrail ended it in the middle of the first fault: nothing after it happened.
pub fn aborted() -> Results {
    let mut results = shop();
    let end = 13.2;
    results.events.retain(|event| event.at_s < end);
    results.events.push(event(end, "guardrail.tripped", "too-slow", "latency.p95 of order was 452 ms"));
    results.events.push(event(end + 0.02, "fault.removed", "slow-payment", "rolled back"));
    for series in &mut results.series {
        series.slices.retain(|slice| slice.at_s < end);
        series.histograms.retain(|name, _| name == "baseline" || name == "warmup");
    }
    results.spans.retain(|span| span.from_s < end && span.window != "run");
    results.spans.iter_mut().for_each(|span| span.to_s = span.to_s.min(end));
    results.slos[0].broken = vec![[11.0, end]];
    results.slos[1].broken.clear();
    let summary = &mut results.summary;
    summary.duration_s = end;
    summary.verdict = Verdict::Aborted;
    summary.exit_code = 4;
    summary.sentence =
        "A guardrail stopped the run after 13.2 s; every fault was rolled back: `too-slow`: latency.p95 of \
                        buy/order over the last 1 s was 452 ms, the limit is at most 400 ms, broken since 12.2 s."
            .to_owned();
    summary.guardrails = vec![
        guardrail("too-slow", "latency.p95", (400.0, "ms"), Some((452.0, end)), Some(12.2)),
        guardrail("errors", "error_rate", (0.6, "fraction"), Some((0.021, 12.9)), None),
        guardrail("lag", "send_lag.p99", (10.0, "ms"), None, None),
    ];
    summary.windows.retain(|name, _| !name.contains("kill") && !name.starts_with("recovery"));
    for gate in summary.gates.iter_mut().filter(|gate| gate.window != "baseline") {
        gate.verdict = GateVerdict::NotReached;
        gate.actual = None;
        gate.interval = None;
        gate.samples = 0;
    }
    summary.faults[0].removed_at_s = Some(end + 0.02);
    summary.faults[0].removing_at_s = Some(end);
    summary.faults[0].recovered = None;
    summary.faults[0].recovery_time_s = None;
    let killed = &mut summary.faults[1];
    (killed.injecting_at_s, killed.active_at_s, killed.removing_at_s, killed.removed_at_s) = (None, None, None, None);
    (killed.time_to_detect_s, killed.degraded_for_s, killed.recovery_time_s, killed.recovered) =
        (None, None, None, None);
    killed.verified = false;
    killed.reason = "not reached".to_owned();
    killed.instances.clear();
    summary.findings = vec![Finding {
        severity: Severity::Error,
        text: "Guardrail `too-slow` stopped the run.".to_owned(),
        at_s: Some(end),
        instance: None,
    }];
    summary.errors.clear();
    results
}

fn guardrail(
    id: &str,
    metric: &str,
    (limit, unit): (f64, &str),
    seen: Option<(f64, f64)>,
    broken_since_s: Option<f64>,
) -> GuardrailData {
    let outcome = match (broken_since_s, seen) {
        (Some(_), _) => GuardrailOutcome::Tripped,
        (None, Some(_)) => GuardrailOutcome::Held,
        (None, None) => GuardrailOutcome::Unknown,
    };
    GuardrailData {
        id: id.to_owned(),
        outcome,
        metric: metric.to_owned(),
        journey: broken_since_s.map(|_| "buy".to_owned()),
        step: broken_since_s.map(|_| "order".to_owned()),
        bound: "max".to_owned(),
        limit,
        unit: unit.to_owned(),
        over_s: 1.0,
        for_s: if broken_since_s.is_some() { 1.0 } else { 0.0 },
        actual: seen.map(|(value, _)| value),
        at_s: seen.map(|(_, at)| at),
        broken_since_s,
        source_line: Some(61),
    }
}

/// An instance that ended by itself, with what it said last.
fn ended_by_itself() -> Finding {
    Finding {
        severity: Severity::Error,
        text: "service `payments`, instance 2, exited by itself: exit status 7".to_owned(),
        at_s: Some(14.2),
        instance: Some(InstanceData {
            service: "payments".to_owned(),
            index: 2,
            status: Some("exit status 7".to_owned()),
            log: "services/payments-2.log".to_owned(),
            last_lines: vec!["listening on 127.0.0.1:41237".to_owned(), "fatal: no such table: payments".to_owned()],
        }),
    }
}

/// Nothing answered, nothing was sent: no samples at all.
pub fn empty() -> Results {
    let mut results = Maker::new(0.0, 0.25, &[("baseline".to_owned(), 0.0, 0.0)]).finish("nothing-was-sent");
    let summary = &mut results.summary;
    summary.verdict = Verdict::Inconclusive;
    summary.exit_code = 5;
    summary.sentence = "No request was sent.".to_owned();
    let mut no_data = gate("default", "error_rate", "run", 0.0, 0.01, "fraction");
    (no_data.actual, no_data.samples, no_data.source_line) = (None, 0, None);
    no_data.verdict = GateVerdict::Inconclusive;
    no_data.note = "no samples".to_owned();
    summary.gates = vec![no_data];
    summary.health.in_flight_max = 0;
    summary.health.generator_cpu = 0.0;
    summary.health.send_lag_ms = LagData::default();
    summary.health.queued_ms = LagData::default();
    results
}

/// The generator could not keep up, a fault was never exercised, another never recovered and could not be undone.
pub fn invalid() -> Results {
    let mut results = shop();
    let summary = &mut results.summary;
    summary.verdict = Verdict::Invalid;
    summary.exit_code = 6;
    summary.sentence = "The generator could not keep up: 91.2 % of the schedule was started.".to_owned();
    summary.health.valid = false;
    summary.health.started = summary.health.scheduled * 912 / 1000;
    summary.health.dropped = summary.health.scheduled - summary.health.started;
    summary.health.send_lag_ms = LagData { p50: Some(3.2), p99: Some(41.0), max: Some(380.0) };
    summary.health.generator_cpu = 0.98;
    summary.health.reasons = vec![
        "91.2 % of the schedule was started, at least 99.5 % are needed: raise max_in_flight or --workers".to_owned(),
        "send lag p99 41 ms in fault:slow-payment, at most 10 ms is trusted: give brunt a core of its own".to_owned(),
    ];
    summary.health.warnings = vec!["generator cpu 98 %".to_owned()];
    summary.faults[0].verified = false;
    summary.faults[0].reason = "not exercised: no message passed the link".to_owned();
    summary.faults[1].rollback_verified = Some(false);
    summary.faults[1].recovered = Some(false);
    summary.faults[1].recovery_time_s = None;
    summary.faults[1].residue = vec!["payments-2 did not come back within 10 s".to_owned()];
    summary.findings.insert(0, ended_by_itself());
    results.slos[1].broken = vec![[19.4, 25.0]];
    results
}

/// Everything that a scenario or a server may name is an attack.
pub fn hostile() -> Results {
    const EVIL: &str = "<script>alert('x')</script>\"|`]]>&amp;\u{1b}[31m\u{202e}";
    let mut results = shop();
    let summary = &mut results.summary;
    let named = |text: &mut String| *text = format!("{EVIL}{text}");
    named(&mut summary.scenario);
    named(&mut summary.sentence);
    summary.labels.insert(EVIL.to_owned(), EVIL.to_owned());
    for gate in &mut summary.gates {
        named(&mut gate.id);
        named(&mut gate.note);
        named(&mut gate.metric);
    }
    for fault in &mut summary.faults {
        for text in [&mut fault.id, &mut fault.target, &mut fault.kind, &mut fault.reason, &mut fault.mechanism] {
            named(text);
        }
        fault.instances.iter_mut().for_each(named);
        fault.residue.iter_mut().for_each(named);
    }
    summary.findings.insert(0, ended_by_itself());
    summary.findings.iter_mut().for_each(|finding| named(&mut finding.text));
    for instance in summary.findings.iter_mut().filter_map(|finding| finding.instance.as_mut()) {
        instance.status.iter_mut().for_each(named);
        named(&mut instance.log);
        instance.last_lines.iter_mut().for_each(named);
        instance.last_lines.push("```` </details>".to_owned());
    }
    summary.guardrails = vec![guardrail("errors", "error_rate", (0.6, "fraction"), Some((0.021, 12.9)), None)];
    for guard in &mut summary.guardrails {
        named(&mut guard.id);
        named(&mut guard.metric);
    }
    for error in &mut summary.errors {
        named(&mut error.class);
        named(&mut error.step);
        error.examples.iter_mut().for_each(named);
    }
    summary.health.warnings.push(EVIL.to_owned());
    summary.windows =
        std::mem::take(&mut summary.windows).into_iter().map(|(n, w)| (format!("{n}{EVIL}"), w)).collect();
    for event in &mut results.events {
        named(&mut event.text);
        named(&mut event.subject);
    }
    for slo in &mut results.slos {
        named(&mut slo.id);
    }
    for slice in results.series.iter_mut().flat_map(|series| &mut series.slices) {
        slice.errors = std::mem::take(&mut slice.errors).into_iter().map(|(n, c)| (format!("{n}{EVIL}"), c)).collect();
    }
    for series in &mut results.series {
        named(&mut series.step);
        named(&mut series.journey);
    }
    for probe in &mut results.probes {
        named(&mut probe.id);
    }
    results.spans.iter_mut().for_each(|span| span.window.push_str(EVIL));
    named(&mut results.plan.source);
    results.plan.load.iter_mut().for_each(named);
    named(&mut results.environment.command);
    results
}

/// An hour, a hundred endpoints, twenty faults: as large as a report should get.
pub fn hour() -> Results {
    const HOUR: f64 = 3600.0;
    let fault = |index: usize| 300.0 + 160.0 * index as f64;
    let mut windows = named(&[("warmup", 0.0, 60.0), ("baseline", 60.0, 300.0), ("run", 60.0, HOUR)]);
    for index in 0..20 {
        windows.push((format!("fault:broken-{index:02}"), fault(index), fault(index) + 60.0));
        windows.push((format!("recovery:broken-{index:02}"), fault(index) + 60.0, fault(index) + 65.0));
    }
    let mut maker = Maker::new(HOUR, 1.0, &windows);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for endpoint in 0..100 {
        let mut requests = Vec::new();
        let mut at_s = 0.0;
        while at_s < HOUR {
            at_s += 0.4 * rng.random::<f64>();
            let broken = (0..20).any(|index| (fault(index)..fault(index) + 60.0).contains(&at_s));
            let slow = if broken && rng.random::<f64>() < 0.2 { 220_000 } else { 0 };
            let error = (broken && rng.random::<f64>() < 0.03).then_some("timeout");
            requests.push(Made {
                at_s,
                latency_us: draw(&mut rng, 2_000.0 + 90.0 * f64::from(endpoint)) + slow,
                error,
            });
        }
        maker.step("browse", &format!("endpoint-{endpoint:03}"), &requests);
    }
    let mut results = maker.finish("an-hour-of-everything");
    let pattern = shop().summary.faults[0].clone();
    results.summary.faults = (0..20)
        .map(|index| FaultData {
            id: format!("broken-{index:02}"),
            injecting_at_s: Some(fault(index)),
            active_at_s: Some(fault(index)),
            removing_at_s: Some(fault(index) + 60.0),
            removed_at_s: Some(fault(index) + 60.0),
            recovery_time_s: Some(4.2),
            ..pattern.clone()
        })
        .collect();
    results.summary.sentence = "No gate was defined.".to_owned();
    results
}
