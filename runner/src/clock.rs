//! The one clock of a run: offsets from run zero on CLOCK_MONOTONIC.
//!
//! Everything that is measured or journaled carries such an offset. Wall time is read once a run, here, when the clock is
//! made; whoever needs a date computes it from [`Clock::wall_at`]. Beside that only workers in pods tell it ([`both`]), for
//! people: how wrong is that machine's clock?

use std::time::{Duration, SystemTime};

use brunt_scenario::units::Offset;
use rustix::time::{ClockId, clock_gettime};

/// Run zero. Copies are the same clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero_ns: u64,
    zero_wall: SystemTime,
}

impl Clock {
    /// Makes this instant run zero and pairs it with wall time.
    #[expect(clippy::disallowed_methods, reason = "the one place where wall time is read")]
    pub fn start() -> Self {
        Self { zero_ns: monotonic_ns(), zero_wall: SystemTime::now() }
    }

    /// The clock of a run whose zero is this reading of CLOCK_MONOTONIC, in nanoseconds.
    #[expect(clippy::disallowed_methods, reason = "the one place where wall time is read")]
    pub fn from_zero(zero_ns: u64) -> Self {
        let (since, wall) = (monotonic_ns(), SystemTime::now());
        let zero_wall = match since.checked_sub(zero_ns) {
            Some(ago) => wall - Duration::from_nanos(ago),
            None => wall + Duration::from_nanos(zero_ns - since),
        };
        Self { zero_ns, zero_wall }
    }

    /// The time since run zero.
    pub fn now(&self) -> Offset {
        self.from_monotonic(monotonic_ns())
    }

    /// Maps an absolute CLOCK_MONOTONIC reading in nanoseconds (the agent's and the proxy's stamps) onto the run; an
    /// instant before run zero becomes zero.
    pub fn from_monotonic(&self, ns: u64) -> Offset {
        Offset(ns.saturating_sub(self.zero_ns))
    }

    /// The absolute CLOCK_MONOTONIC reading at an offset, in nanoseconds: what timerfd and the agent want.
    pub fn to_monotonic(&self, at: Offset) -> u64 {
        self.zero_ns.saturating_add(at.0)
    }

    /// Wall time at an offset, by the pairing at run zero: a step of the system's clock during the run does not show.
    pub fn wall_at(&self, at: Offset) -> SystemTime {
        self.zero_wall + Duration::from_nanos(at.0)
    }

    /// The instant of tokio's clock at an offset. std's `Instant` is CLOCK_MONOTONIC too, but does not show its reading;
    /// so the distance from now is carried over, which is exact to the time between two readings (below 1 us).
    pub fn to_instant(&self, at: Offset) -> std::time::Instant {
        let (instant, now) = (std::time::Instant::now(), self.now());
        if at >= now { instant + at.since(now) } else { instant.checked_sub(now.since(at)).unwrap_or(instant) }
    }
}

/// CLOCK_MONOTONIC, and wall time since 1970, in nanoseconds.
#[expect(clippy::disallowed_methods, reason = "the one place where wall time is read")]
pub fn both() -> (u64, u64) {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (monotonic_ns(), wall.as_nanos() as u64)
}

fn monotonic_ns() -> u64 {
    let reading = clock_gettime(ClockId::Monotonic);
    // CLOCK_MONOTONIC counts from boot, so neither part is negative.
    reading.tv_sec as u64 * 1_000_000_000 + reading.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_and_its_absolute_reading_are_the_same_instant() {
        let clock = Clock::start();
        let at = Offset(1_500_000_000);
        assert_eq!(clock.from_monotonic(clock.to_monotonic(at)), at);
        assert_eq!(clock.from_monotonic(0), Offset(0), "an instant before run zero");
        assert_eq!(clock.wall_at(at).duration_since(clock.wall_at(Offset(0))).unwrap(), Duration::from_millis(1500));
    }

    #[test]
    fn time_passes_and_copies_agree() {
        let clock = Clock::start();
        let copy = clock;
        let before = clock.now();
        let between = copy.now();
        assert!(before <= between && between <= clock.now());
    }
}
