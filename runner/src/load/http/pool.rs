//! The connections of a worker, by destination and address.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Connections, Reuse};
use brunt_scenario::units::Offset;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::failure::Failure;
use super::http1::Http1;
use super::http2::{Http2, MAX_STREAMS, Stream2};
use crate::load::destinations::{Address, Destination, Usable};

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
}

/// A connection for one request.
pub enum Taken {
    /// All of it.
    Http1(Http1),
    /// A place on it.
    Http2(Stream2),
}

/// How a request may come by a connection without opening one.
pub enum Shared {
    /// There is one.
    Idle(Taken),
    /// One is being opened that may have room for others: look again when told.
    Opening(Rc<Notify>),
}

/// An open connection in the counts of its worker and of its address, and what it has done; leaves the counts when the
/// connection is dropped.
pub struct Counted {
    worker: Rc<Cell<usize>>,
    gate: Option<Rc<Gate>>,
    opened: Offset,
    requests: Cell<u64>,
}

impl Counted {
    /// A request is about to be sent; returns whether it is the last one that the connection may carry.
    pub fn use_once(&self, most: u64) -> bool {
        self.requests.set(self.requests.get() + 1);
        self.requests.get() >= most
    }

    /// Whether the connection may carry another request now.
    fn may_go_on(&self, wishes: &Connections, now: Offset) -> bool {
        let spent = matches!(wishes.reuse, Reuse::Times(most) if self.requests.get() >= most);
        !spent && wishes.max_age.is_none_or(|most| now.since(self.opened) < most)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.worker.set(self.worker.get() - 1);
        if let Some(gate) = &self.gate {
            gate.open.set(gate.open.get() - 1);
            gate.closed.notify_one();
        }
    }
}

/// Keeps the connections to one address to a number: a request waits for its turn, first come, first served.
pub struct Gate {
    most: usize,
    /// Connections that are open, or being opened.
    open: Cell<usize>,
    /// One for each request that can be under way at once: as many as connections, times the streams of HTTP/2.
    turns: Semaphore,
    speaks_http2: Cell<bool>,
    /// A connection was closed.
    closed: Notify,
}

impl Gate {
    fn new(most: usize) -> Self {
        let turns = Semaphore::new(most);
        Self { most, open: Cell::new(0), turns, speaks_http2: Cell::new(false), closed: Notify::new() }
    }

    /// Waits for a turn; it lasts until the permit is dropped.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.turns.acquire().await.ok()
    }

    /// Whether a connection may be opened. If not, [`Gate::closed`] tells when to look again: one that takes no further
    /// request may still carry some.
    pub fn has_room(&self) -> bool {
        self.open.get() < self.most
    }

    /// Until a connection was closed.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }

    fn speaks_http2(&self) {
        if !self.speaks_http2.replace(true) {
            self.turns.add_permits(self.most.saturating_mul(MAX_STREAMS - 1).min(Semaphore::MAX_PERMITS / 2));
        }
    }
}

/// The connections of one worker.
pub struct Pool {
    places: Vec<RefCell<Place>>,
    open: Rc<Cell<usize>>,
    limit: usize,
    wishes: Connections,
}

/// A destination as this worker last saw it, and its connections.
struct Place {
    version: u64,
    usable: Usable,
    next: usize,
    /// By the address's index.
    kept: Vec<Kept>,
}

/// The connections to one address.
#[derive(Default)]
struct Kept {
    /// Idle. The one used last is taken first, so that the surplus of a burst ages out at the server.
    http1: Vec<Http1>,
    /// In use or idle.
    http2: Vec<Http2>,
    spoken: Option<Spoken>,
    opening: Option<Rc<Notify>>,
    /// If the connections to one address are limited.
    gate: Option<Rc<Gate>>,
}

impl Pool {
    /// `worker` staggers the turns of several workers; `limit` is the most connections that are kept.
    pub fn new(destinations: &[Destination], worker: usize, limit: usize, wishes: Connections) -> Self {
        let places = destinations.iter().map(|destination| {
            let version = destination.version();
            RefCell::new(Place { version, usable: destination.usable(), next: worker, kept: Vec::new() })
        });
        Self { places: places.collect(), open: Rc::default(), limit, wishes }
    }

    /// The address whose turn it is.
    pub fn next_address(&self, index: usize, destination: &Destination) -> Result<Address, Failure> {
        let place = &mut *self.places[index].borrow_mut();
        let version = destination.version();
        if version != place.version {
            place.version = version;
            place.usable = destination.usable();
        }
        match &place.usable {
            Usable::NoSuchName(text) => Err(Failure::new(ErrorClass::Dns, text.to_string())),
            Usable::Addresses(addresses) => {
                place.next = (place.next + 1) % addresses.len();
                Ok(addresses[place.next].clone())
            }
        }
    }

    /// What a request to this address has to wait for, if connections to it are limited.
    pub fn gate(&self, destination: usize, address: &Address) -> Option<Rc<Gate>> {
        let most = self.wishes.max_per_host?;
        let mut gate = None;
        self.kept(destination, address, |kept| {
            gate = Some(kept.gate.get_or_insert_with(|| Rc::new(Gate::new(most))).clone());
        });
        gate
    }

    /// Whether it matters how old a connection is.
    pub fn minds_age(&self) -> bool {
        self.wishes.max_age.is_some()
    }

    /// How many requests a connection carries at most.
    pub fn most_requests(&self) -> u64 {
        match self.wishes.reuse {
            Reuse::Always => u64::MAX,
            Reuse::Times(most) => most,
        }
    }

    /// A connection to this address that is there, or will be soon.
    pub fn take(&self, destination: usize, address: &Address, now: Offset) -> Option<Shared> {
        let place = &mut *self.places[destination].borrow_mut();
        let kept = place.kept.get_mut(usize::from(address.index))?;
        while let Some(mut connection) = kept.http1.pop() {
            if connection.is_fresh() && connection.counted.may_go_on(&self.wishes, now) {
                return Some(Shared::Idle(Taken::Http1(connection)));
            }
        }
        kept.http2.retain(|connection| !connection.is_over() && connection.counted().may_go_on(&self.wishes, now));
        if let Some(connection) = kept.http2.iter().find(|connection| connection.has_room()) {
            return Some(Shared::Idle(Taken::Http2(connection.enter())));
        }
        kept.opening.clone().map(Shared::Opening)
    }

    /// Counts a connection that is about to be opened. If there are too many, an idle one to another address is closed: to
    /// this one there is none, or it would have been taken.
    pub fn count(&self, gate: Option<&Rc<Gate>>, now: Offset) -> Counted {
        if self.open.get() >= self.limit {
            self.close_one_idle();
        }
        self.open.set(self.open.get() + 1);
        if let Some(gate) = gate {
            gate.open.set(gate.open.get() + 1);
        }
        Counted { worker: self.open.clone(), gate: gate.cloned(), opened: now, requests: Cell::new(0) }
    }

    fn close_one_idle(&self) {
        for place in &self.places {
            for kept in &mut place.borrow_mut().kept {
                if !kept.http1.is_empty() {
                    kept.http1.remove(0);
                    return;
                }
            }
        }
    }

    /// Says that a connection is being opened, so that others wait for it instead of opening their own: a hundred requests
    /// that come during the first handshake need one HTTP/2 connection. `None` where the address speaks HTTP/1.1.
    pub fn announce(&self, destination: usize, address: &Address) -> Option<Announced<'_>> {
        let mut announced = false;
        self.kept(destination, address, |kept| {
            if kept.spoken != Some(Spoken::Http1) && kept.opening.is_none() {
                kept.opening = Some(Rc::default());
                announced = true;
            }
        });
        announced.then(|| Announced { pool: self, destination, index: usize::from(address.index) })
    }

    /// A connection was opened and belongs to the request that opened it.
    pub fn opened_http1(&self, destination: usize, address: &Address, connection: Http1) -> Taken {
        self.kept(destination, address, |kept| kept.spoken = Some(Spoken::Http1));
        Taken::Http1(connection)
    }

    /// A connection was opened that others can share from now on.
    pub fn opened_http2(&self, destination: usize, address: &Address, connection: &Http2) -> Taken {
        self.kept(destination, address, |kept| {
            kept.spoken = Some(Spoken::Http2);
            kept.gate.iter().for_each(|gate| gate.speaks_http2());
            kept.http2.push(connection.clone());
        });
        Taken::Http2(connection.enter())
    }

    /// A request is done with its connection.
    pub fn put_back(&self, destination: usize, address: &Address, mut connection: Http1, now: Offset) {
        if connection.counted.may_go_on(&self.wishes, now) && connection.is_fresh() {
            self.kept(destination, address, |kept| kept.http1.push(connection));
        }
    }

    /// Drops idle connections that the server has closed meanwhile, or that are too old.
    pub fn sweep(&self, now: Offset) {
        let wishes = &self.wishes;
        for place in &self.places {
            for kept in &mut place.borrow_mut().kept {
                kept.http1.retain_mut(|connection| connection.is_fresh() && connection.counted.may_go_on(wishes, now));
                kept.http2.retain(|connection| !connection.is_over() && connection.counted().may_go_on(wishes, now));
            }
        }
    }

    fn kept(&self, destination: usize, address: &Address, change: impl FnOnce(&mut Kept)) {
        let kept = &mut self.places[destination].borrow_mut().kept;
        let index = usize::from(address.index);
        if kept.len() <= index {
            kept.resize_with(index + 1, Kept::default);
        }
        change(&mut kept[index]);
    }
}

/// A connection is being opened until this is dropped; then all who wait look again.
pub struct Announced<'a> {
    pool: &'a Pool,
    destination: usize,
    index: usize,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let opening = self.pool.places[self.destination].borrow_mut().kept[self.index].opening.take();
        if let Some(opening) = opening {
            opening.notify_waiters();
        }
    }
}
