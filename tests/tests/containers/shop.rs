//! The demo shop in containers, while the wire between two of them is bad: what retransmission looks like in the report, and
//! that nobody else notices.

use brunt_tests::docker::{Container, Engine};
use brunt_tests::ended::{fault, gate};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

use crate::docker::run;

/// gateway -> orders -> payments, as `brunt demo --packets` has them, each in a container.
struct Shop {
    gateway: Container,
    orders: Container,
    payments: Container,
}

impl Shop {
    fn open(engine: &'static Engine) -> Self {
        let payments = engine.shop(&[], &["payments"]);
        let orders = engine.shop(&["--env", &format!("PAYMENTS_URLS={}", payments.url())], &["orders"]);
        let gateway = engine.shop(&["--env", &format!("ORDERS_URL={}", orders.url())], &["gateway"]);
        Self { gateway, orders, payments }
    }

    /// So many orders a second, and beside them others who ask the same two services for what needs no payment: each fault of the
    /// timeline spares them.
    fn scenario(&self, rate: u32, timeline: &str, spares: &[&str], gates: &str) -> Scenario {
        let spared = spares.iter().flat_map(|fault| {
            ["orders", "payments"].map(|by| {
                format!(
                    "              - {{ id: {fault}-spares-{by}, journey: beside-{by}, metric: latency.p95,
                  window: 'fault:{fault}', max: 100ms }}\n"
                )
            })
        });
        let spared: String = spared.collect();
        let Self { gateway, orders, payments } = self;
        Scenario::new(&format!(
            "
            version: 1
            name: shop-in-containers
            seed: 7
            targets:
              shop: {{ url: \"{}\" }}
              at-orders: {{ url: \"{}\" }}
              at-payments: {{ url: \"{}\" }}
              orders: {{ docker: {{ name: {} }} }}
              payments: {{ docker: {{ name: {} }} }}
            load:
              shoppers:
                target: shop
                post: /orders
                headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
                json: {{ sku: A1, amount: 3 }}
                check: {{ status: 201 }}
                timeout: 10s
                rate: {rate}/s
                for: timeline
              beside-orders: {{ target: at-orders, get: /healthz, rate: 75/s, for: timeline, timeout: 5s }}
              beside-payments: {{ target: at-payments, get: /healthz, rate: 75/s, for: timeline, timeout: 5s }}
            slos:
              order-latency: {{ journey: shoppers, metric: latency.p95, max: 150ms, over: 2s }}
            steady_state: {{ all_of: [ order-latency ] }}
            timeline:
{timeline}
            gates:
              - {{ id: healthy-first, journey: shoppers, metric: latency.p95, window: baseline, max: 100ms }}
{gates}
{spared}
            safety: {{ lease: 5s }}
            ",
            gateway.url(),
            orders.url(),
            payments.url(),
            orders.name,
            payments.name,
        ))
    }
}

#[test]
fn a_wire_between_two_containers_loses_packets_and_only_what_passes_there_is_late() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let shop = Shop::open(engine);
    let timeline = "
              - baseline: 4s
              - { id: lossy-wire, fault: network.loss, target: payments, from: orders, for: 8s, with: { loss: 5% } }
              - recover: { within: 10s }
    ";
    let gates = "
              # One order in ten meets a loss. TCP waits for at least 200 ms before it sends again; the usual order does not wait.
              - { id: tails, journey: shoppers, metric: latency.p99, window: 'fault:lossy-wire', min: 200ms }
              - { id: usual-order, journey: shoppers, metric: latency.p50, window: 'fault:lossy-wire', max: 100ms }
              - { id: nothing-fails, metric: error_rate, window: 'fault:lossy-wire', max: 0.1% }
              - { id: recovers, metric: recovery_time, window: 'fault:lossy-wire', max: 3s }
    ";
    let ended = run(engine, &shop.scenario(200, timeline, &["lossy-wire"], gates)).go().expect_code(0);

    let results = ended.results();
    let seen = fault(&results, "lossy-wire");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(seen.recovery_time_s.is_some(), "{ended}");
    // The gates say it of the two who use the same services and no bad wire; they have something to say it of.
    for spared in ["lossy-wire-spares-orders", "lossy-wire-spares-payments"] {
        assert!(gate(&results, spared).samples > 300, "{:?}", gate(&results, spared));
    }
}

#[test]
fn whatever_is_done_to_the_packets_of_two_containers_is_felt_by_these_two_alone() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let shop = Shop::open(engine);
    let fault_of =
        |id: &str, with: &str| format!("id: {id}, target: payments, from: orders, for: 3s, fault: network.{with}");
    let timeline = format!(
        "
              - baseline: 3s
              - {{ {} }}
              - {{ {} }}
              - {{ {} }}
              - {{ {} }}
              - {{ {} }}
              - {{ {} }}
              - pause: 1s
        ",
        fault_of("far", "latency, with: { latency: 120ms, jitter: 20ms, distribution: normal }"),
        fault_of("twice", "duplicate, with: { duplicate: 20% }"),
        fault_of("mixed", "reorder, with: { reorder: 30%, latency: 5ms }"),
        fault_of("bursts", "loss, with: { model: gilbert_elliott, p: 5%, r: 25% }"),
        fault_of("damage", "corrupt, with: { corrupt: 10% }"),
        fault_of("thin", "bandwidth, with: { rate: 160kbit }"),
    );
    // What is lost or damaged is sent again after 200 ms at the earliest.
    let gates = "
              - { id: felt-far, journey: shoppers, metric: latency.p50, window: 'fault:far', min: 100ms }
              - { id: felt-bursts, journey: shoppers, metric: latency.p95, window: 'fault:bursts', min: 180ms }
              - { id: felt-damage, journey: shoppers, metric: latency.p95, window: 'fault:damage', min: 180ms }
              - { id: felt-thin, journey: shoppers, metric: latency.p50, window: 'fault:thin', min: 100ms }
    ";
    let all = ["far", "twice", "mixed", "bursts", "damage", "thin"];
    let ended = run(engine, &shop.scenario(100, &timeline, &all, gates)).go().expect_code(0);
    let results = ended.results();
    for (id, done) in all.into_iter().zip(["held", "sent twice", "let pass in front", "lost", "damaged", "had to wait"])
    {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.reason.contains(done), "{seen:?}");
    }
}
