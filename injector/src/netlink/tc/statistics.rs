//! What a class or qdisc has done, by the kernel's own counters.

use std::io;

use super::super::message::find;
use super::{Handle, Place, Tc, head};

const GET_CLASS: u16 = 42;

/// Counters since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Sent.
    pub bytes: u64,
    /// Sent; a packet that the link cuts into segments counts as so many.
    pub packets: u64,
    /// Waiting.
    pub backlog: u32,
    /// Lost because too many waited.
    pub drops: u32,
    /// Put in front of others, by netem.
    pub overtook: u32,
    /// How often a packet had to wait for the rate.
    pub overlimits: u32,
}

impl Statistics {
    /// The sum of both.
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            packets: self.packets + other.packets,
            backlog: self.backlog.saturating_add(other.backlog),
            drops: self.drops.saturating_add(other.drops),
            overtook: self.overtook.saturating_add(other.overtook),
            overlimits: self.overlimits.saturating_add(other.overlimits),
        }
    }
}

impl Tc {
    /// Of a class.
    ///
    /// # Errors
    /// `NotFound`: there is no such class.
    pub fn class_statistics(&mut self, link: u32, class: Handle) -> io::Result<Statistics> {
        let mut found = None;
        let place = Place { link, parent: Handle::NONE, handle: Handle::NONE };
        self.socket.dump(GET_CLASS, &head(place, 0), |_| (), |body| found = found.or_else(|| of(body, class)))?;
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no class {class}")))
    }
}

/// `TCA_STATS2 { TCA_STATS_BASIC { bytes, packets }, TCA_STATS_QUEUE { qlen, backlog, drops, requeues, overlimits } }`
fn of(body: &[u8], class: Handle) -> Option<Statistics> {
    let word = |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    if word(body, 8)? != class.number() {
        return None;
    }
    let statistics = find(body.get(20..)?, 7)?;
    let (basic, queue) = (find(statistics, 1)?, find(statistics, 3)?);
    let packets = find(statistics, 8).and_then(|wide| Some(u64::from_ne_bytes(*wide.first_chunk()?))); // TCA_STATS_PKT64
    Some(Statistics {
        bytes: u64::from_ne_bytes(*basic.first_chunk()?),
        packets: packets.or_else(|| Some(word(basic, 8)?.into()))?,
        backlog: word(queue, 4)?,
        drops: word(queue, 8)?,
        // What others call requeued.
        overtook: word(queue, 12)?,
        overlimits: word(queue, 16)?,
    })
}
