//! A keep-alive HTTP/1.1 client to one upstream, as plain as the one that many services ship with: no time limit, no retry.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::server::Reply;

/// Idle connections above this many are closed.
const MOST_IDLE: usize = 64;

/// Where requests go, and the connections that are open and idle.
#[derive(Debug)]
pub struct Upstream {
    address: String,
    idle: Mutex<Vec<Connection>>,
}

/// A request that got no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection was had.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection broke before the reply was whole.
    #[error("no reply from {address}: {source}")]
    Broken {
        /// `host:port`.
        address: String,
        /// What the connection said.
        source: hyper::Error,
    },
}

impl Upstream {
    /// An upstream at `host:port`; nothing is opened yet.
    pub fn new(address: String) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a request and reads the whole reply, on an idle connection or a new one. Dropping the future closes the
    /// connection that it uses.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: Bytes,
    ) -> Result<Reply, CallError> {
        let broken = |source| CallError::Broken { address: self.address.clone(), source };
        let mut request = Request::builder().method(method).uri(path).header("host", &self.address);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body)).expect("paths and keys come from parsed requests");

        let mut connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.sender.ready().await.map_err(broken)?;
        let response = connection.sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
        Ok(Reply { status, body, instance: None })
    }

    async fn connect(&self) -> Result<Connection, CallError> {
        let failed = |source| CallError::Connect { address: self.address.clone(), source };
        let stream = TcpStream::connect(&self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| CallError::Broken { address: self.address.clone(), source })?;
        // How the connection ends is told to the request that uses it.
        let driver = tokio::spawn(async move {
            let _ = driver.await;
        });
        Ok(Connection { sender, driver })
    }

    /// The connection that was used last and is still open; the closed ones are dropped.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some(connection) = idle.pop() {
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open connection. Dropping it closes the socket even while a reply is awaited.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
