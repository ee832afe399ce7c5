//! The connections of a worker, by destination and address.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use brunt_report::sample::ErrorClass;
use tokio::sync::Notify;

use super::failure::Failure;
use super::http1::Http1;
use super::http2::{Http2, Stream2};
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

/// An open connection in the worker's count of them; leaves it when the connection is dropped.
pub struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The connections of one worker.
pub struct Pool {
    places: Vec<RefCell<Place>>,
    open: Rc<Cell<usize>>,
    limit: usize,
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
}

impl Pool {
    /// `worker` staggers the turns of several workers; `limit` is the most connections that are kept.
    pub fn new(destinations: &[Destination], worker: usize, limit: usize) -> Self {
        let places = destinations.iter().map(|destination| {
            let version = destination.version();
            RefCell::new(Place { version, usable: destination.usable(), next: worker, kept: Vec::new() })
        });
        Self { places: places.collect(), open: Rc::default(), limit }
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

    /// A connection to this address that is there, or will be soon.
    pub fn take(&self, destination: usize, address: &Address) -> Option<Shared> {
        let place = &mut *self.places[destination].borrow_mut();
        let kept = place.kept.get_mut(usize::from(address.index))?;
        while let Some(mut connection) = kept.http1.pop() {
            if connection.is_fresh() {
                return Some(Shared::Idle(Taken::Http1(connection)));
            }
        }
        kept.http2.retain(|connection| !connection.is_over());
        if let Some(connection) = kept.http2.iter().find(|connection| connection.has_room()) {
            return Some(Shared::Idle(Taken::Http2(connection.enter())));
        }
        kept.opening.clone().map(Shared::Opening)
    }

    /// Counts a connection that is about to be opened. If there are too many, an idle one to another address is closed: to
    /// this one there is none, or it would have been taken.
    pub fn count(&self) -> Counted {
        if self.open.get() >= self.limit {
            self.close_one_idle();
        }
        self.open.set(self.open.get() + 1);
        Counted(self.open.clone())
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
            kept.http2.push(connection.clone());
        });
        Taken::Http2(connection.enter())
    }

    /// A request is done with its connection.
    pub fn put_back(&self, destination: usize, address: &Address, mut connection: Http1) {
        if connection.is_fresh() {
            self.kept(destination, address, |kept| kept.http1.push(connection));
        }
    }

    /// Drops idle connections that the server has closed meanwhile.
    pub fn sweep(&self) {
        for place in &self.places {
            for kept in &mut place.borrow_mut().kept {
                kept.http1.retain_mut(Http1::is_fresh);
                kept.http2.retain(|connection| !connection.is_over());
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
