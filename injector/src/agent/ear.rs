//! The thread that hears the runner, and judges whether it is still there. It takes heartbeats at once, whatever else the agent
//! is at, and passes requests on in their order; when the run is over it says so, and goes on reading until the pipe ends, for
//! a runner that was silent may be there after all and want something.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::alarm::Alarm;
use super::inbox::{self, Inbox, Post};
use super::lease::{Expired, Lease, boottime};
use super::pipes::{Input, Voice};
use super::protocol::{Ask, FromAgent, Hello, ToAgent};
use crate::packets::Beats;
use crate::process::Pidfd;

/// What the main thread is at for longer it is stuck in: the runner has given it up by then.
const STUCK: Duration = Duration::from_secs(5);

/// What it passes on.
pub(super) enum Heard {
    /// A request and its number.
    Asked(u64, Ask),
    /// The run is over, for this reason; said once.
    Over(String),
}

/// See the module.
pub(super) struct Ear {
    input: Input,
    voice: Voice,
    post: Post<Heard>,
    alarm: Alarm,
    runner: Pidfd,
    lease: Lease,
    /// Everything that lives on the lease, in this process and in others, goes by this instant.
    beats: Arc<Beats>,
    at_work: Arc<AtWork>,
    is_over: bool,
}

impl Ear {
    /// The lease runs from now on.
    ///
    /// # Errors
    /// The runner is gone already.
    pub fn new(hello: &Hello, input: Input, voice: Voice, beats: Arc<Beats>) -> io::Result<(Self, MainEnd)> {
        let (post, heard) = inbox::queue()?;
        let at_work = Arc::<AtWork>::default();
        let ear = Self {
            input,
            voice,
            post,
            alarm: Alarm::new()?,
            runner: Pidfd::open(hello.runner)?,
            lease: Lease::new(hello.lease, boottime()),
            beats,
            at_work: Arc::clone(&at_work),
            is_over: false,
        };
        Ok((ear, MainEnd { heard, at_work }))
    }

    /// Until the runner's end of the pipe is closed.
    pub fn listen(mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.over(format!("the agent cannot go on: {error}")),
            }
        }
    }

    /// Waits until something can be heard, or the lease is over; `false` at the end of the pipe.
    fn turn(&mut self) -> io::Result<bool> {
        self.wait()?;
        self.voice.output().flush();
        // Every heartbeat that has come by this instant is read below.
        let now = boottime();
        let open = self.input.read()?;
        // What has arrived counts before the lease is judged, and before the end of the pipe is.
        while let Some(line) = self.input.line() {
            self.hear(&line);
        }
        if self.runner.has_ended()? {
            self.over("the runner is gone".into());
        }
        if !open {
            self.over("the runner has closed the agent's input".into());
        }
        if let Err(expired) = self.lease.check(now) {
            self.over(silence(expired));
        }
        Ok(open)
    }

    fn wait(&self) -> io::Result<()> {
        let stdout = io::stdout();
        let mut sources = vec![PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN)];
        if self.voice.output().is_waiting() {
            sources.push(PollFd::new(&stdout, PollFlags::OUT));
        }
        if !self.is_over {
            // Just past the deadline, for the lease has run out only *after* its end.
            self.alarm.set(Some(self.lease.until() + Duration::from_millis(1)))?;
            sources.push(PollFd::new(self.alarm.fd(), PollFlags::IN));
            sources.push(PollFd::new(self.runner.fd(), PollFlags::IN));
        }
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(ToAgent::Beat(_)) if self.is_over => {}
            Ok(ToAgent::Beat(sent)) => match self.lease.renew(Duration::from_nanos(sent)) {
                Ok(()) => {
                    self.beats.extend(self.lease.until());
                    // The runner ends an agent that does not answer, and undoes in its place.
                    if !self.at_work.is_stuck() {
                        self.voice.output().say_if_free(&FromAgent::Beat(sent));
                    }
                }
                Err(expired) => self.over(silence(expired)),
            },
            Ok(ToAgent::Ask { seq, ask }) => drop(self.post.send(Heard::Asked(seq, ask))),
            Ok(ToAgent::Hello(_) | ToAgent::Join(_)) => self.over("the runner greeted twice".into()),
            Err(error) => self.over(format!("the runner said something that is no request: {error}")),
        }
    }

    fn over(&mut self, reason: String) {
        if !self.is_over {
            self.is_over = true;
            self.post.send(Heard::Over(reason));
        }
    }
}

/// The main thread's end of what is between it and the ear.
pub(super) struct MainEnd {
    /// What the runner says.
    pub heard: Inbox<Heard>,
    /// Whether it is at something.
    pub at_work: Arc<AtWork>,
}

/// Since when the main thread is at what it was asked for: nanoseconds of boot time, 0 while it waits.
#[derive(Default)]
pub(super) struct AtWork(AtomicU64);

impl AtWork {
    /// It begins.
    pub fn begins(&self) {
        self.0.store(u64::try_from(boottime().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It is done with it.
    pub fn is_done(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_stuck(&self) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since > 0 && boottime().saturating_sub(Duration::from_nanos(since)) > STUCK
    }
}

fn silence(Expired { silent }: Expired) -> String {
    format!("the lease ran out: the runner was silent for {:.1} s", silent.as_secs_f64())
}
