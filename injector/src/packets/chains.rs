//! When tables go.
//!
//! With any base chain that goes the kernel drops all that waits in any NFQUEUE of the namespace, whoever made the chain and
//! whatever queue it is, and counts it nowhere. So the end of one fault would lose the packets that another one holds, or
//! those of its own other direction. Therefore a table whose fault is over is removed only when no queue of this process holds
//! packets in its namespace; until then it stays with its lease ended, where it matches nothing.
//!
//! If the process is killed everything goes at once, and what was held is lost.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::namespace::Identity;
use crate::netlink::nf_tables::{Leased, Refused};

/// What there is in each namespace.
static PLACES: Mutex<BTreeMap<Identity, Place>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Place {
    /// Queues that may hold packets.
    queues: usize,
    /// Tables that are to go.
    over: Vec<Leased>,
}

fn places() -> MutexGuard<'static, BTreeMap<Identity, Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While there is one, packets may wait in a queue of this namespace, and no table goes.
#[derive(Debug)]
pub struct Hold(Identity);

impl Hold {
    /// Begins before a queue takes its first packet.
    pub fn begin(namespace: Identity) -> Self {
        places().entry(namespace).or_default().queues += 1;
        Self(namespace)
    }
}

impl Drop for Hold {
    /// The queue has let everything go on. With the last one the tables go that waited; one that cannot be removed goes with
    /// this process, and whoever looks for it finds it.
    fn drop(&mut self) {
        let mut places = places();
        let Some(place) = places.get_mut(&self.0) else { return };
        place.queues -= 1;
        if place.queues == 0 {
            let over = places.remove(&self.0).map(|place| place.over);
            over.into_iter().flatten().for_each(|leased| drop(leased.remove()));
        }
    }
}

/// Removes a table, or ends its lease and lets it wait.
///
/// # Errors
/// What the kernel said; the table goes with this process.
pub fn remove(namespace: Identity, mut leased: Leased) -> Result<(), Refused> {
    let mut places = places();
    let Some(place) = places.get_mut(&namespace) else { return leased.remove() };
    leased.pause()?;
    place.over.push(leased);
    Ok(())
}

/// Whether a table of this name waits for its removal; it does nothing any more.
pub fn waits(namespace: Identity, table: &str) -> bool {
    places().get(&namespace).is_some_and(|place| place.over.iter().any(|leased| leased.table() == table))
}
