//! How far a worker's clock is from the runner's, by pings: the shortest round trip says most, as in NTP.
//!
//! The answer was written between the sending of a ping and the arrival of its answer, so half of the round trip is the most
//! that the estimate can be wrong. A round trip that was held up anywhere bounds less, and is left out as long as there is a
//! shorter one that is not too old: clocks of different machines drift apart by some hundredth of a millisecond a second.

use std::collections::VecDeque;

use super::talk::Reading;

/// So many pings are looked at: with one each half second, those of the last minute.
const KEPT: usize = 120;

/// One ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trip {
    /// The worker's clock minus the runner's in the middle of it, nanoseconds.
    ahead_ns: i64,
    /// The same of wall time.
    wall_ahead_ns: i64,
    /// How long it took.
    round_ns: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Offsets {
    trips: VecDeque<Trip>,
}

/// What is known of a worker's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// The worker's CLOCK_MONOTONIC minus the runner's, nanoseconds: mostly which of both machines has been up for longer.
    pub ns: i64,
    /// The same of wall time.
    pub wall_ns: i64,
    /// It is wrong by this at most.
    pub within_ns: u64,
}

impl Offsets {
    /// A ping was sent and answered at these instants of the runner's clock, and the worker's clocks said that meanwhile.
    pub fn heard(&mut self, sent: Reading, arrived: Reading, theirs: Reading) {
        let round_ns = arrived.monotonic_ns.saturating_sub(sent.monotonic_ns);
        let ahead = |theirs: u64, sent: u64| theirs as i64 - (sent + round_ns / 2) as i64;
        let trip = Trip {
            ahead_ns: ahead(theirs.monotonic_ns, sent.monotonic_ns),
            wall_ahead_ns: ahead(theirs.wall_ns, sent.wall_ns),
            round_ns,
        };
        self.trips.push_back(trip);
        if self.trips.len() > KEPT {
            self.trips.pop_front();
        }
    }

    /// How many pings were answered, of those that are looked at.
    pub fn answered(&self) -> usize {
        self.trips.len()
    }

    /// By the shortest round trip; `None` before the first.
    pub fn ahead(&self) -> Option<Ahead> {
        let best = self.trips.iter().min_by_key(|trip| trip.round_ns)?;
        Some(Ahead { ns: best.ahead_ns, wall_ns: best.wall_ahead_ns, within_ns: best.round_ns.div_ceil(2) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One clock's reading where wall time is a minute after run zero of 2020.
    fn at(monotonic_ns: u64) -> Reading {
        Reading { monotonic_ns, wall_ns: 1_577_836_860_000_000_000 + monotonic_ns }
    }

    fn shifted(reading: Reading, by: i64) -> Reading {
        let by = |ns: u64| ns.wrapping_add_signed(by);
        Reading { monotonic_ns: by(reading.monotonic_ns), wall_ns: by(reading.wall_ns) }
    }

    proptest! {
        #[test]
        fn the_truth_lies_within_the_bound(
            ahead in -3_600_000_000_000_i64..3_600_000_000_000,
            trips in prop::collection::vec((0_u64..200_000_000, 0_u64..200_000_000), 1..200),
        ) {
            let mut offsets = Offsets::default();
            for (number, (there, back)) in trips.iter().enumerate() {
                let sent = 3_600_000_000_000 + number as u64 * 500_000_000;
                offsets.heard(at(sent), at(sent + there + back), shifted(at(sent + there), ahead));
            }
            let known = offsets.ahead().unwrap();
            // The half of an odd number of nanoseconds is rounded.
            prop_assert!(known.ns.abs_diff(ahead) <= known.within_ns + 1, "{known:?}");
            prop_assert!(known.wall_ns.abs_diff(ahead) <= known.within_ns + 1, "{known:?}");
            let shortest = trips.iter().rev().take(KEPT).map(|(there, back)| there + back).min().unwrap();
            prop_assert_eq!(known.within_ns, shortest.div_ceil(2));
        }
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        assert_eq!(Offsets::default().ahead(), None);
    }
}
