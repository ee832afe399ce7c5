//! The demo shop in containers, while the wire between two of them is bad: what retransmission looks like in the report, and
//! that nobody else notices.

use brunt_tests::brunt::Brunt;
use brunt_tests::docker::{Container, Engine};
use brunt_tests::ended::{fault, gate};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

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

    /// 200 orders a second, and beside them others who ask the same two services for what needs no payment.
    fn scenario(&self, timeline: &str) -> Scenario {
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
                rate: 200/s
                for: timeline
              beside-orders: {{ target: at-orders, get: /healthz, rate: 50/s, for: timeline, timeout: 5s }}
              beside-payments: {{ target: at-payments, get: /healthz, rate: 50/s, for: timeline, timeout: 5s }}
            slos:
              order-latency: {{ journey: shoppers, metric: latency.p95, max: 150ms, over: 2s }}
            steady_state: {{ all_of: [ order-latency ] }}
            timeline:
{timeline}
            gates:
              - {{ id: healthy-first, journey: shoppers, metric: latency.p95, window: baseline, max: 100ms }}
              # One request in ten meets a loss. TCP waits for at least 200 ms before it sends again; the usual order waits for nothing.
              - {{ id: tails, journey: shoppers, metric: latency.p99, window: 'fault:lossy-wire', min: 200ms }}
              - {{ id: usual-order, journey: shoppers, metric: latency.p50, window: 'fault:lossy-wire', max: 100ms }}
              - {{ id: nothing-fails, metric: error_rate, window: 'fault:lossy-wire', max: 0.1% }}
              - {{ id: orders-spared, journey: beside-orders, metric: latency.p95, window: 'fault:lossy-wire', max: 150ms }}
              - {{ id: payments-spared, journey: beside-payments, metric: latency.p95, window: 'fault:lossy-wire', max: 150ms }}
              - {{ id: recovers, metric: recovery_time, window: 'fault:lossy-wire', max: 3s }}
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

/// brunt works where the containers can be reached, and asks the tests' own engine.
fn run(engine: &Engine, scenario: &Scenario) -> Brunt {
    let inside = format!("--net=/run/netns/{}", engine.namespace());
    Brunt::run(scenario).env("DOCKER_HOST", engine.host()).under(["nsenter", &inside])
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
    let ended = run(engine, &shop.scenario(timeline)).go().expect_code(0);

    let results = ended.results();
    let seen = fault(&results, "lossy-wire");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(seen.recovery_time_s.is_some(), "{ended}");
    // The gates say it of the two who use the same services and no bad wire; they have something to say it of.
    for spared in ["orders-spared", "payments-spared"] {
        assert!(gate(&results, spared).samples > 300, "{:?}", gate(&results, spared));
    }
}
