//! What the proxy counted: per listener, and per fault at a listener.
//!
//! Written by the proxy's thread, read by `verify` and by the report from any thread.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that grows; readable from any thread.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes `n` back: for numbers that say how many there are now.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one fault did at one listener.
#[derive(Debug, Default)]
pub struct FaultCounters {
    /// Messages, requests or connections (whatever the fault decides about) that it could have acted on.
    pub seen: Count,
    /// Those that it acted on.
    pub affected: Count,
    /// Connections that it acted on.
    pub connections: Count,
    /// Connections that it kept from the upstream.
    pub connections_hung: Count,
    /// Connections that it reset, at once or when it was removed.
    pub connections_reset: Count,
    /// Connections that it closed at both ends.
    pub connections_closed: Count,
    /// Bytes that it held back for a while.
    pub bytes_held: Count,
    /// Bytes that it threw away.
    pub bytes_discarded: Count,
    /// Pieces that it cut off of longer ones.
    pub pieces_cut: Count,
    /// Bytes that went over a wire of a given rate.
    pub bytes_paced: Count,
    /// For how long that wire was busy with them.
    pub nanos_paced: Count,
    /// The first message that was held for a known time.
    pub first_hold: OnceLock<FirstHold>,
    /// How late held messages were handed to the socket.
    pub lateness: Lateness,
}

/// The first message that a fault held: what was drawn and what it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstHold {
    /// How long it was to be held.
    pub asked: Duration,
    /// From its arrival until it was handed to the receiver's socket.
    pub real: Duration,
}

/// A histogram of nanoseconds, each power of two in eight parts (values are right to 12.5 %).
#[derive(Debug)]
pub struct Lateness {
    buckets: [AtomicU64; Self::BUCKETS],
}

impl Default for Lateness {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; Self::BUCKETS] }
    }
}

impl Lateness {
    /// Up to 2^40 ns, 18 minutes.
    const BUCKETS: usize = 8 * 40;

    /// Records one value.
    pub fn record(&self, late: Duration) {
        let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX).max(8);
        let power = nanos.ilog2();
        let part = (nanos >> (power - 3)) & 7;
        let bucket = (u64::from(power - 3) * 8 + part).min(Self::BUCKETS as u64 - 1);
        self.buckets[bucket as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The upper edge of the bucket in which the value of rank `ceil(quantile * count)` lies; zero without values.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = ((quantile * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            below += bucket.load(Ordering::Relaxed);
            if below >= rank {
                let (power, part) = (index as u32 / 8, index as u64 % 8);
                return Duration::from_nanos((9 + part) << power);
            }
        }
        Duration::ZERO
    }
}

/// What one listener of a link has carried so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStats {
    /// The link's name.
    pub link: String,
    /// Which of its listeners, from 0, in the order of the upstreams.
    pub listener: usize,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its bytes go, `host:port`.
    pub upstream: String,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections for which the upstream could not be reached; the client was reset at once.
    pub refused: u64,
    /// How often brunt itself had no descriptor or local port left for a connection: what was measured through the link then
    /// says nothing about the target.
    pub starved: u64,
    /// Bytes read from clients.
    pub bytes_to: u64,
    /// Bytes read from the upstream.
    pub bytes_from: u64,
    /// HTTP/1.x requests that reached the upstream; zero where something else is spoken.
    pub requests: u64,
}

/// The counters behind [`LinkStats`].
#[derive(Debug, Default)]
pub(crate) struct ListenerCounters {
    pub connections: Count,
    pub open: Count,
    pub refused: Count,
    pub starved: Count,
    pub bytes: [Count; 2],
    pub requests: Count,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let lateness = Lateness::default();
        for micros in 1..=1000 {
            lateness.record(Duration::from_micros(micros));
        }
        assert_eq!(lateness.count(), 1000);
        for (quantile, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = lateness.quantile(quantile).as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 0.13, "p{quantile}: {found} us instead of {micros}");
        }
        assert_eq!(Lateness::default().quantile(0.5), Duration::ZERO);
    }
}
