//! The HTTP client of a worker: connections kept by address, requests sent, replies read.
//!
//! It does what a load generator must and a general client does not: it takes all addresses in turn, says how long a
//! request waited for a connection, never retries what may have reached the server, and never follows a redirect.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use brunt_scenario::plan::Connections;
use brunt_scenario::units::Offset;

use self::failure::Failure;
pub use self::http1::Wanted;
use self::http1::{BUFFER, Buffer, Http1};
use self::http2::Http2;
use self::pool::{Gate, Pool, Shared, Taken};
use self::reply::Reply;
use self::stream::Stream;
use super::destinations::{Address, Destinations};
use super::names::Names;
use super::request::Prepared;
use crate::clock::Clock;

pub mod failure;
mod framing;
mod http1;
pub mod http2;
mod pool;
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

impl Trace {
    /// Forgets a request: another one of the same step follows.
    pub fn again(&self) {
        self.instance.set(None);
        self.sent.set(None);
        self.first_byte.set(None);
        self.asked.set(Offset(0));
        self.connect_ns.set(0);
        self.connecting.set(false);
    }
}

/// Why there is no reply.
pub enum Refused {
    /// Nothing of the request was written: it may go out on another connection.
    Unsent(Failure),
    /// It was under way.
    Broken(Failure),
}

/// The client of one worker.
pub struct Client {
    clock: Clock,
    destinations: Arc<Destinations>,
    tls: Option<Arc<rustls::ClientConfig>>,
    pool: Pool,
    buffer: Buffer,
    /// Where the bytes of a request are put together; whoever needs a second one meanwhile allocates it.
    scratch: RefCell<Vec<u8>>,
    names: RefCell<Names>,
}

impl Client {
    /// `worker` staggers the turns of several workers; `limit` is the most connections that are kept, at least one for each
    /// open iteration; `tls` is needed if a destination is https; `wishes` are those of its load entries, for this worker.
    pub fn new(
        clock: Clock,
        destinations: Arc<Destinations>,
        tls: Option<Arc<rustls::ClientConfig>>,
        worker: usize,
        limit: usize,
        wishes: Connections,
    ) -> Self {
        let pool = Pool::new(destinations.list(), worker, limit, wishes);
        let buffer = Rc::new(RefCell::new(vec![0; BUFFER]));
        Self { clock, destinations, tls, pool, buffer, scratch: RefCell::default(), names: RefCell::default() }
    }

    /// Sends a request to the next address of its destination and reads the reply to its end. Dropping the future closes
    /// the connection.
    ///
    /// A kept connection may be closed by the server just as a request is handed to it. If nothing of the request was
    /// written it goes out once more, on a new connection; once something was written, it is a `reset`.
    ///
    /// Where connections are limited, the request waits for its turn first; that is `queued`, as all waiting here.
    pub async fn send(&self, request: &Prepared<'_>, trace: &Trace) -> Result<Reply, Failure> {
        trace.asked.set(self.clock.now());
        let destination = request.destination();
        let address = self.pool.next_address(destination, &self.destinations.list()[destination])?;
        let gate = self.pool.gate(destination, &address);
        let _turn = match &gate {
            Some(gate) => gate.turn().await,
            None => None,
        };
        loop {
            let Some(shared) = self.pool.take(destination, &address, self.moment()) else {
                match gate.as_ref().filter(|gate| !gate.has_room()) {
                    Some(full) => full.closed().await,
                    None => break,
                }
                continue;
            };
            let taken = match shared {
                Shared::Idle(taken) => taken,
                Shared::Opening(opened) => {
                    trace.connecting.set(true);
                    opened.notified().await;
                    trace.connecting.set(false);
                    continue;
                }
            };
            match self.exchange(&address, taken, request, trace).await {
                Ok(reply) => return Ok(reply),
                Err(Refused::Broken(failure)) => return Err(failure),
                Err(Refused::Unsent(_)) => {
                    trace.sent.set(None);
                    break;
                }
            }
        }
        let opened = self.open(destination, &address, gate.as_ref(), trace).await?;
        self.exchange(&address, opened, request, trace).await.map_err(|refused| match refused {
            Refused::Unsent(failure) | Refused::Broken(failure) => failure,
        })
    }

    /// Now, for the age of connections; the clock is not asked where it does not matter.
    fn moment(&self) -> Offset {
        if self.pool.minds_age() { self.clock.now() } else { Offset(0) }
    }

    /// Drops idle connections that the server has closed meanwhile, or that are too old.
    pub fn sweep(&self) {
        self.pool.sweep(self.moment());
    }

    async fn open(
        &self,
        destination: usize,
        address: &Address,
        gate: Option<&Rc<Gate>>,
        trace: &Trace,
    ) -> Result<Taken, Failure> {
        let target = &self.destinations.list()[destination];
        let tls = match (&self.tls, target.tls) {
            (Some(config), true) => Some((config, target.host.as_str())),
            (None, true) => return Err(Failure::tls(address.socket, &"TLS was not set up")),
            (_, false) => None,
        };
        let begun = self.clock.now();
        let counted = self.pool.count(gate, begun);
        // HTTP/2 is chosen by ALPN, so without TLS there is nothing to share.
        let _announced = target.tls.then(|| self.pool.announce(destination, address));
        trace.connecting.set(true);
        let stream = Stream::open(address.socket, tls).await;
        trace.connecting.set(false);
        trace.connect_ns.set(self.clock.now().0 - begun.0);
        let stream = stream?;
        if stream.is_http2() {
            let connection = Http2::new(stream, counted).await?;
            return Ok(self.pool.opened_http2(destination, address, &connection));
        }
        let connection = Http1::new(stream, self.buffer.clone(), counted);
        Ok(self.pool.opened_http1(destination, address, connection))
    }

    async fn exchange(
        &self,
        address: &Address,
        taken: Taken,
        request: &Prepared<'_>,
        trace: &Trace,
    ) -> Result<Reply, Refused> {
        trace.instance.set(Some(address.index));
        trace.sent.set(Some(self.clock.now()));
        let on_head = || trace.first_byte.set(Some(self.clock.now()));
        let wanted = request.wanted();
        match taken {
            Taken::Http1(mut connection) => {
                let mut bytes = self.scratch.take();
                let is_last = connection.counted.use_once(self.pool.most_requests());
                request.write_http1(address, is_last, &mut bytes);
                let reply = connection.exchange(&bytes, wanted, on_head).await;
                bytes.clear();
                self.scratch.replace(bytes);
                let reply = reply?;
                self.pool.put_back(request.destination(), address, connection, self.moment());
                Ok(self.named(request, reply.finish(), trace))
            }
            Taken::Http2(mut stream) => {
                stream.counted().use_once(self.pool.most_requests());
                let message = request.http2(address).map_err(Refused::Broken)?;
                let reply = stream.exchange(message, wanted.body, on_head).await?.finish();
                Ok(self.named(request, reply, trace))
            }
        }
    }
}

impl Client {
    /// Notes who answered, where the reply says it.
    fn named(&self, request: &Prepared<'_>, reply: Reply, trace: &Trace) -> Reply {
        if let Some(value) = request.instance_header().and_then(|header| reply.headers.get(header)) {
            let at = request.destination();
            let name = self.names.borrow_mut().place(at, value.as_bytes(), &self.destinations.list()[at]);
            trace.instance.set(name.or(trace.instance.get()));
        }
        reply
    }
}

#[cfg(test)]
#[path = "../../../fuzz/checks/reply_framing.rs"]
mod fuzzed;

#[cfg(test)]
mod corpus {
    #[test]
    fn the_corpus_of_the_fuzz_target_for_replies_holds() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/reply_framing");
        let inputs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 5, "{} inputs", inputs.len());
        inputs.iter().for_each(|input| super::fuzzed::check(&std::fs::read(input).unwrap()));
    }
}
