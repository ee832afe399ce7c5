//! payments: accepts every payment, and the same Idempotency-Key only once.
//!
//! `POST /payments {order, amount}` answers 201 `{"id": "p-1", "state": "accepted"}`; a bad version answers some of them
//! with 500.

use std::sync::{Arc, Mutex, PoisonError};

use brunt_scenario::units::Share;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use super::recent::Recent;
use super::server::{self, Call, Reply};

/// Payments whose key is remembered.
const REMEMBERED: usize = 100_000;

#[derive(Debug)]
struct Payments {
    /// Idempotency key to the number of the payment.
    by_key: Recent<String, u64>,
    last: u64,
    /// Of the payments.
    refuses: Share,
    asked: u64,
}

/// Answers until the future is dropped; refuses that share of the payments, and says who it is if it knows.
pub async fn serve(listener: TcpListener, refuses: Share, instance: Option<HeaderValue>) {
    let by_key = Recent::with_capacity(REMEMBERED);
    let payments = Arc::new(Mutex::new(Payments { by_key, last: 0, refuses, asked: 0 }));
    server::serve(listener, move |call| {
        let instance = instance.clone();
        let reply = payments.lock().unwrap_or_else(PoisonError::into_inner).answer(&call);
        async move { Reply { instance, ..reply } }
    })
    .await;
}

impl Payments {
    fn answer(&mut self, call: &Call) -> Reply {
        match (&call.method, call.path.as_str()) {
            (&Method::GET, "/healthz") => Reply::healthy(),
            (&Method::POST, "/payments") if self.is_refused() => {
                Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "this version of payments refuses some of them")
            }
            (&Method::POST, "/payments") => self.accept(call.idempotency_key.as_deref()),
            _ => Reply::error(StatusCode::NOT_FOUND, "payments knows POST /payments and GET /healthz"),
        }
    }

    /// Evenly spread: of 20 % each fifth one.
    fn is_refused(&mut self) -> bool {
        let before = (self.asked as f64 * self.refuses.0).floor();
        self.asked += 1;
        (self.asked as f64 * self.refuses.0).floor() > before
    }

    fn accept(&mut self, key: Option<&str>) -> Reply {
        let known = key.and_then(|key| self.by_key.get(&key.to_owned()).copied());
        let payment = known.unwrap_or_else(|| {
            self.last += 1;
            if let Some(key) = key {
                self.by_key.insert(key.to_owned(), self.last);
            }
            self.last
        });
        Reply::json(StatusCode::CREATED, &json!({ "id": format!("p-{payment}"), "state": "accepted" }))
    }
}
