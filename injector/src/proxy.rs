//! brunt's own TCP proxy: one listener for each instance behind a link, and the stream faults that act between the sockets.
//!
//! ```text
//!   service ──> listener 0 ──> instance 0        each connection: proxy/connection.rs
//!          ──> listener 1 ──> instance 1         what a fault may do there: proxy/stage.rs
//!                    ^                           when held bytes are due: proxy/timer.rs
//!                    └ faults by id, from any thread; live connections feel them at once
//! ```
//!
//! The proxy is one thread with a runtime of its own, in the runner's process: it ends with it, and with it every stream
//! fault. A user-space proxy sees streams, not packets: it can hold, stall, discard and reset, never lose a packet, and it
//! cannot delay the handshake of a client, which the kernel has completed before the proxy hears of it.

mod budget;
mod connection;
pub mod counters;
mod draw;
mod http;
mod listener;
mod stage;
mod timer;
mod trace;

#[cfg(test)]
mod accuracy;
#[cfg(test)]
pub(crate) mod lab;
#[cfg(test)]
mod pass_through;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use counters::{FaultCounters, LinkStats};
pub(crate) use draw::{Draws, fault_seed};
pub(crate) use http::{Body, Chunked, Exchange, Follows, Reply, ReplyHead, ReplyStep, RequestStep};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use stage::{Content, Seat};
pub use stage::{Direction, Layer, Ways};
pub(crate) use stage::{Outlet, Retired, Stage};
pub(crate) use timer::Nanos;

use crate::error::Error;
use crate::fault::Seen;
use listener::{Listener, Shared};
use timer::Timer;
use trace::Decisions;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long [`Proxy::look`] waits for an answer that should not come.
const LOOK_FOR: Duration = Duration::from_millis(30);

/// What a stream fault is: parameters that turn into a stage for each connection, and a judgement of what was counted. One
/// implementation for each fault, in `fault/`.
pub(crate) trait Shape: Send + Sync {
    /// Where its stages stand.
    fn layer(&self) -> Layer {
        Layer::Wire
    }

    /// How much of what it could hit it does hit, 0 to 1.
    fn share(&self) -> f64;

    /// The shape at one listener, if its connections share something there: the rate of a wire. `None`: this one.
    fn at_listener(&self) -> Option<Arc<dyn Shape>> {
        None
    }

    /// What it does to one connection.
    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage>;

    /// Whether the counted effect is the one that was asked for. `look` makes a fresh connection of brunt's own through the
    /// link.
    fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen;
}

/// A connection that meets a fault.
pub(crate) struct Arrival<'a> {
    /// The fault's decisions for it.
    pub draws: Draws,
    /// It has just been accepted; else it lives already.
    pub fresh: bool,
    /// Where its HTTP exchange stands.
    pub exchange: &'a Exchange,
}

impl Arrival<'_> {
    /// Decides once for the whole connection: whether it is in the fault's share. Counts it as affected if so.
    pub fn is_hit(&mut self, counters: &FaultCounters) -> bool {
        let hit = self.draws.hits();
        if hit {
            counters.affected.add(1);
            counters.connections.add(1);
        }
        hit
    }
}

/// What a fault has done so far, over all listeners that it acts at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counted {
    pub seen: u64,
    pub affected: u64,
    pub connections: u64,
    pub connections_hung: u64,
    pub connections_reset: u64,
    pub connections_closed: u64,
    pub bytes_held: u64,
    pub bytes_discarded: u64,
    pub pieces_cut: u64,
    pub bytes_paced: u64,
    pub nanos_paced: u64,
    /// One for each listener where a message was held and delivered.
    pub first_holds: Vec<counters::FirstHold>,
    /// Messages that were held and have been delivered.
    pub delivered: u64,
    /// By how much half of them were late, at the listener where it was worst.
    pub late_by: Duration,
}

impl Counted {
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Arc<FaultCounters>>) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.seen += one.seen.get();
            sum.affected += one.affected.get();
            sum.connections += one.connections.get();
            sum.connections_hung += one.connections_hung.get();
            sum.connections_reset += one.connections_reset.get();
            sum.connections_closed += one.connections_closed.get();
            sum.bytes_held += one.bytes_held.get();
            sum.bytes_discarded += one.bytes_discarded.get();
            sum.pieces_cut += one.pieces_cut.get();
            sum.bytes_paced += one.bytes_paced.get();
            sum.nanos_paced += one.nanos_paced.get();
            sum.first_holds.extend(one.first_hold.get());
            sum.delivered += one.lateness.count();
            sum.late_by = sum.late_by.max(one.lateness.quantile(0.5));
        }
        sum
    }
}

/// What a fresh connection through a link met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// It was carried on to the upstream.
    pub reached: bool,
    /// Bytes came back.
    pub answered: bool,
    /// It was closed or reset.
    pub closed: bool,
}

/// A stream fault, ready to act at a listener.
#[derive(Clone)]
pub struct StreamFault {
    shape: Arc<dyn Shape>,
    effect: bool,
}

impl StreamFault {
    pub(crate) fn new(shape: impl Shape + 'static) -> Self {
        Self { shape: Arc::new(shape), effect: true }
    }

    /// A fault that looks at everything and hits nothing: proves that `verify` can say no.
    pub fn without_effect(self) -> Self {
        Self { effect: false, ..self }
    }

    pub(crate) fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        self.shape.verify(counted, look)
    }

    pub(crate) fn layer(&self) -> Layer {
        self.shape.layer()
    }

    pub(crate) fn share(&self) -> f64 {
        self.shape.share()
    }

    /// The same fault with what the connections of one listener share.
    fn at_listener(self) -> Self {
        Self { shape: self.shape.at_listener().unwrap_or(self.shape), ..self }
    }

    fn has_effect(&self) -> bool {
        self.effect
    }

    pub(crate) fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        self.shape.stage(arrival, counters)
    }
}

/// All links of a run. Ends its thread and every connection when dropped.
pub struct Proxy {
    seed: u64,
    runtime: Handle,
    shared: Shared,
    links: Mutex<BTreeMap<String, Vec<Arc<Listener>>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread has ended already if nobody listens.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by the panic hook, and there is nothing left to undo.
            let _ = thread.join();
        }
    }
}

impl Proxy {
    /// Starts the proxy's thread. `seed` decides whom faults with a share hit, and jitter.
    pub fn start(seed: u64) -> Result<Self, Error> {
        Self::start_tracing(seed, None)
    }

    /// The same; every decision of every fault is written to `decisions`, a line each (`proxy/trace.rs` has the format).
    pub fn start_tracing(seed: u64, decisions: Option<File>) -> Result<Self, Error> {
        let failed = |source| Error::Thread { what: "the proxy", source };
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("brunt-proxy".into())
            .spawn(move || match start_runtime() {
                Ok((runtime, timer)) => {
                    let _ = ready.send(Ok((runtime.handle().clone(), Arc::clone(&timer))));
                    runtime.spawn(async move { timer.run().await });
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(failed)?;
        let (runtime, timer) = is_ready.recv().unwrap_or_else(|gone| Err(io::Error::other(gone))).map_err(failed)?;
        let decisions = decisions.map(|file| Arc::new(Decisions::new(file)));
        let shared = Shared { timer, budget: Arc::default(), decisions };
        Ok(Self { seed, runtime, shared, links: Mutex::default(), stop: Some(stop), thread: Some(thread) })
    }

    /// Opens one listener for each upstream (`host:port`), on a free port of 127.0.0.1, or at `listen` (`host:port`; with
    /// several upstreams at that port and the ones after it). On `https` links nothing is parsed. Returns the addresses in
    /// the order of the upstreams.
    pub fn open(
        &self,
        link: &str,
        https: bool,
        upstreams: Vec<String>,
        listen: Option<&str>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let mut listeners = Vec::new();
        let mut sockets = Vec::new();
        for (place, upstream) in upstreams.into_iter().enumerate() {
            let wanted = listen.unwrap_or("127.0.0.1:0");
            let failed = |source| Error::Listen { link: link.to_owned(), address: wanted.to_owned(), source };
            let socket = bind(wanted, place).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            let _inside = self.runtime.enter();
            sockets.push(tokio::net::TcpListener::from_std(socket).map_err(failed)?);
            listeners.push(Arc::new(Listener::new(link, place, address, upstream, https, self.shared.clone())));
        }
        for (listener, socket) in listeners.iter().zip(sockets) {
            self.runtime.spawn(Arc::clone(listener).accept(socket));
        }
        let addresses = listeners.iter().map(|listener| listener.address).collect();
        self.links().insert(link.to_owned(), listeners);
        Ok(addresses)
    }

    /// How many listeners a link has; none if there is no such link.
    pub fn listeners(&self, link: &str) -> usize {
        self.links().get(link).map_or(0, Vec::len)
    }

    /// Starts a fault at one listener. Live connections feel it when this returns, new ones from their first byte.
    pub fn add(
        &self,
        link: &str,
        listener: usize,
        fault_id: &str,
        fault: StreamFault,
    ) -> Result<Arc<FaultCounters>, Error> {
        let seed = draw::fault_seed(self.seed, link, listener, fault_id);
        Ok(self.listener(link, listener)?.add(fault_id, seed, fault.at_listener()))
    }

    /// Ends a fault at one listener. When this returns it holds no byte, and connections that lost bytes are reset. Without
    /// such a fault it does nothing.
    pub fn remove(&self, link: &str, listener: usize, fault_id: &str) -> Result<(), Error> {
        self.listener(link, listener)?.remove(fault_id);
        Ok(())
    }

    /// What every listener has carried so far, by link name.
    pub fn stats(&self) -> Vec<LinkStats> {
        self.links().values().flatten().map(|listener| listener.stats()).collect()
    }

    /// Makes a fresh connection through a listener, sends an empty line (which HTTP servers skip) and looks what becomes of
    /// it. Blocks for some tens of milliseconds. It is neither counted nor numbered.
    pub(crate) fn look(&self, link: &str, listener: usize) -> Result<io::Result<Look>, Error> {
        Ok(look(&*self.listener(link, listener)?))
    }

    fn listener(&self, link: &str, listener: usize) -> Result<Arc<Listener>, Error> {
        let found = self.links().get(link).and_then(|listeners| listeners.get(listener)).cloned();
        found.ok_or_else(|| Error::Unknown { what: "link listener", name: format!("{link}[{listener}]") })
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Arc<Listener>>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_runtime() -> io::Result<(tokio::runtime::Runtime, Arc<Timer>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let timer = {
        let _inside = runtime.enter();
        Timer::new()?
    };
    Ok((runtime, Arc::new(timer)))
}

fn bind(wanted: &str, place: usize) -> io::Result<std::net::TcpListener> {
    let mut address = wanted
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name has no address"))?;
    if address.port() != 0 {
        let port = u16::try_from(usize::from(address.port()) + place).map_err(io::Error::other)?;
        address.set_port(port);
    }
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn look(listener: &Listener) -> io::Result<Look> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(listener.address), socket2::Type::STREAM, None)?;
    // The port must be known before the proxy hears of the connection.
    let mut any = listener.address;
    any.set_port(0);
    socket.bind(&any.into())?;
    let port = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
    listener.own(port);
    let found = (|| {
        socket.connect(&listener.address.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LOOK_FOR))?;
        let sent = stream.write_all(b"\r\n");
        let read = sent.and_then(|()| stream.read(&mut [0u8; 64]));
        let (answered, closed) = match read {
            Ok(0) => (false, true),
            Ok(_) => (true, false),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => (false, false),
            Err(_) => (false, true),
        };
        Ok(Look { reached: listener.own_reached(port), answered, closed })
    })();
    listener.disown(port);
    found
}
