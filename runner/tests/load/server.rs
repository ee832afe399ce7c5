//! A real HTTP server for the tests of the load engine: hyper on a thread of its own, with what each test needs to see.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// What the server has seen.
#[derive(Default)]
pub struct Seen {
    /// Connections accepted.
    pub connections: AtomicUsize,
    /// Each request: version, method, path, headers that matter, body.
    pub requests: Mutex<Vec<String>>,
    /// How often each URL of `/turns` was asked for.
    pub turns: Mutex<HashMap<String, u32>>,
    /// Requests, when their contents are too many to be kept.
    pub count: AtomicUsize,
}

/// A server on a free port of 127.0.0.1; lives as long as the test's process.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    /// At this address, if it is free.
    pub fn start_at(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self::listen(std::net::TcpListener::bind(address)?, None))
    }

    pub fn start_tls(http2: bool) -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let cert = key.cert.der().clone();
        let private = rustls::pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], private)
            .unwrap();
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Self::listen(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), Some(Arc::new(config)))
    }

    fn listen(listener: std::net::TcpListener, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (tcp, _) = listener.accept().await.unwrap();
                    tcp.set_nodelay(true).unwrap();
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    let (seen, tls) = (shared.clone(), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(tcp, false, seen).await,
                            Some(config) => {
                                let http2 = config.alpn_protocols[0] == b"h2";
                                if let Ok(tls) = tokio_rustls::TlsAcceptor::from(config).accept(tcp).await {
                                    serve(tls, http2, seen).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub fn count(&self) -> usize {
        self.seen.count.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, http2: bool, seen: Arc<Seen>) {
    let service = service_fn(move |request| answer(request, seen.clone()));
    // A client that goes away is part of the tests.
    if http2 {
        drop(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(io), service)
                .await,
        );
    } else {
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service).await);
    }
}

fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Body>, Infallible> {
    seen.count.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/fast" {
        return Ok(Response::new(whole("hello")));
    }
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut line = format!("{:?} {} {}", head.version, head.method, head.uri.path_and_query().unwrap());
    for name in ["content-type", "content-length", "user-agent", "authorization", "connection"] {
        if let Some(value) = head.headers.get(name) {
            line.push_str(&format!("; {name}={}", value.to_str().unwrap()));
        }
    }
    if !body.is_empty() {
        line.push_str(&format!("; {}", String::from_utf8_lossy(&body)));
    }
    seen.requests.lock().unwrap().push(line);
    Ok(match path.as_str() {
        "/never" => std::future::pending().await,
        "/order" => {
            let mut reply = Response::new(whole(r#"{"id":17,"state":"open","lines":[{"sku":"a b"}]}"#));
            reply.headers_mut().insert("x-trace", "t-1".parse().unwrap());
            reply
        }
        // All of the server stands still, not only this request.
        "/freeze" => {
            std::thread::sleep(Duration::from_millis(400));
            Response::new(whole("thawed"))
        }
        "/close" => {
            let mut reply = Response::new(whole("bye"));
            reply.headers_mut().insert("connection", "close".parse().unwrap());
            reply
        }
        // `?on=3&first=404&then=200`: another status and state from the third request for this URL on.
        "/turns" => {
            let query = head.uri.query().unwrap_or_default().to_owned();
            let of = |name: &str| {
                let found = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
                found.and_then(|number| number.parse::<u16>().ok()).unwrap_or(200)
            };
            let mut turns = seen.turns.lock().unwrap();
            let asked = turns.entry(query.clone()).or_default();
            *asked += 1;
            let turned = *asked >= u32::from(of("on"));
            let mut reply = Response::new(whole(if turned { r#"{"state":"paid"}"# } else { r#"{"state":"open"}"# }));
            *reply.status_mut() = StatusCode::from_u16(of(if turned { "then" } else { "first" })).unwrap();
            reply
        }
        "/chunked" => Response::new(Pieces((0..50).map(|_| Bytes::from(vec![b'x'; 1000])).collect()).boxed()),
        "/busy" => {
            let mut reply = Response::new(whole("try later, token s3cret"));
            *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            reply
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::new(whole("at last"))
        }
        _ => Response::new(whole("hello")),
    })
}

/// A body of several pieces without a length: HTTP/1.1 sends it chunked.
struct Pieces(VecDeque<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
