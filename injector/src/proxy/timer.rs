//! When held bytes are due: one timerfd for all connections of the proxy.
//!
//! tokio's own timer has a grain of a millisecond, as much as some faults add. Here every connection that holds bytes asks
//! to be woken at the instant of its next piece; the earliest instant of all arms a timerfd, which wakes the proxy's thread
//! through epoll (`man 2 timerfd_create`) some tens of microseconds after it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// An instant on CLOCK_MONOTONIC, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(pub u64);

impl Nanos {
    /// Before every instant.
    pub const PAST: Self = Self(0);
    /// After every instant: what is due then waits until its fault is removed.
    pub const NEVER: Self = Self(u64::MAX);

    /// The present.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        Self(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
    }

    /// The instant `span` later.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The queue of instants at which connections want to be woken.
pub(crate) struct Timer {
    fd: AsyncFd<OwnedFd>,
    wanted: Mutex<Wanted>,
}

struct Wanted {
    heap: BinaryHeap<Reverse<Entry>>,
    /// What the timerfd is set to; [`Nanos::NEVER`] when it has fired or was never set.
    armed: Nanos,
}

struct Entry {
    due: Nanos,
    waker: Waker,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl Timer {
    /// A timer on the runtime of the calling context. Fails when the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "unsound only for types that do not own their descriptor; the new one is unsafe")]
        let fd = AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)?;
        Ok(Self { fd, wanted: Mutex::new(Wanted { heap: BinaryHeap::new(), armed: Nanos::NEVER }) })
    }

    /// Wakes `waker` at `due`, once. Nobody takes a wish back: a task that is woken for nothing looks and sleeps again.
    pub fn wake_at(&self, due: Nanos, waker: Waker) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.heap.push(Reverse(Entry { due, waker }));
        if due < wanted.armed {
            self.arm(&mut wanted, due);
        }
    }

    fn arm(&self, wanted: &mut Wanted, due: Nanos) {
        // An all-zero value would disarm it.
        let at = due.0.max(1);
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: (at / 1_000_000_000).cast_signed(),
                tv_nsec: (at % 1_000_000_000).cast_signed(),
            },
        };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &spec)
            .expect("the descriptor is a timerfd and the time is normalised");
        wanted.armed = due;
    }

    /// Wakes whoever is due, for ever. Ends only if the timerfd cannot be waited for, that is, when the runtime ends.
    pub async fn run(&self) {
        while let Ok(mut ready) = self.fd.readable().await {
            // Cleared before the clock is looked at: an expiry that comes in between makes it ready again. It is never read:
            // epoll tells edges (tokio registers with EPOLLET), every expiry is one, and setting the timer anew empties it.
            ready.clear_ready();
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Nanos::now();
            while wanted.heap.peek().is_some_and(|Reverse(first)| first.due <= now) {
                if let Some(Reverse(first)) = wanted.heap.pop() {
                    first.waker.wake();
                }
            }
            wanted.armed = Nanos::NEVER;
            if let Some(due) = wanted.heap.peek().map(|Reverse(first)| first.due) {
                self.arm(&mut wanted, due);
            }
        }
    }

    /// Returns after `span`.
    pub async fn sleep(&self, span: Duration) {
        let due = Nanos::now().after(span);
        poll_fn(|cx| {
            if Nanos::now() >= due {
                return Poll::Ready(());
            }
            self.wake_at(due, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
