//! How long the agent goes on without hearing from the runner: arithmetic on CLOCK_BOOTTIME, which counts while the
//! machine sleeps and cannot be set.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The shortest lease: below it a scheduling hiccup would end a healthy run.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// Time since boot, sleep included (CLOCK_BOOTTIME).
pub fn boottime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A lease that each heartbeat extends. Heartbeats carry the instant at which they were *sent*: what counts is how long
/// the runner was silent, not how long the agent was too busy to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    length: Duration,
    last: Duration,
}

/// The runner was silent for longer than the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// From its last heartbeat on.
    pub silent: Duration,
}

impl Lease {
    /// A lease that runs from `now`; `length` is raised to [`SHORTEST`].
    pub fn new(length: Duration, now: Duration) -> Self {
        Self { length: length.max(SHORTEST), last: now }
    }

    /// A heartbeat that was sent at `sent`. A gap between two heartbeats that is longer than the lease is an expiry, even
    /// if both are read at the same instant: the runner (or the machine) had stopped in between.
    pub fn renew(&mut self, sent: Duration) -> Result<(), Expired> {
        let silent = sent.saturating_sub(self.last);
        if silent > self.length {
            return Err(Expired { silent });
        }
        self.last = self.last.max(sent);
        Ok(())
    }

    /// Whether it has run out at `now`. Heartbeats that have arrived by then must be renewed first.
    pub fn check(&self, now: Duration) -> Result<(), Expired> {
        let silent = now.saturating_sub(self.last);
        if silent > self.length { Err(Expired { silent }) } else { Ok(()) }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// When it runs out.
    pub fn until(&self) -> Duration {
        self.last + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn s11_suspend_and_clock() {
        let mut lease = Lease::new(s(15), s(1000));
        assert_eq!(lease.renew(s(1010)), Ok(()));
        assert_eq!(lease.until(), s(1025));
        assert_eq!(lease.check(s(1025)), Ok(()));
        // The machine sleeps for an hour: boot time goes on, so the first look after waking up sees it,
        assert_eq!(lease.check(s(4610)), Err(Expired { silent: s(3600) }));
        // and so does a heartbeat that the runner managed to send before the agent looked.
        assert_eq!(lease.renew(s(4610)), Err(Expired { silent: s(3600) }));
        // The clock is the kernel's own and never runs back.
        let first = boottime();
        assert!(boottime() >= first && first > Duration::ZERO);
    }

    #[test]
    fn heartbeats_that_waited_in_the_pipe_count_from_when_they_were_sent() {
        let mut lease = Lease::new(s(2), s(100));
        for sent in [101, 102, 103, 104] {
            assert_eq!(lease.renew(s(sent)), Ok(()));
        }
        assert_eq!(lease.check(s(105)), Ok(()));
        assert_eq!(lease.renew(s(103)), Ok(()), "one that is late does not take time back");
        assert_eq!(lease.until(), s(106));
    }

    #[test]
    fn a_lease_is_never_shorter_than_a_second() {
        assert_eq!(Lease::new(Duration::from_millis(10), s(5)).until(), s(6));
    }
}
