//! Holds accesses to files: the kernel asks before a file is opened or read (fanotify permission events), and a thread of
//! this worker answers late.
//!
//! Whoever opens or reads a file of the marked folders asks and waits, the victim or not; who is not meant is answered at
//! once. An access that is held stands in a queue by the instant of its answer, so none waits for another. This thread opens
//! no file but those of /proc, for it would have to answer itself.
//!
//! The kernel lets all pass when the last descriptor of the group is closed, so the end of this process (however it comes)
//! is the undo. A process that is *stopped* answers nobody, and its end does not come by itself: so a timer of the kernel's
//! is set again at every turn ([`Fuse`]), and kills this process when it is not.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
};
use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::cgroup::Membership;
use crate::fault::disk::{Folder, tree};
use crate::process::{ProcessId, Stat};

/// The thread sleeps for so long at most, so that its fuse is renewed.
const NAP: Duration = Duration::from_millis(200);
/// So long everybody who opens a file there waits for a worker that is stopped.
const FUSE: Duration = Duration::from_secs(2);
/// More than these are not held at a time.
const MOST_HELD: u64 = 16_384;
/// Descriptors that are kept for all but accesses that are held: the kernel refuses an access that it has no number for.
const SPARE: u64 = 512;
/// Of so many accesses, the last ones, it is known how long they were held.
const REMEMBERED: usize = 4096;

/// Whose accesses are held, where, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// With all below them.
    pub folders: Vec<Folder>,
    /// Nobody else's.
    pub whose: Vec<Whose>,
    /// How long each is held; zero lets all pass and counts them.
    pub latency: Duration,
    /// The share of the accesses that is held.
    pub share: f64,
    /// What the draws follow from.
    pub seed: u64,
}

/// Whose accesses are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Of a process group, that of an instance: all that its leader has started and that did not leave it.
    Group(u32),
    /// Of one process, with all its threads.
    One(ProcessId),
    /// Of a container, by its id in the path of the cgroup.
    Container(String),
}

impl Whose {
    /// Whether this pid is one of them: it has asked and waits for the answer, so it is there.
    fn is(&self, pid: u32) -> bool {
        match self {
            Self::Group(leader) => Stat::read(pid).is_ok_and(|stat| stat.group == *leader),
            Self::One(process) => process.pid == pid && process.is_alive(),
            Self::Container(id) => Membership::of(pid).is_ok_and(|of| of.names(id)),
        }
    }
}

/// What it has come to.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Accesses of the victims that came along.
    pub came: u64,
    /// Those that `share` left alone.
    pub spared: u64,
    /// How many were held and answered.
    pub held: u64,
    /// How long half of them (of the last ones) were held at most.
    pub median: Option<Duration>,
    /// How many wait at this moment.
    pub waiting: u64,
    /// How many were answered early because too many waited.
    pub early: u64,
}

#[derive(Default)]
struct Counted {
    tally: Tally,
    held_for: VecDeque<Duration>,
}

/// Opens a group of permission events.
pub fn group() -> Result<Fanotify, Errno> {
    let flags = InitFlags::FAN_CLASS_CONTENT
        | InitFlags::FAN_CLOEXEC
        | InitFlags::FAN_NONBLOCK
        | InitFlags::FAN_UNLIMITED_QUEUE
        | InitFlags::FAN_UNLIMITED_MARKS;
    // A pipe with a name is opened for the event, too, and would wait for somebody who writes to it.
    let of_events = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC | EventFFlags::O_NONBLOCK;
    Fanotify::init(flags, of_events)
}

/// The accesses that are asked about, of the files in a folder.
pub fn accesses() -> MaskFlags {
    MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_ACCESS_PERM | MaskFlags::FAN_EVENT_ON_CHILD
}

/// A thread that answers. There is no way to end it but the end of the process.
pub struct Gate(Arc<Mutex<Counted>>);

impl Gate {
    /// Begins to answer, then marks the folders: from the first mark on somebody may wait.
    ///
    /// # Errors
    /// What cannot be done, as a sentence; the process has to end then.
    pub fn open(hold: Hold, lease: Duration) -> Result<Self, String> {
        let told = |what: &str, error: io::Error| format!("cannot {what}: {error}");
        let most = make_room().map_err(|error| told("raise its limit of descriptors", error))?;
        let group = group().map_err(|error| told("open a group of fanotify events", error.into()))?;
        let (group, counted) = (Arc::new(group), Arc::<Mutex<Counted>>::default());
        let folders = hold.folders.clone();
        let work = Work {
            group: Arc::clone(&group),
            random: ChaCha8Rng::seed_from_u64(hold.seed),
            hold,
            most,
            counted: Arc::clone(&counted),
            held: BinaryHeap::new(),
        };
        let (ready, is_ready) = mpsc::channel();
        let answer = move || {
            let begun =
                super::give_up_capabilities().map_err(io::Error::other).and_then(|()| Fuse::lit(FUSE.min(lease)));
            let fuse = match begun {
                Ok(fuse) => fuse,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let _end = EndsProcess;
            if ready.send(Ok(())).is_ok() {
                let Err(error) = work.go_on(fuse);
                eprintln!("accesses to files cannot be answered any more: {error}");
            }
        };
        let started = std::thread::Builder::new().name("brunt-gate".into()).spawn(answer);
        started.map_err(|error| told("start a thread", error))?;
        let begun = is_ready.recv().map_err(|_| "the thread that answers has panicked".to_owned())?;
        begun.map_err(|error| told("set the timer that ends this process when it is stopped", error))?;
        for folder in &folders {
            tree::walk(folder, |found| {
                let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR;
                Ok(group.mark(flags, accesses(), found, None::<&str>)?)
            })?;
        }
        Ok(Self(counted))
    }

    /// What it has come to.
    pub fn tally(&self) -> Tally {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = counted.held_for.iter().copied().collect();
        sorted.sort_unstable();
        Tally { median: sorted.get(sorted.len() / 2).copied(), ..counted.tally.clone() }
    }
}

/// Nobody answers once the thread has ended, also by a panic: the process must not go on as if somebody did.
struct EndsProcess;

impl Drop for EndsProcess {
    fn drop(&mut self) {
        std::process::exit(1);
    }
}

/// As many descriptors as this process may have; how many accesses may be held then.
fn make_room() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX).saturating_sub(SPARE).clamp(64, MOST_HELD))
}

/// A timer of the kernel's that kills this process, also while it is stopped: SIGKILL is what a stopped process obeys.
struct Fuse {
    timer: Timer,
    burns: Duration,
}

impl Fuse {
    fn lit(burns: Duration) -> io::Result<Self> {
        let kill = SigEvent::new(SigevNotify::SigevSignal { signal: Signal::SIGKILL, si_value: 0 });
        let mut fuse = Self { timer: Timer::new(ClockId::CLOCK_BOOTTIME, kill)?, burns };
        fuse.renew().map(|()| fuse)
    }

    fn renew(&mut self) -> io::Result<()> {
        let once = Expiration::OneShot(TimeSpec::from_duration(self.burns));
        Ok(self.timer.set(once, TimerSetTimeFlags::empty())?)
    }
}

/// An access that waits; ordered by when it is answered.
struct Held {
    due: Instant,
    since: Instant,
    event: FanotifyEvent,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

struct Work {
    group: Arc<Fanotify>,
    hold: Hold,
    most: u64,
    counted: Arc<Mutex<Counted>>,
    held: BinaryHeap<Reverse<Held>>,
    random: ChaCha8Rng,
}

impl Work {
    fn go_on(mut self, mut fuse: Fuse) -> io::Result<Infallible> {
        loop {
            fuse.renew()?;
            let next = self.held.peek().map_or(NAP, |Reverse(held)| held.due.saturating_duration_since(Instant::now()));
            let nap = Timespec { tv_sec: 0, tv_nsec: next.min(NAP).subsec_nanos().into() };
            match poll(&mut [PollFd::from_borrowed_fd(self.group.as_fd(), PollFlags::IN)], Some(&nap)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => self.read()?,
                Err(error) => return Err(error.into()),
            }
            let now = Instant::now();
            while self.held.peek().is_some_and(|Reverse(held)| held.due <= now) {
                self.let_next_pass()?;
            }
            self.count(|_| {});
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let events = match self.group.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let since = Instant::now();
        for event in events {
            let is_meant = u32::try_from(event.pid()).is_ok_and(|pid| self.hold.whose.iter().any(|who| who.is(pid)));
            if !is_meant {
                self.allow(&event)?;
                continue;
            }
            let is_held = self.hold.share >= 1.0 || self.random.random::<f64>() < self.hold.share;
            self.count(|counted| {
                counted.tally.came += 1;
                counted.tally.spared += u64::from(!is_held);
            });
            if is_held && !self.hold.latency.is_zero() {
                self.held.push(Reverse(Held { due: since + self.hold.latency, since, event }));
            } else {
                self.allow(&event)?;
            }
        }
        while self.held.len() as u64 > self.most {
            self.count(|counted| counted.tally.early += 1);
            self.let_next_pass()?;
        }
        Ok(())
    }

    fn let_next_pass(&mut self) -> io::Result<()> {
        let Some(Reverse(held)) = self.held.pop() else { return Ok(()) };
        self.allow(&held.event)?;
        let took = held.since.elapsed();
        self.count(|counted| {
            counted.tally.held += 1;
            counted.held_for.push_back(took);
            if counted.held_for.len() > REMEMBERED {
                counted.held_for.pop_front();
            }
        });
        Ok(())
    }

    fn allow(&self, event: &FanotifyEvent) -> io::Result<()> {
        // Without a descriptor it tells of a queue that was full, and this one has no end.
        let Some(fd) = event.fd() else { return Ok(()) };
        match self.group.write_response(FanotifyResponse::new(fd, Response::FAN_ALLOW)) {
            // Whoever asked was killed meanwhile.
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn count(&self, what: impl FnOnce(&mut Counted)) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut counted);
        counted.tally.waiting = self.held.len() as u64;
    }
}
