//! A run in its fourth minute, as plain data.

use brunt_report::gates::so_far::GateSoFar;
use brunt_report::recorder::live::LiveSpan;
use brunt_report::recorder::live::tables::StepStatus;
use brunt_report::results::{ErrorData, Event, ServedData, ServedWindow};
use brunt_report::sample::Series;

use crate::ui::snapshot::{Fault, FaultStep, Health, Objective, Point, Seen, Snapshot, Span, SpanKind, State};

fn span(length_s: f64, rate: f64, errors: u64, p50: f64) -> LiveSpan {
    LiveSpan {
        length_s,
        offered: (rate * length_s) as u64,
        completed: (rate * length_s) as u64,
        errors,
        p50_ms: Some(p50),
        p90_ms: Some(p50 * 3.0),
        p99_ms: Some(p50 * 8.0),
        max_ms: Some(p50 * 9.0),
    }
}

fn lane(kind: SpanKind, label: &str, from_s: f64, to_s: f64, now: f64) -> Span {
    Span { kind, label: label.to_owned(), from_s, to_s, begun: from_s <= now, over: to_s <= now }
}

fn fault(id: &str, kind: &str, with: &str, target: &str) -> Fault {
    Fault {
        id: id.to_owned(),
        round: 1,
        rounds: 1,
        kind: kind.to_owned(),
        with: with.to_owned(),
        target: target.to_owned(),
        lasts_s: Some(60.0),
        mechanism: "proxy".to_owned(),
        ..Fault::default()
    }
}

/// A slow fault is in place, an objective is broken.
pub fn running() -> Snapshot {
    let now = 192.0;
    let points = (0..768).map(|slice| {
        let slow = if slice > 640 { 6.0 } else { 1.0 } * (1.0 + f64::from(slice % 7) / 10.0);
        let at = |ms: f64| Some(ms * slow);
        Point {
            offered: 50,
            completed: 50,
            errors: u32::from(slice > 700),
            p50_ms: at(12.0),
            p90_ms: at(40.0),
            p99_ms: at(160.0),
        }
    });
    let mut slow = fault("pay-slow", "network.latency", "delay 400ms, jitter 20ms", "payments-net");
    slow.step = FaultStep::Active;
    slow.from_s = Some(160.0);
    slow.instances = vec!["orders-payments#1".to_owned(), "orders-payments#2".to_owned()];
    slow.seen = Seen::Verified("held 1,204 messages for 400 ms".to_owned());
    let mut kill = fault("pay-kill", "process.kill", "signal SIGKILL", "payments");
    (kill.lasts_s, kill.rounds) = (None, 2);
    let second = Fault { round: 2, ..kill.clone() };
    let served = |name: &str, requests, p99| ServedData {
        target: "shop".to_owned(),
        instance: name.to_owned(),
        address: Some("127.0.0.1:4001".to_owned()),
        windows: [(
            "run".to_owned(),
            ServedWindow {
                requests,
                errors: requests / 100,
                error_rate: 0.01,
                p50_ms: Some(12.0),
                p99_ms: Some(p99),
                max_ms: Some(900.0),
            },
        )]
        .into(),
    };
    let event = |at_s, kind: &str, subject: &str, text: &str| Event {
        at_s,
        kind: kind.into(),
        subject: subject.into(),
        text: text.into(),
    };
    let gate = |id: &str, window: &str, began, actual, limit| GateSoFar {
        id: id.to_owned(),
        metric: "latency.p99".to_owned(),
        window: window.to_owned(),
        began,
        actual,
        limit,
        is_max: true,
        unit: "ms",
        holds: actual.zip(limit).map(|(actual, limit)| actual <= limit),
    };
    let step = |name: &str, p50: f64, errors| StepStatus {
        series: Series { journey: "buy".to_owned(), step: name.to_owned() },
        recent: span(5.0, 100.0, errors, p50),
        base: Some(span(60.0, 100.0, 0, 12.0)),
        total: span(190.0, 100.0, errors * 4, p50),
    };
    Snapshot {
        title: "checkout-survives-payment-faults · added_latency=400ms".to_owned(),
        seed: 42,
        at_s: now,
        expected_s: Some(460.0),
        state: State::Running,
        spans: vec![
            lane(SpanKind::WarmUp, "warm-up", 0.0, 30.0, now),
            lane(SpanKind::Baseline, "baseline", 30.0, 160.0, now),
            lane(SpanKind::Fault, "pay-slow", 160.0, 220.0, now),
            lane(SpanKind::Recover, "recover", 220.0, 300.0, now),
            lane(SpanKind::Fault, "pay-kill x2", 300.0, 360.0, now),
            lane(SpanKind::Recover, "recover", 360.0, 460.0, now),
        ],
        faults: vec![slow, kill, second],
        objectives: vec![
            Objective {
                id: "checkout-latency".to_owned(),
                steady: true,
                holds: Some(false),
                since_s: Some(174.0),
                text: "latency.p99 1.28 s > 400 ms".to_owned(),
                latency_limit_ms: Some(400.0),
            },
            Objective {
                id: "checkout-success".to_owned(),
                steady: true,
                holds: Some(true),
                since_s: Some(12.0),
                text: "success_rate 99.8 % >= 99 %".to_owned(),
                latency_limit_ms: None,
            },
        ],
        slice_s: 0.25,
        points: points.collect(),
        recent: span(5.0, 200.0, 9, 120.0),
        base: Some(span(130.0, 200.0, 0, 12.0)),
        total: span(162.0, 200.0, 38, 14.0),
        steps: vec![step("order", 120.0, 8), step("read", 12.0, 0)],
        instances: vec![served("gateway-0", 16_200, 310.0), served("gateway-1", 16_180, 1280.0)],
        errors: vec![ErrorData {
            class: "timeout".to_owned(),
            journey: "buy".to_owned(),
            step: "order".to_owned(),
            count: 38,
            first_s: 175.2,
            last_s: 191.0,
            examples: vec!["no reply within 2 s from 127.0.0.1:4001".to_owned()],
        }],
        gates: vec![
            gate("base-p99", "baseline", true, Some(310.0), Some(400.0)),
            gate("slow-p99", "fault:pay-slow", true, Some(1280.0), Some(930.0)),
            gate("kill-p99", "fault:pay-kill", false, None, Some(930.0)),
        ],
        health: Health { cpu: 0.21, lag_p99_ms: Some(0.1), open: 24, dropped: 0, ok: true },
        events: vec![
            event(0.0, "run.started", "run", "checkout-survives-payment-faults, seed 42"),
            event(159.0, "fault.injecting", "pay-slow", "network.latency on payments-net"),
            event(160.0, "fault.active", "pay-slow", "in place on orders-payments#1, orders-payments#2"),
            event(174.0, "slo.broken", "checkout-latency", "latency.p99 1.28 s, at most 400 ms over 5 s"),
        ],
    }
}
