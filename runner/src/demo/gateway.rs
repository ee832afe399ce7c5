//! gateway: the shop's door. Passes what it gets on to orders, and answers 502 when orders does not.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use tokio::net::TcpListener;

use super::client::Upstream;
use super::server::{self, Call, Reply};

/// Answers until the future is dropped. `orders` is `host:port`.
pub async fn serve(listener: TcpListener, orders: String) {
    let orders = Arc::new(Upstream::new(orders));
    server::serve(listener, move |call| {
        let orders = Arc::clone(&orders);
        async move { answer(call, &orders).await }
    })
    .await;
}

async fn answer(call: Call, orders: &Upstream) -> Reply {
    if call.method == Method::GET && call.path == "/healthz" {
        return Reply::healthy();
    }
    match orders.call(call.method, &call.path, call.idempotency_key.as_deref(), call.body).await {
        Ok(reply) => reply,
        Err(why) => Reply::error(StatusCode::BAD_GATEWAY, why),
    }
}
