//! The timer of a worker: a timerfd on the worker's reactor.
//!
//! tokio's own timer has a grain of 1 ms and would send every request about a millisecond late. A timerfd on
//! CLOCK_MONOTONIC with an absolute instant is as exact as the kernel's high-resolution timers.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;

use brunt_scenario::units::Offset;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;

/// Wakes one task, the worker's main loop, at an instant. Any task of the worker may ask for an earlier one.
pub struct Pacer {
    clock: Clock,
    timer: AsyncFd<OwnedFd>,
    armed: Cell<Offset>,
}

impl Pacer {
    /// Must be called inside the worker's runtime.
    #[expect(
        deprecated,
        reason = "its successor is unsafe only for types that may change their descriptor; OwnedFd never does"
    )]
    pub fn new(clock: Clock) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self { clock, timer, armed: Cell::new(Offset(u64::MAX)) })
    }

    /// Sleeps until `at`, or until an earlier instant that another task asked for by [`Pacer::no_later_than`]. May also
    /// wake early without a reason, so the caller looks at the clock again.
    pub async fn sleep_until(&self, at: Offset) -> io::Result<()> {
        self.arm(at)?;
        // The timer is never read: arming it again clears its count, and an expiry is a new edge for epoll. That saves one
        // system call for each wake.
        self.timer.readable().await?.clear_ready();
        Ok(())
    }

    /// Makes the current sleep end at `at` at the latest.
    pub fn no_later_than(&self, at: Offset) -> io::Result<()> {
        if at < self.armed.get() { self.arm(at) } else { Ok(()) }
    }

    fn arm(&self, at: Offset) -> io::Result<()> {
        self.armed.set(at);
        // Zero would disarm the timer.
        let ns = self.clock.to_monotonic(at).max(1);
        let value = Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn it_wakes_after_the_instant_and_far_below_a_millisecond_late() {
        let clock = Clock::start();
        let pacer = Pacer::new(clock).unwrap();
        let mut late = Vec::new();
        for _ in 0..200 {
            let at = clock.now().after(Duration::from_micros(500));
            while clock.now() < at {
                pacer.sleep_until(at).await.unwrap();
            }
            late.push(clock.now().since(at));
        }
        late.sort();
        assert!(late[100] < Duration::from_micros(500), "median lateness {:?}", late[100]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_earlier_wish_of_another_task_ends_the_sleep() {
        let clock = Clock::start();
        let pacer = Pacer::new(clock).unwrap();
        let (slept, wished) = tokio::join!(pacer.sleep_until(Offset::from_secs_f64(3600.0)), async {
            pacer.no_later_than(clock.now().after(Duration::from_millis(5)))
        });
        slept.unwrap();
        wished.unwrap();
        assert!(clock.now() < Offset::from_secs_f64(60.0));
    }
}
