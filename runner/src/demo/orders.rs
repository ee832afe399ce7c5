//! orders: keeps the orders, and pays for each at one of the payment instances.
//!
//! `POST /orders {sku, amount}` answers 201 `{"id": "1", "state": "paid"}`, or 502 when the payment failed; the order is
//! then kept as `unpaid`, and a repeat with the same Idempotency-Key pays for the same order.
//! `GET /orders/{id}` answers 200 `{id, sku, amount, state}`.
//!
//! Naive, payments are chosen in turn, without a time limit, without a retry: what most services do until their first bad
//! day. Resilient, see [`super::resilience`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use super::client::Upstream;
use super::recent::Recent;
use super::resilience::{Resilience, TRY_LIMIT};
use super::server::{self, Call, Reply};

/// Orders that are kept.
const KEPT: usize = 100_000;

/// What a shopper sends.
#[derive(Debug, Deserialize)]
struct NewOrder {
    sku: String,
    amount: u64,
}

#[derive(Debug)]
struct Order {
    sku: String,
    amount: u64,
    paid: bool,
}

#[derive(Debug)]
struct Book {
    orders: Recent<u64, Order>,
    /// Idempotency key to the order's number.
    by_key: Recent<String, u64>,
    last: u64,
}

struct Orders {
    book: Mutex<Book>,
    payments: Vec<Upstream>,
    next: AtomicUsize,
    resilience: Option<Mutex<Resilience>>,
}

/// Answers until the future is dropped. `payments` holds one `host:port` an instance, at least one.
pub async fn serve(listener: TcpListener, payments: Vec<String>, resilient: bool) {
    let resilience = resilient.then(|| Mutex::new(Resilience::new(payments.len(), Instant::now())));
    let orders = Arc::new(Orders {
        book: Mutex::new(Book { orders: Recent::with_capacity(KEPT), by_key: Recent::with_capacity(KEPT), last: 0 }),
        payments: payments.into_iter().map(Upstream::new).collect(),
        next: AtomicUsize::new(0),
        resilience,
    });
    server::serve(listener, move |call| {
        let orders = Arc::clone(&orders);
        async move { orders.answer(call).await }
    })
    .await;
}

impl Orders {
    async fn answer(&self, call: Call) -> Reply {
        match (&call.method, call.path.as_str()) {
            (&Method::GET, "/healthz") => Reply::healthy(),
            (&Method::POST, "/orders") => self.place(call).await,
            (&Method::GET, path) if path.starts_with("/orders/") => self.show(&path["/orders/".len()..]),
            _ => Reply::error(StatusCode::NOT_FOUND, "orders knows POST /orders, GET /orders/{id} and GET /healthz"),
        }
    }

    async fn place(&self, call: Call) -> Reply {
        let order: NewOrder = match serde_json::from_slice(&call.body) {
            Ok(order) => order,
            Err(why) => return Reply::error(StatusCode::BAD_REQUEST, format!("not an order: {why}")),
        };
        let amount = order.amount;
        let number = self.book().reserve(order, call.idempotency_key.as_deref());
        let key = call.idempotency_key.unwrap_or_else(|| format!("order-{number}"));
        let payment = Bytes::from(json!({ "order": number.to_string(), "amount": amount }).to_string());
        match self.pay(&key, payment).await {
            Ok(()) => {
                if let Some(order) = self.book().orders.get_mut(&number) {
                    order.paid = true;
                }
                Reply::json(StatusCode::CREATED, &json!({ "id": number.to_string(), "state": "paid" }))
            }
            Err(why) => Reply::error(StatusCode::BAD_GATEWAY, format!("payment failed: {why}")),
        }
    }

    fn show(&self, id: &str) -> Reply {
        let book = self.book();
        let Some(order) = id.parse().ok().and_then(|number| book.orders.get(&number)) else {
            return Reply::error(StatusCode::NOT_FOUND, format!("no order {id}"));
        };
        let state = if order.paid { "paid" } else { "unpaid" };
        Reply::json(StatusCode::OK, &json!({ "id": id, "sku": order.sku, "amount": order.amount, "state": state }))
    }

    async fn pay(&self, key: &str, payment: Bytes) -> Result<(), String> {
        match &self.resilience {
            None => {
                let instance = self.next.fetch_add(1, Ordering::Relaxed) % self.payments.len();
                self.try_payment(instance, key, payment).await
            }
            Some(resilience) => self.pay_carefully(resilience, key, payment).await,
        }
    }

    /// One try, then others at other instances as long as the budget allows; each has a time limit.
    async fn pay_carefully(&self, resilience: &Mutex<Resilience>, key: &str, payment: Bytes) -> Result<(), String> {
        let decide = || resilience.lock().unwrap_or_else(PoisonError::into_inner);
        decide().count_request(Instant::now());
        let mut tried = Vec::new();
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(instance) = decide().choose(turn, &tried, Instant::now()) else {
                return Err("every payment instance was tried".into());
            };
            let attempt = self.try_payment(instance, key, payment.clone());
            let outcome = match tokio::time::timeout(TRY_LIMIT, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no reply within {} ms", TRY_LIMIT.as_millis())),
            };
            decide().note(instance, outcome.is_ok(), Instant::now());
            tried.push(instance);
            match outcome {
                Ok(()) => return Ok(()),
                Err(why) if tried.len() == self.payments.len() => return Err(why),
                Err(why) if !decide().may_retry(Instant::now()) => {
                    return Err(format!("{why}, and the retry budget is spent"));
                }
                Err(_) => {}
            }
        }
    }

    async fn try_payment(&self, instance: usize, key: &str, payment: Bytes) -> Result<(), String> {
        match self.payments[instance].call(Method::POST, "/payments", Some(key), payment).await {
            Ok(reply) if reply.status.is_success() => Ok(()),
            Ok(reply) => Err(format!("payments answered {}", reply.status.as_u16())),
            Err(why) => Err(why.to_string()),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The number of the order with this key; a new one, unpaid, if there is none.
    fn reserve(&mut self, order: NewOrder, key: Option<&str>) -> u64 {
        if let Some(number) = key.and_then(|key| self.by_key.get(&key.to_owned())) {
            return *number;
        }
        self.last += 1;
        self.orders.insert(self.last, Order { sku: order.sku, amount: order.amount, paid: false });
        if let Some(key) = key {
            self.by_key.insert(key.to_owned(), self.last);
        }
        self.last
    }
}
