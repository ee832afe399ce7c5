//! What wakes a thread at an instant of CLOCK_BOOTTIME, however long the machine has slept.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// See the module.
pub(super) struct Alarm(OwnedFd);

impl Alarm {
    /// Not set.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?))
    }

    /// Readable from this instant on, or never.
    ///
    /// # Errors
    /// None with an instant that the kernel can hold.
    pub fn set(&self, at: Option<Duration>) -> io::Result<()> {
        // Zero switches it off.
        let at = at.map_or(Duration::ZERO, |at| at.max(Duration::from_nanos(1)));
        let value = Timespec { tv_sec: at.as_secs() as i64, tv_nsec: i64::from(at.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        Ok(timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once).map(drop)?)
    }

    /// What to wait for.
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }
}
