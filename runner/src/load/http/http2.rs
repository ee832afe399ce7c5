//! An HTTP/2 connection: many requests at once, by hyper. It has a task of its own, because no request owns it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;

use super::Refused;
use super::failure::Failure;
use super::framing::MAX_HEAD;
use super::pool::Counted;
use super::reply::Reading;
use super::stream::Stream;

/// Requests on one connection at a time, at most; the peer may allow fewer, then they wait there.
pub(super) const MAX_STREAMS: usize = 100;

/// A request as hyper sends it.
pub type Outgoing = Request<Full<Bytes>>;

/// A connection; clones share it.
#[derive(Clone)]
pub struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    shared: Rc<Use>,
}

/// How a connection is used.
struct Use {
    streams: Cell<usize>,
    /// A request was cut off on it: perhaps all of it is stuck, so it gets no new one.
    retired: Cell<bool>,
    counted: Counted,
}

impl Http2 {
    /// Says hello on an open stream.
    pub async fn new(stream: Stream, counted: Counted) -> Result<Self, Failure> {
        let mut builder = http2::Builder::new(LocalTasks);
        builder.max_header_list_size(MAX_HEAD as u32);
        let opened = builder.handshake(TokioIo::new(stream)).await;
        let (sender, driver) = opened.map_err(|error| Failure::http2(&error))?;
        // How it ends is seen by the requests on it.
        tokio::task::spawn_local(async move { drop(driver.await) });
        let shared = Use { streams: Cell::new(0), retired: Cell::new(false), counted };
        Ok(Self { sender, shared: Rc::new(shared) })
    }

    /// Whether it can take another request.
    pub fn has_room(&self) -> bool {
        !self.is_over() && self.shared.streams.get() < MAX_STREAMS
    }

    /// Whether it will never take one again.
    pub fn is_over(&self) -> bool {
        self.shared.retired.get() || self.sender.is_closed()
    }

    /// What it has done so far.
    pub fn counted(&self) -> &Counted {
        &self.shared.counted
    }

    /// A request's place on the connection.
    pub fn enter(&self) -> Stream2 {
        self.shared.streams.set(self.shared.streams.get() + 1);
        Stream2 { connection: self.clone(), whole: false }
    }
}

/// A request's place on a connection. One that is given up before its reply has ended retires the connection.
pub struct Stream2 {
    connection: Http2,
    whole: bool,
}

impl Drop for Stream2 {
    fn drop(&mut self) {
        let shared = &self.connection.shared;
        shared.streams.set(shared.streams.get() - 1);
        if !self.whole {
            shared.retired.set(true);
        }
    }
}

impl Stream2 {
    /// What the connection has done so far.
    pub fn counted(&self) -> &Counted {
        &self.connection.shared.counted
    }

    /// Sends a request and reads the reply to its end; `on_head` is called once its head is there.
    pub async fn exchange(
        &mut self,
        request: Outgoing,
        keep_body: bool,
        on_head: impl FnOnce(),
    ) -> Result<Reading, Refused> {
        let sent = self.connection.sender.try_send_request(request).await;
        let response = sent.map_err(|mut error| match error.take_message() {
            Some(_request) => Refused::Unsent(Failure::http2(&error.into_error())),
            None => Refused::Broken(Failure::http2(&error.into_error())),
        })?;
        on_head();
        let (head, mut body) = response.into_parts();
        let mut reply = Reading::new(head.status, head.headers, keep_body);
        while let Some(piece) = poll_fn(|cx| poll_piece(&mut body, cx)).await {
            reply.take(&piece.map_err(Refused::Broken)?);
        }
        self.whole = true;
        Ok(reply)
    }
}

/// The next piece of a body; skips trailers.
fn poll_piece(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
    loop {
        return match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Failure::http2(&error)))),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(data))),
                Err(_trailers) => continue,
            },
        };
    }
}

/// hyper spawns a task for each connection and for each request body; they stay on the worker.
#[derive(Clone)]
struct LocalTasks;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
