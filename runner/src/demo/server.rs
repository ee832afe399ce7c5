//! A small HTTP/1.1 server: each connection is a task, each request a call of one function.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Longer bodies are refused: nobody orders that much.
const LARGEST_BODY: usize = 64 * 1024;

/// A request whose body has been read.
#[derive(Debug)]
pub struct Call {
    /// GET, POST, ...
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The header `Idempotency-Key`: the same key, the same effect.
    pub idempotency_key: Option<String>,
    /// As it came.
    pub body: Bytes,
}

/// What is answered: a status and JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The body, JSON.
    pub body: Bytes,
    /// Who answers: the header `x-instance`.
    pub instance: Option<HeaderValue>,
}

impl Reply {
    /// A status and a JSON body.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, body: Bytes::from(body.to_string()), instance: None }
    }

    /// A status and a reason for a person: `{"error": "..."}`.
    pub fn error(status: StatusCode, reason: impl std::fmt::Display) -> Self {
        Self::json(status, &json!({ "error": reason.to_string() }))
    }

    /// What every service answers at `/healthz`.
    pub fn healthy() -> Self {
        Self::json(StatusCode::OK, &json!({ "status": "ok" }))
    }
}

/// Accepts connections and answers until the future is dropped. A connection that breaks ends alone.
pub async fn serve<F, Answer>(listener: TcpListener, answer: F)
where
    F: Fn(Call) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Reply> + Send + 'static,
{
    let answer = Arc::new(answer);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, or the peer left between SYN and accept: wait for one to end, then go on.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        // Without it small replies wait for the peer's delayed acknowledgement. If it fails the socket is dead already.
        let _ = stream.set_nodelay(true);
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&answer)));
            // The peer hung up or spoke something else: its concern, and nothing that a toy needs to log.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond<F, Answer>(request: Request<Incoming>, answer: Arc<F>) -> Result<Response<Full<Bytes>>, Infallible>
where
    F: Fn(Call) -> Answer,
    Answer: Future<Output = Reply>,
{
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => {
            let key = head.headers.get("idempotency-key").and_then(|value| value.to_str().ok());
            let call = Call {
                method: head.method,
                path: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
                idempotency_key: key.map(str::to_owned),
                body: body.to_bytes(),
            };
            answer(call).await
        }
        Err(why) => Reply::error(StatusCode::BAD_REQUEST, why),
    };
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response.headers_mut().extend(reply.instance.map(|instance| (HeaderName::from_static("x-instance"), instance)));
    Ok(response)
}
