//! One open connection: hyper's codec, driven by the task whose request is on it.
//!
//! hyper splits a connection into a sender and a driver that is usually spawned as a task of its own. Here, for HTTP/1.1,
//! the iteration's task drives both, so that a request costs no wake-up from one task to another. An HTTP/2 connection
//! carries many requests at once and so has a task of its own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::failure::Failure;
use super::stream::Stream;

/// Largest head of a reply.
pub const MAX_HEAD: u32 = 64 * 1024;
/// Requests on one HTTP/2 connection at a time, at most; the peer may allow fewer, then they wait there.
pub const MAX_STREAMS: usize = 100;

/// A request as hyper sends it.
pub type Outgoing = Request<Full<Bytes>>;

/// Why there is no reply.
pub enum Refused {
    /// Nothing of the request was written: it may go out on another connection.
    Unsent(Failure),
    /// It was under way.
    Broken(Failure),
}

/// An HTTP/1.1 connection that serves one request at a time.
pub struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Boxed, so that a connection is cheap to move in and out of the pool.
    driver: Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>,
    /// The driver has ended and must not be polled again.
    over: Option<Result<(), Failure>>,
    _counted: Counted,
}

impl Http1 {
    fn drive(&mut self, cx: &mut Context<'_>) {
        if self.over.is_none()
            && let Poll::Ready(end) = Pin::new(&mut *self.driver).poll(cx)
        {
            self.over = Some(end.map_err(|error| Failure::http(&error)));
        }
    }

    /// Lets the codec finish what the last request has left and notice if the peer has closed meanwhile. Nobody waits, so
    /// nobody is woken. Returns whether the connection can take a request.
    pub fn is_fresh(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.over.is_none() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the reply.
    pub async fn send(&mut self, request: Outgoing) -> Result<Response<Incoming>, Refused> {
        let mut reply = pin!(self.sender.try_send_request(request));
        // `self.sender` is not borrowed by the future, so the driver is free to be polled beside it.
        let (driver, over) = (&mut self.driver, &mut self.over);
        let answer = poll_fn(|cx| {
            if over.is_none()
                && let Poll::Ready(end) = Pin::new(&mut **driver).poll(cx)
            {
                *over = Some(end.map_err(|error| Failure::http(&error)));
            }
            reply.as_mut().poll(cx)
        });
        answer.await.map_err(|mut error| match error.take_message() {
            Some(_request) => Refused::Unsent(Failure::http(&error.into_error())),
            None => Refused::Broken(Failure::http(&error.into_error())),
        })
    }

    /// The next piece of the body; `None` at its end.
    pub async fn next_piece(&mut self, body: &mut Incoming) -> Option<Result<Bytes, Failure>> {
        poll_fn(|cx| {
            // The driver hands a piece over only when it has been asked for one, so a first look may ask in vain.
            for _ in 0..2 {
                self.drive(cx);
                if let Poll::Ready(piece) = poll_piece(body, cx) {
                    return Poll::Ready(piece);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// An HTTP/2 connection; clones share it.
#[derive(Clone)]
pub struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    shared: Rc<Http2Use>,
}

/// How an HTTP/2 connection is used.
struct Http2Use {
    streams: Cell<usize>,
    /// A request timed out on it: perhaps all of it is stuck, so it gets no new one.
    retired: Cell<bool>,
    _counted: Counted,
}

impl Http2 {
    /// Whether it can take another request.
    pub fn has_room(&self) -> bool {
        !self.shared.retired.get() && !self.sender.is_closed() && self.shared.streams.get() < MAX_STREAMS
    }

    /// Whether it will ever take one again.
    pub fn is_over(&self) -> bool {
        self.shared.retired.get() || self.sender.is_closed()
    }

    /// Counts a request in.
    pub fn enter(&self) {
        self.shared.streams.set(self.shared.streams.get() + 1);
    }

    /// Counts a request out; one that did not end by itself retires the connection.
    pub fn leave(&self, whole: bool) {
        self.shared.streams.set(self.shared.streams.get() - 1);
        if !whole {
            self.shared.retired.set(true);
        }
    }

    /// Sends a request and waits for the head of the reply.
    pub async fn send(&mut self, request: Outgoing) -> Result<Response<Incoming>, Refused> {
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(_request) => Refused::Unsent(Failure::http(&error.into_error())),
            None => Refused::Broken(Failure::http(&error.into_error())),
        })
    }
}

/// The next piece of an HTTP/2 body; `None` at its end.
pub async fn next_piece(body: &mut Incoming) -> Option<Result<Bytes, Failure>> {
    poll_fn(|cx| poll_piece(body, cx)).await
}

/// Skips trailers.
fn poll_piece(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
    loop {
        return match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Failure::http(&error)))),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(data))),
                Err(_trailers) => continue,
            },
        };
    }
}

/// A connection as ALPN left it.
pub enum Opened {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2.
    Http2(Http2),
}

/// An open connection in the worker's count of them; leaves it when the connection is dropped.
pub struct Counted(Rc<Cell<usize>>);

impl Counted {
    /// Counts one more.
    pub fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Opens a connection and says hello.
pub async fn open(
    socket: SocketAddr,
    tls: Option<(&Arc<rustls::ClientConfig>, &str)>,
    counted: Counted,
) -> Result<Opened, Failure> {
    let stream = Stream::open(socket, tls).await?;
    if stream.is_http2() {
        let mut builder = http2::Builder::new(LocalTasks);
        builder.max_header_list_size(MAX_HEAD);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| Failure::http(&error))?;
        // How it ends is seen by the requests on it.
        tokio::task::spawn_local(async move { drop(driver.await) });
        let shared = Rc::new(Http2Use { streams: Cell::new(0), retired: Cell::new(false), _counted: counted });
        return Ok(Opened::Http2(Http2 { sender, shared }));
    }
    let mut builder = http1::Builder::new();
    builder.max_header_size(MAX_HEAD as usize);
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| Failure::http(&error))?;
    Ok(Opened::Http1(Http1 { sender, driver: Box::new(driver), over: None, _counted: counted }))
}

/// hyper's HTTP/2 spawns a task for each connection and for each request body; they stay on the worker.
#[derive(Clone)]
struct LocalTasks;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
