//! A listener of a link, the connections that it has accepted, and the faults that act on them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::budget::Budget;
use super::connection::{Connection, Progress};
use super::counters::{FaultCounters, LinkStats, ListenerCounters};
use super::draw::Draws;
use super::http::Exchange;
use super::stage::{Direction, Seat};
use super::timer::Timer;
use super::trace::{Decisions, Trace};
use super::{Arrival, StreamFault};

/// How long to wait before accepting again when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One listener: everything that comes in goes to one upstream.
pub(crate) struct Listener {
    pub link: String,
    pub place: usize,
    pub address: SocketAddr,
    /// `host:port`; resolved anew for each connection.
    pub upstream: String,
    https: bool,
    shared: Shared,
    counters: Arc<ListenerCounters>,
    state: Mutex<State>,
}

/// What all listeners of a proxy have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub timer: Arc<Timer>,
    pub budget: Arc<Budget>,
    /// Where decisions are written down, if somebody asked.
    pub decisions: Option<Arc<Decisions>>,
}

#[derive(Default)]
struct State {
    faults: Vec<Active>,
    live: HashMap<u64, Arc<Mutex<Connection>>>,
    accepted: u64,
    /// Ports of connections that brunt itself makes to look at the link: they are not counted, nor numbered.
    own_ports: Vec<u16>,
}

/// A fault that acts at this listener.
struct Active {
    id: Arc<str>,
    seed: u64,
    fault: StreamFault,
    counters: Arc<FaultCounters>,
}

/// Own connections are numbered from the far end, so that they do not shift the fate of the real ones.
fn own_index(port: u16) -> u64 {
    u64::MAX - u64::from(port)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one connection must not take the others with it; what it left is at worst a connection that ends early.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    pub fn new(link: &str, place: usize, address: SocketAddr, upstream: String, https: bool, shared: Shared) -> Self {
        Self {
            link: link.to_owned(),
            place,
            address,
            upstream,
            https,
            shared,
            counters: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// Starts a fault: live connections feel it before this returns, later ones from their first byte.
    pub fn add(&self, id: &str, seed: u64, fault: StreamFault) -> Arc<FaultCounters> {
        let active = Active { id: id.into(), seed, fault, counters: Arc::default() };
        let counters = Arc::clone(&active.counters);
        let mut state = lock(&self.state);
        for connection in state.live.values() {
            let mut connection = lock(connection);
            let seat = self.seat(&active, &connection, false);
            connection.seat(seat);
        }
        state.faults.push(active);
        counters
    }

    /// Ends a fault. When this returns it holds no byte any more, and connections that it ruined have been reset.
    pub fn remove(&self, id: &str) {
        let mut state = lock(&self.state);
        state.faults.retain(|active| &*active.id != id);
        for connection in state.live.values() {
            lock(connection).unseat(id);
        }
    }

    /// What it has carried so far.
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            link: self.link.clone(),
            listener: self.place,
            address: self.address,
            upstream: self.upstream.clone(),
            connections: self.counters.connections.get(),
            open: self.counters.open.get(),
            refused: self.counters.refused.get(),
            starved: self.counters.starved.get(),
            bytes_to: self.counters.bytes[Direction::To as usize].get(),
            bytes_from: self.counters.bytes[Direction::From as usize].get(),
            requests: self.counters.requests.get(),
        }
    }

    /// Connections from this port of this host are brunt's own, until [`Listener::disown`].
    pub fn own(&self, port: u16) {
        lock(&self.state).own_ports.push(port);
    }

    /// See [`Listener::own`].
    pub fn disown(&self, port: u16) {
        lock(&self.state).own_ports.retain(|own| *own != port);
    }

    /// Whether brunt's own connection from this port has been carried on to the upstream.
    pub fn own_reached(&self, port: u16) -> bool {
        lock(&self.state).live.get(&own_index(port)).is_some_and(|connection| lock(connection).is_connected())
    }

    /// Accepts for ever.
    pub async fn accept(self: Arc<Self>, socket: TcpListener) {
        loop {
            match socket.accept().await {
                Ok((client, peer)) => {
                    let listener = Arc::clone(&self);
                    let (key, connection) = self.register(client, peer);
                    tokio::spawn(async move {
                        listener.serve(&connection).await;
                        lock(&listener.state).live.remove(&key);
                        listener.counters.open.sub(1);
                    });
                }
                // The client has gone again, or descriptors have run out: other connections must end first.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.counters.starved.add(1);
                    self.shared.timer.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn register(&self, client: TcpStream, peer: SocketAddr) -> (u64, Arc<Mutex<Connection>>) {
        // Fails only on a socket that is gone already, which shows at the first read.
        let _ = client.set_nodelay(true);
        let watch = if self.https { Exchange::opaque() } else { Exchange::new() };
        let mut state = lock(&self.state);
        let own = peer.ip().is_loopback() && state.own_ports.contains(&peer.port());
        let index = if own { own_index(peer.port()) } else { state.accepted };
        if !own {
            state.accepted += 1;
            self.counters.connections.add(1);
        }
        self.counters.open.add(1);
        let Shared { timer, budget, .. } = self.shared.clone();
        let mut connection = Connection::new(index, client, watch, timer, budget, Arc::clone(&self.counters));
        for active in &state.faults {
            let seat = self.seat(active, &connection, true);
            connection.seat(seat);
        }
        let connection = Arc::new(Mutex::new(connection));
        state.live.insert(index, Arc::clone(&connection));
        (index, connection)
    }

    /// What a fault does to a connection.
    fn seat(&self, active: &Active, connection: &Connection, fresh: bool) -> Seat {
        let own = connection.is_own();
        let counters = if own { Arc::default() } else { Arc::clone(&active.counters) };
        let fault = &active.fault;
        let draws = Draws::new(active.seed, connection.index, fault.share(), fault.has_effect(), Arc::clone(&counters));
        let decisions = self.shared.decisions.as_ref().filter(|_| !own);
        let trace =
            decisions.map(|file| Trace::new(Arc::clone(file), &active.id, &self.link, self.place, connection.index));
        let arrival = Arrival { draws: draws.traced(trace), fresh, exchange: connection.exchange() };
        Seat {
            fault_id: Arc::clone(&active.id),
            layer: fault.layer(),
            stage: fault.stage(arrival, &counters),
            queues: Default::default(),
            counters,
            retired: None,
        }
    }

    async fn serve(&self, connection: &Mutex<Connection>) {
        if poll_fn(|cx| lock(connection).poll_admitted(cx)).await == Progress::Over {
            return;
        }
        let mut connecting = std::pin::pin!(connect(&self.upstream));
        let upstream = poll_fn(|cx| {
            if lock(connection).poll_reset(cx) {
                return Poll::Ready(None);
            }
            connecting.as_mut().poll(cx).map(Some)
        });
        match upstream.await {
            None => return,
            Some(Ok(upstream)) => lock(connection).connected(upstream),
            Some(Err(error)) => {
                let count = if is_own(&error) { &self.counters.starved } else { &self.counters.refused };
                count.add(1);
                lock(connection).reset();
                return;
            }
        }
        poll_fn(|cx| lock(connection).poll_pump(cx)).await;
    }
}

/// Whether a connection failed for want of something on this side: descriptors or local ports.
fn is_own(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let own = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| own.contains(&errno))
}

/// Reaches the upstream, trying its addresses in the resolver's order.
async fn connect(upstream: &str) -> io::Result<TcpStream> {
    let socket = match upstream.parse::<SocketAddr>() {
        Ok(address) => TcpStream::connect(address).await?,
        Err(_) => TcpStream::connect(upstream).await?,
    };
    socket.set_nodelay(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_not_the_targets_refusal() {
        assert!(is_own(&io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())));
        assert!(!is_own(&io::ErrorKind::ConnectionRefused.into()));
        assert!(!is_own(&io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error())));
    }
}
