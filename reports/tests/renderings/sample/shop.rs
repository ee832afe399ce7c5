//! The naive shop, its resilient sister, and the parts they are made of.

use brunt_report::results::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::maker::{Made, Maker, Window, draw, served};

pub fn gate(id: &str, metric: &str, window: &str, actual: f64, limit: f64, unit: &str) -> GateData {
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

pub fn event(at_s: f64, kind: &str, subject: &str, text: &str) -> Event {
    Event { at_s, kind: kind.to_owned(), subject: subject.to_owned(), text: text.to_owned() }
}

const SLOW: Window = ("fault:slow-payment", 11.0, 17.02);
const KILLED: Window = ("fault:payment-killed", 19.44, 22.51);

fn shop_requests(seed: u64, held_ms: u64) -> (Vec<Made>, Vec<Made>) {
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
            latency_us += held_ms * 1_000 + (rng.random::<f64>() * 100_000.0) as u64;
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

pub fn named(windows: &[Window]) -> Vec<(String, f64, f64)> {
    windows.iter().map(|(name, from, to)| ((*name).to_owned(), *from, *to)).collect()
}

/// The naive shop: slow payments are not contained, the kill shows, and the system comes back by itself.
pub fn shop() -> Results {
    shop_of(7, 350)
}

/// The shop after it learned to give up early on a slow payment instance, with another seed: the same scenario.
pub fn mended() -> Results {
    let mut results = shop_of(8, 40);
    results.summary.seed = 8;
    results.summary.schedule_digest = "41".repeat(32);
    results.environment.commit = Some("9be0a77".to_owned());
    let sentence = &mut results.summary.sentence;
    *sentence = "1 of 4 gates failed. kill-is-hidden: error_rate was 19.1 % during payment-killed.".to_owned();
    results
}

fn shop_of(seed: u64, held_ms: u64) -> Results {
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
    let (orders, reads) = shop_requests(seed, held_ms);
    maker.step("buy", "order", &orders);
    maker.step("buy", "read", &reads);
    let mut results = maker.finish("shop-survives-a-sick-payment-instance");
    shop_plan(&mut results);
    shop_judged(&mut results);
    shop_faults(&mut results.summary);
    shop_events(&mut results);
    shop_known(&mut results, &orders);
    shop_served(&mut results, &windows, &orders);
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
    let mut recovers = gate("recovers", "recovery_time", KILLED.0, 3.16, 5.0, "s");
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
            recovery_time_s: Some(3.16),
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
        event(24.6, "recover.ended", "payment-killed", "recovered in 3.16 s"),
        event(25.0, "run.ended", "shop", "2 gates failed"),
    ];
}

/// Three gateways take turns, the last a little less often; the kill hurts the second one most.
fn shop_served(results: &mut Results, windows: &[(String, f64, f64)], orders: &[Made]) {
    let pick = |number: usize, made: &Made| match (number % 8, made.error) {
        (_, Some(_)) if !number.is_multiple_of(5) => 1,
        (0 | 3 | 6, _) => 0,
        (1 | 4 | 7, _) => 1,
        _ => 2,
    };
    results.served = served("gateway", &["gateway-0", "gateway-1", "gateway-2"], windows, orders, pick);
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
