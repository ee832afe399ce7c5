//! The thread that holds connections: opens as many as are wanted, says on each at most one thing, opens again what the server closes.
//!
//! A server that is full refuses, closes what it has just taken, or lets it wait. It is then asked again only ten times a
//! second, so that what it suffers from is the lack of connections and not a storm of attempts.
//!
//! Every socket is closed with a reset (SO_LINGER 0), also by the kernel when the agent dies: the server is rid of it at once,
//! and no port of ours stays in TIME_WAIT.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use socket2::{Domain, Socket, Type};

/// At most so many are on their way at a time.
const LARGEST_BATCH: usize = 64;
/// Closed sooner than this after it was established, a connection was turned away.
const TURNED_AWAY: Duration = Duration::from_millis(100);
/// How often a server that is full is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// A connection that is not established by then is not going to be soon.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the thread sleeps at most: as long takes it to notice that it is to end.
const NAP: Duration = Duration::from_millis(20);

/// What the thread has to tell.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Our ends of the connections that are established, as far as this end knows.
    pub held: BTreeSet<SocketAddr>,
    /// How many the server closed after a while, which were opened again.
    pub closed: u64,
    /// When it last did.
    pub closed_at: Option<Instant>,
    /// When the server last turned one away, and how.
    pub full: Option<(Instant, String)>,
    /// When there last were as many as are wanted.
    pub complete: Option<Instant>,
    /// Why no socket can be had here.
    pub failed: Option<String>,
}

/// A running thread. Dropping it lets go of all connections.
pub(super) struct Holder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

impl Holder {
    /// Starts to open `wanted` connections. `enter` runs the work in the network namespace where the address is.
    pub fn start(
        address: SocketAddr,
        wanted: usize,
        say: Option<String>,
        enter: impl FnOnce(&mut (dyn FnMut() + Send)) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || {
            let mut done = Ok(());
            let entered = enter(&mut || done = hold(address, wanted, say.as_deref(), &theirs));
            if let Err(error) = entered.and(done) {
                theirs.tell(|tally| tally.failed = Some(error.to_string()));
            }
        };
        let thread = std::thread::Builder::new().name("brunt-pool".into()).spawn(work)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What it has come to.
    pub fn tally(&self) -> Tally {
        self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Holder {
    /// Lets go of all connections; what it held last.
    pub fn end(mut self) -> Tally {
        self.join();
        self.tally()
    }

    fn join(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic was printed, and the connections went with the thread's stack.
            let _ = thread.join();
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn tell(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Connection {
    socket: Socket,
    /// Since it was asked for, then since it is established.
    since: Instant,
    /// Our end, once it is established.
    own: Option<SocketAddr>,
    /// It was established for long enough not to have been turned away.
    settled: bool,
}

struct Work<'a> {
    address: SocketAddr,
    wanted: usize,
    say: Option<&'a str>,
    shared: &'a Shared,
    poller: rustix::fd::OwnedFd,
    connections: BTreeMap<u64, Connection>,
    next: u64,
    batch: usize,
    not_before: Instant,
}

fn hold(address: SocketAddr, wanted: usize, say: Option<&str>, shared: &Shared) -> io::Result<()> {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (connections, batch, not_before) = (BTreeMap::new(), LARGEST_BATCH, Instant::now());
    let mut work = Work { address, wanted, say, shared, poller, connections, next: 0, batch, not_before };
    let mut events = Vec::with_capacity(256);
    while !shared.stop.load(Ordering::SeqCst) {
        work.open_missing();
        events.clear();
        let nap = Timespec { tv_sec: 0, tv_nsec: NAP.subsec_nanos().into() };
        match epoll::wait(&work.poller, rustix::buffer::spare_capacity(&mut events), Some(&nap)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            work.hear(event.data.u64());
        }
        work.look_at_the_clock();
    }
    Ok(())
}

impl Work<'_> {
    /// Opens what is missing, as far as that is reasonable now.
    fn open_missing(&mut self) {
        let now = Instant::now();
        if now < self.not_before {
            return;
        }
        let unsettled = self.connections.values().filter(|one| !one.settled).count();
        let missing = self.wanted.saturating_sub(self.connections.len());
        for _ in 0..missing.min(self.batch.saturating_sub(unsettled)) {
            if let Err(error) = self.open() {
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => self.turned_away("it refuses connections"),
                    _ => self.shared.tell(|tally| tally.failed = Some(error.to_string())),
                }
                self.not_before = now + ASK_AGAIN;
                return;
            }
        }
    }

    fn open(&mut self) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM.nonblocking().cloexec(), None)?;
        socket.set_linger(Some(Duration::ZERO))?;
        match socket.connect(&self.address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.poller, &socket, EventData::new_u64(self.next), flags)?;
        self.connections.insert(self.next, Connection { socket, since: Instant::now(), own: None, settled: false });
        self.next += 1;
        Ok(())
    }

    /// Something happened to a connection: it is established, it is refused, the server says something, or it closes.
    fn hear(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.own.is_none() {
            match established(&connection.socket) {
                Ok(None) => return,
                Ok(Some(own)) => {
                    (connection.own, connection.since) = (Some(own), Instant::now());
                    if let Some(say) = self.say {
                        // A fresh connection has room for it; one that is closed already is seen below.
                        let _ = connection.socket.write(say.as_bytes());
                    }
                    self.shared.tell(|tally| {
                        tally.held.insert(own);
                        tally.failed = None;
                    });
                }
                Err(error) => {
                    self.connections.remove(&id);
                    self.turned_away(&format!("it refuses connections ({error})"));
                    return;
                }
            }
        }
        if is_open(&mut connection.socket) {
            return;
        }
        let Some(gone) = self.connections.remove(&id) else { return };
        self.shared.tell(|tally| {
            if gone.settled {
                tally.closed += 1;
                tally.closed_at = Some(Instant::now());
            }
            gone.own.map(|own| tally.held.remove(&own));
        });
        if gone.since.elapsed() < TURNED_AWAY {
            self.turned_away("it closes further ones at once");
        }
    }

    fn turned_away(&mut self, how: &str) {
        let now = Instant::now();
        (self.batch, self.not_before) = (1, now + ASK_AGAIN);
        self.shared.tell(|tally| tally.full = Some((now, how.to_owned())));
    }

    /// What is not answered is given up; what has lasted makes the next batch larger.
    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let age = |one: &Connection| now.saturating_duration_since(one.since);
        let silent: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, one)| one.own.is_none() && age(one) > PATIENCE)
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            self.connections.remove(&id);
            self.turned_away("it does not answer further ones");
        }
        for one in self.connections.values_mut().filter(|one| one.own.is_some() && !one.settled) {
            if age(one) >= TURNED_AWAY {
                one.settled = true;
                self.batch = (self.batch * 2).min(LARGEST_BATCH);
            }
        }
        let held = self.connections.values().filter(|one| one.settled).count();
        if held >= self.wanted {
            self.shared.tell(|tally| tally.complete = Some(now));
        }
    }
}

/// Our end, once the connection is established; `None` while it is on its way.
fn established(socket: &Socket) -> io::Result<Option<SocketAddr>> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(socket.local_addr()?.as_socket()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes away what the server says, for it may greet; `false` when it has closed.
fn is_open(socket: &mut Socket) -> bool {
    let mut greeting = [0; 4096];
    loop {
        match socket.read(&mut greeting) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
