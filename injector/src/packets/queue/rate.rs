//! A thin wire: packets go on one after another, each when those in front of it and it itself would have passed.
//!
//! There is no bucket that fills while nothing comes: a wire carries no faster after a pause. So the times at which packets are
//! due follow from those at which they came, and a thread that wakes up late does not slow the wire down, as long as others
//! wait behind.
//!
//! As much waits as the wire carries in 100 ms, at least 128 KiB, as before the htb class of `netlink/tc/shaped`, and at most
//! 10,000 packets, so that a queue with small ones does not get full. What comes while so much waits is dropped (tail drop), as
//! on the way into a real one, and nobody is told.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::treatment::Fate;

/// Ethernet's header is on the wire, too.
const ETHERNET: u32 = 14;
/// So much waits at least, bytes.
const LEAST: u64 = 128 << 10;
/// So many packets wait, at most.
const PACKETS: usize = 10_000;
const SECOND: u128 = 1_000_000_000;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Of bytes on the wire: Ethernet's header counts, its checksum and gaps do not. Not 0.
    pub bytes_per_second: u64,
}

/// What a wire has carried; all zero for other treatments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes of those packets that have gone on.
    pub bytes: u64,
    /// How long something was on the wire, until the last packet went on; as it happened, not as it was planned.
    pub busy: Duration,
    /// How often it became busy.
    pub times: u64,
    /// Packets that were dropped because too much waited.
    pub dropped: u64,
}

impl Carried {
    /// Of two wires together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            busy: self.busy + other.busy,
            times: self.times + other.times,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// The wire, and what is on it or waits before it.
#[derive(Debug)]
pub(super) struct Wire {
    rate: Rate,
    /// Until when each will have passed (CLOCK_MONOTONIC, nanoseconds), and its bytes.
    on: VecDeque<(u64, u32)>,
    /// Of these, all together.
    bytes: u64,
}

impl Wire {
    pub fn new(rate: Rate) -> Self {
        Self { rate, on: VecDeque::new(), bytes: 0 }
    }

    /// What becomes of the packet that comes now; `now` never goes back.
    pub fn next(&mut self, packet: &[u8], now: u64) -> Fate {
        while let Some((_, bytes)) = self.on.pop_front_if(|(passed, _)| *passed <= now) {
            self.bytes -= u64::from(bytes);
        }
        let room = LEAST.max(self.rate.bytes_per_second / 10);
        if self.bytes > room || self.on.len() >= PACKETS {
            return Fate::NoRoom;
        }
        let bytes = length(packet) + ETHERNET;
        let waits = !self.on.is_empty();
        let begins = self.on.back().map_or(now, |(passed, _)| *passed);
        let due = begins.saturating_add(self.takes(bytes));
        self.on.push_back((due, bytes));
        self.bytes += u64::from(bytes);
        Fate::Carried { due, bytes, waits }
    }

    /// How long so many bytes take, nanoseconds; rounded up, so that no error adds up to more than the rate.
    fn takes(&self, bytes: u32) -> u64 {
        let nanos = (u128::from(bytes) * SECOND).div_ceil(u128::from(self.rate.bytes_per_second.max(1)));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// As the network header says: only its beginning was copied.
fn length(packet: &[u8]) -> u32 {
    let number = |at: usize| packet.get(at..at + 2).map_or(0, |two| u32::from(u16::from_be_bytes([two[0], two[1]])));
    match packet.first().map(|first| first >> 4) {
        Some(6) => number(4) + 40,
        _ => number(2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v4(length: u16) -> Vec<u8> {
        [&[0x45, 0][..], &length.to_be_bytes(), &[0; 16]].concat()
    }

    #[test]
    fn packets_pass_one_after_another_and_what_finds_no_room_is_dropped() {
        // A byte takes a microsecond, and a tenth of a second is 100,000 bytes: less than the 128 KiB that always fit.
        let mut wire = Wire::new(Rate { bytes_per_second: 1_000_000 });
        let carried = |due, bytes, waits| Fate::Carried { due, bytes, waits };
        assert_eq!(wire.next(&v4(986), 5_000_000), carried(6_000_000, 1000, false));
        assert_eq!(wire.next(&v4(1486), 5_000_000), carried(7_500_000, 1500, true));
        let v6 = [&[0x60, 0, 0, 0, 0, 46][..], &[0; 34]].concat();
        assert_eq!(wire.next(&v6, 9_000_000), carried(9_100_000, 100, false));
        let mut waiting = 0;
        while let Fate::Carried { bytes, .. } = wire.next(&v4(1486), 9_100_000) {
            waiting += bytes;
        }
        assert!((131_072..131_072 + 3000).contains(&waiting), "{waiting}");
        assert_eq!(wire.next(&v4(1486), 9_100_000), Fate::NoRoom);
        assert!(matches!(wire.next(&v4(1486), 20_000_000), Fate::Carried { .. }), "ten packets have gone on since");
    }

    #[test]
    fn of_the_smallest_packets_no_more_wait_than_a_queue_holds() {
        let mut wire = Wire::new(Rate { bytes_per_second: 25_000_000 });
        let fits = (0..).take_while(|_| wire.next(&v4(20), 0) != Fate::NoRoom).count();
        assert_eq!(fits, PACKETS);
    }

    proptest! {
        /// Whatever comes whenever: in order, never faster than the rate in any span, never idle while something waits, and
        /// dropped only where so much waits.
        #[test]
        fn a_wire_carries_its_rate_and_no_more(
            rate in 1_000_u64..100_000_000,
            packets in prop::collection::vec((20_u16..1500, 0_u64..3_000_000), 1..400),
        ) {
            let mut wire = Wire::new(Rate { bytes_per_second: rate });
            let takes = |bytes: u64| (bytes as f64) * 1e9 / rate as f64;
            let (mut now, mut free) = (0, 0);
            let mut passed: Vec<(u64, u64)> = Vec::new();
            for (length, gap) in packets {
                now += gap;
                let waiting: u64 = passed.iter().filter(|(due, _)| *due > now).map(|(_, bytes)| bytes).sum();
                match wire.next(&v4(length), now) {
                    Fate::Carried { due, bytes, waits } => {
                        let begins = u64::max(free, now);
                        prop_assert_eq!(waits, free > now);
                        prop_assert!((due - begins) as f64 >= takes(bytes.into()) - 0.01);
                        prop_assert!(((due - begins) as f64) < takes(bytes.into()) + 1.01);
                        prop_assert_eq!(bytes, u32::from(length) + 14);
                        passed.push((due, bytes.into()));
                        free = due;
                    }
                    fate => {
                        prop_assert_eq!(fate, Fate::NoRoom);
                        prop_assert!(waiting > LEAST.max(rate / 10));
                    }
                }
                prop_assert!(waiting <= LEAST.max(rate / 10) + 1514);
            }
            // Of each span between two that have passed: what came through in it, less than the rate allows.
            for first in 0..passed.len() {
                let through: u64 = passed[first + 1..].iter().map(|(_, bytes)| bytes).sum();
                let span = passed[passed.len() - 1].0 - passed[first].0;
                prop_assert!(takes(through) <= span as f64 + 1.0);
            }
        }
    }
}
