//! payments: accepts every payment, and the same Idempotency-Key only once.
//!
//! `POST /payments {order, amount}` answers 201 `{"id": "p-1", "state": "accepted"}`.

use std::sync::{Arc, Mutex, PoisonError};

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
}

/// Answers until the future is dropped.
pub async fn serve(listener: TcpListener) {
    let payments = Arc::new(Mutex::new(Payments { by_key: Recent::with_capacity(REMEMBERED), last: 0 }));
    server::serve(listener, move |call| {
        let reply = payments.lock().unwrap_or_else(PoisonError::into_inner).answer(&call);
        async move { reply }
    })
    .await;
}

impl Payments {
    fn answer(&mut self, call: &Call) -> Reply {
        match (&call.method, call.path.as_str()) {
            (&Method::GET, "/healthz") => Reply::healthy(),
            (&Method::POST, "/payments") => self.accept(call.idempotency_key.as_deref()),
            _ => Reply::error(StatusCode::NOT_FOUND, "payments knows POST /payments and GET /healthz"),
        }
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
