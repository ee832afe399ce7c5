//! The shop over real sockets: naive it passes a sick payment instance on to its customers, resilient it hides it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use brunt_scenario::units::Share;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client::Upstream;
use super::server::{self, Call, Reply};
use super::{gateway, orders, payments};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    (listener, address)
}

async fn healthy_payment() -> String {
    let (listener, address) = listener().await;
    tokio::spawn(payments::serve(listener, Share(0.0), None));
    address
}

async fn slow_payment(delay: Duration) -> String {
    let (listener, address) = listener().await;
    tokio::spawn(server::serve(listener, move |_: Call| async move {
        tokio::time::sleep(delay).await;
        Reply::json(StatusCode::CREATED, &json!({ "id": "p-slow", "state": "accepted" }))
    }));
    address
}

async fn dead_payment() -> String {
    listener().await.1
}

/// Starts orders and gateway in front of these payment instances; what comes back is the gateway.
async fn shop(payments: Vec<String>, resilient: bool) -> Upstream {
    let (listener_of_orders, orders_address) = listener().await;
    let (listener_of_gateway, gateway_address) = listener().await;
    tokio::spawn(orders::serve(listener_of_orders, payments, resilient));
    tokio::spawn(gateway::serve(listener_of_gateway, orders_address));
    Upstream::new(gateway_address)
}

async fn buy(gateway: &Upstream, key: &str) -> (StatusCode, Value, Duration) {
    let began = Instant::now();
    let order = Bytes::from_static(br#"{"sku":"A1","amount":3}"#);
    let reply = gateway.call(Method::POST, "/orders", Some(key), order).await.expect("the gateway answers");
    (reply.status, serde_json::from_slice(&reply.body).expect("the gateway speaks JSON"), began.elapsed())
}

async fn read(gateway: &Upstream, id: &str) -> (StatusCode, Value) {
    let reply = gateway.call(Method::GET, &format!("/orders/{id}"), None, Bytes::new()).await.expect("it answers");
    (reply.status, serde_json::from_slice(&reply.body).expect("it speaks JSON"))
}

#[tokio::test]
async fn an_order_is_paid_and_can_be_read_back() {
    let gateway = shop(vec![healthy_payment().await], false).await;
    let (status, order, _) = buy(&gateway, "key").await;
    assert_eq!((status, &order["state"]), (StatusCode::CREATED, &json!("paid")));
    let id = order["id"].as_str().expect("ids are text");
    let (status, order) = read(&gateway, id).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(order, json!({ "id": id, "sku": "A1", "amount": 3, "state": "paid" }));
    assert_eq!(read(&gateway, "999").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_same_key_buys_only_once() {
    let gateway = shop(vec![healthy_payment().await], false).await;
    let (_, first, _) = buy(&gateway, "same").await;
    let (_, again, _) = buy(&gateway, "same").await;
    let (_, other, _) = buy(&gateway, "other").await;
    assert_eq!(first["id"], again["id"]);
    assert_ne!(first["id"], other["id"]);
}

#[tokio::test]
async fn the_same_key_pays_only_once() {
    let payments = Upstream::new(healthy_payment().await);
    let mut ids = HashSet::new();
    for key in ["a", "a", "b"] {
        let reply = payments.call(Method::POST, "/payments", Some(key), Bytes::from_static(b"{}")).await;
        let body: Value = serde_json::from_slice(&reply.expect("payments answers").body).expect("JSON");
        ids.insert(body["id"].to_string());
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn the_naive_shop_passes_a_dead_and_a_slow_instance_on_to_its_customers() {
    let slow = slow_payment(Duration::from_millis(300)).await;
    let gateway = shop(vec![healthy_payment().await, dead_payment().await, slow], false).await;
    let mut failed = 0;
    let mut slow = 0;
    for number in 0..9 {
        let (status, _, took) = buy(&gateway, &format!("key-{number}")).await;
        failed += usize::from(status == StatusCode::BAD_GATEWAY);
        slow += usize::from(took >= Duration::from_millis(300));
    }
    assert_eq!((failed, slow), (3, 3), "one order in three each");
}

#[tokio::test]
async fn the_resilient_shop_hides_a_dead_and_a_slow_instance() {
    let slow = slow_payment(Duration::from_secs(5)).await;
    let gateway = shop(vec![healthy_payment().await, dead_payment().await, slow], true).await;
    let mut waited = 0;
    for number in 0..40 {
        let (status, order, took) = buy(&gateway, &format!("key-{number}")).await;
        assert_eq!((status, &order["state"]), (StatusCode::CREATED, &json!("paid")));
        assert!(took < Duration::from_secs(1), "took {took:?}");
        waited += usize::from(took >= Duration::from_millis(100));
    }
    assert!(
        waited <= 6,
        "the slow instance is left out after five failures in a row, but {waited} orders waited for it"
    );
}

#[tokio::test]
async fn an_unpaid_order_stays_unpaid_and_says_so() {
    let gateway = shop(vec![dead_payment().await], false).await;
    let (status, reply, _) = buy(&gateway, "key").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(reply["error"].as_str().is_some_and(|text| text.contains("cannot connect")), "{reply}");
    assert_eq!(read(&gateway, "1").await.1["state"], "unpaid");
}

#[tokio::test]
async fn a_bad_version_of_payments_refuses_as_many_as_it_is_told_to() {
    let (listener, address) = listener().await;
    tokio::spawn(payments::serve(listener, Share(0.2), None));
    let payments = Upstream::new(address);
    let mut statuses = Vec::new();
    for number in 0..10 {
        let key = format!("k-{number}");
        let reply = payments.call(Method::POST, "/payments", Some(&key), Bytes::from_static(b"{}")).await;
        statuses.push(reply.expect("it answers").status);
    }
    let refused: Vec<usize> = (0..10).filter(|at| statuses[*at] == StatusCode::INTERNAL_SERVER_ERROR).collect();
    assert_eq!(refused, [4, 9], "{statuses:?}");
}
