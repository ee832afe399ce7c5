//! The HTTP client of a worker: connections kept by address, requests sent, replies read.
//!
//! It does what a load generator must and a general client does not: it takes all addresses in turn, says how long a
//! request waited for a connection, never retries what may have reached the server, and never follows a redirect.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use brunt_report::sample::ErrorClass;
use brunt_scenario::units::Offset;
use hyper::Response;
use hyper::body::{Body, Incoming};
use tokio::sync::Notify;

use self::connection::{Counted, Http1, Http2, Opened, Outgoing, Refused};
use self::failure::Failure;
use self::reply::{Reading, Reply};
use super::destinations::{Address, Destinations, Usable};
use crate::clock::Clock;

pub mod connection;
pub mod failure;
pub mod reply;
mod stream;

/// What is known of a request while it is under way; survives its timeout.
#[derive(Debug, Default)]
pub struct Trace {
    /// Who served it.
    pub instance: Cell<Option<u16>>,
    /// When its connection was had and its first byte was handed over.
    pub sent: Cell<Option<Offset>>,
    /// When the head of the reply was there.
    pub first_byte: Cell<Option<Offset>>,
    /// When it began to wait for a connection.
    pub asked: Cell<Offset>,
    /// Time to open a connection for it, if one was opened.
    pub connect_ns: Cell<u64>,
    /// A connection is being opened now.
    pub connecting: Cell<bool>,
}

/// Which codec a request will go through; its head differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Path in the request line, `Host` header.
    Http1,
    /// Scheme and authority beside the path.
    Http2,
}

/// The connections of one worker.
pub struct Client {
    clock: Clock,
    destinations: Arc<Destinations>,
    tls: Option<Arc<rustls::ClientConfig>>,
    places: Vec<RefCell<Place>>,
    open: Rc<Cell<usize>>,
    limit: usize,
}

/// A destination as this worker last saw it, and its idle connections.
struct Place {
    version: u64,
    usable: Usable,
    next: usize,
    /// By the address's index.
    idle: Vec<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one used last is taken first, so that the surplus of a burst ages out at the server.
    http1: Vec<Http1>,
    http2: Vec<Http2>,
    spoken: Option<Version>,
    /// A connection is being opened that others may be able to share; they are told how it went.
    opening: Option<Rc<Notify>>,
}

/// A connection that need not be opened.
enum Shared {
    Idle(Taken),
    Opening(Rc<Notify>),
}

/// Says that a connection is being opened, until it is dropped: then all who wait look again.
struct Announced<'a> {
    client: &'a Client,
    destination: usize,
    index: usize,
}

impl<'a> Announced<'a> {
    /// `None` where the address is known to speak HTTP/1.1: nobody could share the connection.
    fn new(client: &'a Client, destination: usize, address: &Address) -> Option<Self> {
        let mut announced = false;
        client.idle(destination, address, |idle| {
            if idle.spoken != Some(Version::Http1) && idle.opening.is_none() {
                idle.opening = Some(Rc::default());
                announced = true;
            }
        });
        announced.then(|| Self { client, destination, index: usize::from(address.index) })
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let opening = self.client.places[self.destination].borrow_mut().idle[self.index].opening.take();
        if let Some(opening) = opening {
            opening.notify_waiters();
        }
    }
}

enum Taken {
    Http1(Http1),
    Http2(Http2Stream),
}

/// A request's place on an HTTP/2 connection.
struct Http2Stream {
    connection: Http2,
    whole: bool,
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        self.connection.leave(self.whole);
    }
}

impl Client {
    /// `worker` staggers the turns of several workers; `limit` is the most connections that are kept, at least one for each
    /// open iteration; `tls` is needed if a destination is https.
    pub fn new(
        clock: Clock,
        destinations: Arc<Destinations>,
        tls: Option<Arc<rustls::ClientConfig>>,
        worker: usize,
        limit: usize,
    ) -> Self {
        let places = destinations.list().iter().map(|destination| {
            let version = destination.version();
            RefCell::new(Place { version, usable: destination.usable(), next: worker, idle: Vec::new() })
        });
        let places = places.collect();
        Self { clock, destinations, tls, places, open: Rc::default(), limit }
    }

    /// Sends a request to the next address of a destination and reads the reply to its end. `build` makes the request once
    /// the address and the protocol are known. `keep`: the body is wanted. Dropping the future closes the connection.
    ///
    /// A kept connection may be closed by the server just as a request is handed to it. If nothing of the request was
    /// written it goes out once more, on a new connection; once something was written, it is a `reset`.
    pub async fn send(
        &self,
        destination: usize,
        keep: bool,
        trace: &Trace,
        build: impl Fn(&Address, Version) -> Result<Outgoing, Failure>,
    ) -> Result<Reply, Failure> {
        trace.asked.set(self.clock.now());
        let address = self.next_address(destination)?;
        while let Some(shared) = self.take_idle(destination, &address).or_else(|| self.wait_for(destination, &address))
        {
            let kept = match shared {
                Shared::Idle(kept) => kept,
                Shared::Opening(opened) => {
                    trace.connecting.set(true);
                    opened.notified().await;
                    trace.connecting.set(false);
                    continue;
                }
            };
            let request = build(&address, kept.version())?;
            match self.exchange(destination, &address, kept, request, keep, trace).await {
                Err(Refused::Unsent(_)) => {
                    trace.sent.set(None);
                    break;
                }
                Err(Refused::Broken(failure)) => return Err(failure),
                Ok(reply) => return Ok(reply),
            }
        }
        let opened = self.open(destination, &address, trace).await?;
        let request = build(&address, opened.version())?;
        self.exchange(destination, &address, opened, request, keep, trace).await.map_err(|refused| match refused {
            Refused::Unsent(failure) | Refused::Broken(failure) => failure,
        })
    }

    /// Drops idle connections that the server has closed meanwhile.
    pub fn sweep(&self) {
        for place in &self.places {
            for idle in &mut place.borrow_mut().idle {
                idle.http1.retain_mut(|connection| connection.is_fresh());
                idle.http2.retain(|connection| !connection.is_over());
            }
        }
    }

    fn next_address(&self, destination: usize) -> Result<Address, Failure> {
        let place = &mut *self.places[destination].borrow_mut();
        let version = self.destinations.list()[destination].version();
        if version != place.version {
            place.version = version;
            place.usable = self.destinations.list()[destination].usable();
        }
        match &place.usable {
            Usable::NoSuchName(text) => Err(Failure::new(ErrorClass::Dns, text.to_string())),
            Usable::Addresses(addresses) => {
                place.next = (place.next + 1) % addresses.len();
                Ok(addresses[place.next].clone())
            }
        }
    }

    fn take_idle(&self, destination: usize, address: &Address) -> Option<Shared> {
        let place = &mut *self.places[destination].borrow_mut();
        let idle = place.idle.get_mut(usize::from(address.index))?;
        while let Some(mut connection) = idle.http1.pop() {
            if connection.is_fresh() {
                return Some(Shared::Idle(Taken::Http1(connection)));
            }
        }
        idle.http2.retain(|connection| !connection.is_over());
        let with_room = idle.http2.iter().find(|connection| connection.has_room());
        with_room.map(|connection| Shared::Idle(Taken::http2(connection.clone())))
    }

    /// A connection that is being opened, if it may turn out to be HTTP/2 and so have room for others. Without this, a
    /// hundred requests that come while the first handshake lasts would open a hundred connections.
    fn wait_for(&self, destination: usize, address: &Address) -> Option<Shared> {
        let place = self.places[destination].borrow();
        let idle = place.idle.get(usize::from(address.index))?;
        idle.opening.clone().map(Shared::Opening)
    }

    async fn open(&self, destination: usize, address: &Address, trace: &Trace) -> Result<Taken, Failure> {
        if self.open.get() >= self.limit {
            self.close_one_idle();
        }
        let target = &self.destinations.list()[destination];
        let tls = match (&self.tls, target.tls) {
            (Some(config), true) => Some((config, target.host.as_str())),
            (None, true) => return Err(Failure::tls(address.socket, &"TLS was not set up")),
            (_, false) => None,
        };
        let begun = self.clock.now();
        trace.connecting.set(true);
        let announced = target.tls.then(|| Announced::new(self, destination, address)).flatten();
        let opened = connection::open(address.socket, tls, Counted::new(&self.open)).await;
        trace.connecting.set(false);
        trace.connect_ns.set(self.clock.now().0 - begun.0);
        let taken = match opened? {
            Opened::Http1(connection) => Taken::Http1(connection),
            Opened::Http2(connection) => {
                self.idle(destination, address, |idle| idle.http2.push(connection.clone()));
                Taken::http2(connection)
            }
        };
        if announced.is_some() {
            self.idle(destination, address, |idle| idle.spoken = Some(taken.version()));
        }
        Ok(taken)
    }

    /// Makes room for a connection to an address whose own idle ones are used up: takes the oldest one of another.
    fn close_one_idle(&self) {
        for place in &self.places {
            for idle in &mut place.borrow_mut().idle {
                if !idle.http1.is_empty() {
                    idle.http1.remove(0);
                    return;
                }
            }
        }
    }

    fn idle(&self, destination: usize, address: &Address, change: impl FnOnce(&mut Idle)) {
        let idle = &mut self.places[destination].borrow_mut().idle;
        let index = usize::from(address.index);
        if idle.len() <= index {
            idle.resize_with(index + 1, Idle::default);
        }
        change(&mut idle[index]);
    }

    async fn exchange(
        &self,
        destination: usize,
        address: &Address,
        taken: Taken,
        request: Outgoing,
        keep: bool,
        trace: &Trace,
    ) -> Result<Reply, Refused> {
        trace.instance.set(Some(address.index));
        trace.sent.set(Some(self.clock.now()));
        match taken {
            Taken::Http1(mut connection) => {
                let (mut reply, mut body) = self.head(connection.send(request).await?, trace);
                while !body.is_end_stream()
                    && let Some(piece) = connection.next_piece(&mut body).await
                {
                    reply.take(piece.map_err(Refused::Broken)?, keep);
                }
                drop(body);
                if connection.is_fresh() {
                    self.idle(destination, address, |idle| idle.http1.push(connection));
                }
                Ok(reply.finish())
            }
            Taken::Http2(mut stream) => {
                let (mut reply, mut body) = self.head(stream.connection.send(request).await?, trace);
                while !body.is_end_stream()
                    && let Some(piece) = connection::next_piece(&mut body).await
                {
                    reply.take(piece.map_err(Refused::Broken)?, keep);
                }
                stream.whole = true;
                Ok(reply.finish())
            }
        }
    }

    fn head(&self, response: Response<Incoming>, trace: &Trace) -> (Reading, Incoming) {
        trace.first_byte.set(Some(self.clock.now()));
        let (head, body) = response.into_parts();
        (Reading::new(head.status, head.headers), body)
    }
}

impl Taken {
    fn http2(connection: Http2) -> Self {
        connection.enter();
        Self::Http2(Http2Stream { connection, whole: false })
    }

    fn version(&self) -> Version {
        match self {
            Self::Http1(_) => Version::Http1,
            Self::Http2(_) => Version::Http2,
        }
    }
}
