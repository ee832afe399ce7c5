//! Packets in user space: a rule gives them to an NFQUEUE, and a thread of this program holds, drops, changes or repeats them.
//!
//! Where packets are held matters. Those that arrive (PREROUTING, INPUT) or pass (FORWARD) wait in the kernel; those that
//! leave (OUTPUT, POSTROUTING) are copied, dropped and sent again (see `resend`).
//!
//! The order of things is the point. Beginning: the queue is bound and configured before the rule is there, for a queue
//! that is bound and not configured drops everything, and so does a rule whose chain goes while packets wait. End: the lease
//! of the rule ends first, then everything that the rule had matched is read, then all that is held goes on in order, and
//! only then the table goes (see `chains`). If this process is killed the kernel removes the table and drops what was held; if it is
//! stopped the rule stops matching when its lease ends, and what it holds waits.
//!
//! What the queue loses by itself looks like the fault that it should make, and is none: [`Counters::trouble`] has it, and
//! makes the run invalid.

mod flows;
mod held;
mod loss;
mod names;
mod rate;
mod resend;
mod treatment;
mod worker;

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

pub use loss::{Loss, Share};
pub use names::{Answers, Name, Outcome};
pub use rate::{Carried, Rate};
pub use resend::MARK;
pub use treatment::Treatment;

use self::worker::Worker;
use crate::namespace::{Identity, Namespace};
use crate::netlink::nf_tables::{Hook, Leased, Match, Refused, Rule, Verdict};
use crate::netlink::queue::{BindError, Losses};
use crate::packets::chains::{self, Hold};
use crate::proxy::Nanos;
use crate::proxy::counters::Lateness;

/// Numbers that are tried, from this one. Other programs count from 0.
const FIRST: u16 = 46_200;
const NUMBERS: u16 = 32;
/// A thread that has not been awake for so long hangs.
const HANGS: u64 = 500_000_000;

/// Something about a queue went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The rule.
    #[error(transparent)]
    Rule(#[from] Refused),
    /// The namespace could not be entered.
    #[error("cannot enter the network namespace: {0}")]
    Namespace(io::Error),
    /// Copies cannot be sent.
    #[error("cannot open a raw socket for packets that leave later: {0}")]
    Resending(io::Error),
    /// The treatment does not work there.
    #[error("{0}")]
    Unfit(&'static str),
    /// The thread could not be started.
    #[error("cannot run the thread that decides about packets: {0}")]
    Thread(io::Error),
    /// It has ended, or hangs; packets pass.
    #[error("the thread that decides about packets {0}")]
    Worker(String),
}

/// Which packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where in their way through the namespace they are caught.
    pub hook: Hook,
    /// A packet is meant if all conditions of one of these hold. Without any, all are.
    pub any_of: Vec<Vec<Match>>,
    /// Unless all conditions of one of these hold.
    pub but_not: Vec<Vec<Match>>,
}

impl Path {
    /// Packets are caught where they are made, or leave.
    fn leaves(&self) -> bool {
        matches!(self.hook, Hook::Output | Hook::Postrouting)
    }

    /// Those that spare packets first.
    fn rules(&self, number: u16) -> Vec<Rule> {
        let spare = |matches: &Vec<Match>| Rule { hook: self.hook, matches: matches.clone(), verdict: Verdict::Spare };
        let rule = |matches: &Vec<Match>| Rule {
            hook: self.hook,
            // What is sent again passes the hooks of what leaves; elsewhere nothing has the mark.
            matches: [vec![Match::Unmarked(MARK)], matches.clone()].concat(),
            verdict: Verdict::Queue { number },
        };
        let all = [Vec::new()];
        let meant = if self.any_of.is_empty() { &all[..] } else { &self.any_of };
        self.but_not.iter().map(spare).chain(meant.iter().map(rule)).collect()
    }
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that were read.
    pub came: u64,
    /// Those that something was done to: held, lost, changed, let pass in front of others, sent twice.
    pub acted: u64,
    /// Held now.
    pub held: u64,
    /// Held at the same time, at most.
    pub most_held: u64,
    /// How long packets were to be held, all together.
    pub asked: Duration,
    /// Packets that waited longer than that, because one of their flow in front of them did.
    pub pushed_back: u64,
    /// What a [`Rate`] let pass, and what it had no room for.
    pub carried: Carried,
    /// Packets that should have been held or sent twice, and were not: there were too many at a time.
    pub no_room: u64,
    /// Copies that the kernel refused to send.
    pub unsent: u64,
    /// Packets that should have waited in the kernel and did not, at most at one time.
    pub missing: u64,
    /// What the queue lost by itself.
    pub losses: Losses,
}

impl Counters {
    /// What makes everything that was measured worthless: packets that were lost or spared by the queue itself.
    pub fn trouble(&self) -> Option<String> {
        let Losses { unread, overflowed, vanished, warned } = self.losses;
        let all = [
            (unread, "packets did not fit into the socket's buffer and were dropped"),
            (if unread == 0 { warned } else { 0 }, "times packets did not fit into the socket's buffer"),
            (overflowed, "packets were dropped because too many waited"),
            (vanished.max(self.missing), "packets were thrown away while they waited: another program removed a chain"),
            (self.no_room, "packets were spared because there were too many at a time"),
            (self.unsent, "packets that should have gone on were not sent by the kernel"),
        ];
        let said: Vec<String> =
            all.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// What the thread and the handle share.
struct Shared {
    counts: Mutex<Counters>,
    lateness: Lateness,
    /// When the thread was last awake (CLOCK_MONOTONIC, nanoseconds).
    awake: AtomicU64,
    ending: AtomicBool,
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counters> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Packets of one path that a thread decides about. Dropping it lets everything go on, as [`Queue::release`] does.
pub struct Queue {
    number: u16,
    hook: Hook,
    /// Rules that only spare packets.
    sparing: usize,
    shared: Arc<Shared>,
    wake: Arc<OwnedFd>,
    worker: Option<JoinHandle<io::Result<()>>>,
    /// `None` once it is removed.
    leased: Option<Leased>,
    namespace: Identity,
    /// Until everything has gone on.
    hold: Option<Hold>,
}

impl Queue {
    /// Begins to treat the packets of a path, for `lease`, and longer with every [`Queue::beat`]. `table` is the name of the
    /// nf_tables table. Decisions follow from `seed` and the order in which flows and their packets come.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn start(
        namespace: &Namespace,
        path: &Path,
        treatment: &Treatment,
        seed: u64,
        table: &str,
        lease: Duration,
    ) -> Result<Self, Error> {
        if matches!(treatment, Treatment::Duplicate(_)) && matches!(path.hook, Hook::Prerouting | Hook::Input) {
            return Err(Error::Unfit(
                "what has arrived cannot be sent again: packets can only be duplicated on their way out",
            ));
        }
        if matches!(treatment, Treatment::Answers(_)) && path.leaves() {
            return Err(Error::Unfit("answers to questions for names are caught where they arrive"));
        }
        let shared = Arc::new(Shared {
            counts: Mutex::default(),
            lateness: Lateness::default(),
            awake: AtomicU64::new(Nanos::now().0),
            ending: AtomicBool::new(false),
        });
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| Error::Thread(error.into()))?);
        let (bound, whether) = mpsc::sync_channel(1);
        let worker = {
            let (namespace, treatment, shared, wake) =
                (namespace.clone(), treatment.clone(), Arc::clone(&shared), Arc::clone(&wake));
            let leaves = path.leaves();
            // A thread that has entered a namespace cannot leave it, which is just right for this one.
            let work = move || {
                let worker =
                    namespace.enter().map_err(Error::Namespace).and_then(|()| bind(leaves, &treatment, seed, &shared));
                match worker {
                    Ok((number, worker)) => {
                        let _ = bound.send(Ok(number));
                        worker.run(&wake)
                    }
                    Err(error) => {
                        let _ = bound.send(Err(error));
                        Ok(())
                    }
                }
            };
            std::thread::Builder::new().name("brunt-packets".into()).spawn(work).map_err(Error::Thread)?
        };
        let number = whether.recv().map_err(|_| Error::Worker("has panicked".into()))??;
        let sparing = path.but_not.len();
        let namespace_is = namespace.identity();
        let mut this = Self {
            number,
            hook: path.hook,
            sparing,
            shared,
            wake,
            worker: Some(worker),
            leased: None,
            namespace: namespace_is,
            hold: Some(Hold::begin(namespace_is)),
        };
        let rules = path.rules(number);
        let leased = namespace.inside(|| Leased::install(table, lease, &rules)).map_err(Error::Namespace)??;
        this.leased = Some(leased);
        Ok(this)
    }

    /// The number that other programs see.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The lease of the rule begins anew, if somebody still decides about the packets.
    ///
    /// # Errors
    /// Nobody does, or the table is gone. The lease is left to end.
    pub fn beat(&mut self) -> Result<(), Error> {
        if self.worker.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(Error::Worker("has ended".into()));
        }
        let asleep = Nanos::now().0.saturating_sub(self.shared.awake.load(Relaxed));
        if asleep > HANGS {
            return Err(Error::Worker(format!("has not been awake for {} ms", asleep / 1_000_000)));
        }
        self.leased.as_mut().map_or(Ok(()), Leased::beat)?;
        Ok(())
    }

    /// Its rules that mean peers mean these from now on.
    ///
    /// # Errors
    /// The kernel refused: nothing has changed.
    pub fn meet(&mut self, peers: &[IpAddr]) -> Result<(), Error> {
        Ok(self.leased.as_mut().map_or(Ok(()), |leased| leased.meet(peers))?)
    }

    /// What happened so far; up to 50 ms old.
    pub fn counters(&self) -> Counters {
        *self.shared.counts()
    }

    /// How late packets went on: this share of those that were held was at most so late.
    pub fn lateness(&self, quantile: f64) -> Duration {
        self.shared.lateness.quantile(quantile)
    }

    /// Packets that the rules have given to the queue, as the kernel counts them: one for many segments, where it has not
    /// cut them yet.
    pub fn matched(&mut self) -> io::Result<u64> {
        let Self { hook, sparing, .. } = *self;
        self.leased.as_mut().map_or(Ok(0), |leased| Ok(leased.counts(hook)?.iter().skip(sparing).sum()))
    }

    /// Lets everything go on that is held, in order, and removes the rule. Calling it again does nothing. Returns what
    /// happened all in all.
    ///
    /// # Errors
    /// The thread had failed, or the table could not be removed; it goes with this process.
    pub fn release(&mut self) -> Result<Counters, Error> {
        let paused = self.leased.as_mut().map_or(Ok(()), Leased::pause);
        self.shared.ending.store(true, Relaxed);
        // It looks for itself within a tick; so it does at once.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        let ended = match self.worker.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(Error::Worker(format!("has failed: {error}"))),
            Some(Err(_)) => Err(Error::Worker("has panicked".into())),
        };
        // Nothing of this one waits any more; of others something may.
        drop(self.hold.take());
        let removed = self.leased.take().map_or(Ok(()), |leased| chains::remove(self.namespace, leased));
        ended?;
        paused?;
        removed?;
        Ok(self.counters())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

/// The first number that is free. One that belongs to another program is left to it.
fn bind(leaves: bool, treatment: &Treatment, seed: u64, shared: &Arc<Shared>) -> Result<(u16, Worker), Error> {
    let mut taken = None;
    for number in FIRST..FIRST + NUMBERS {
        match Worker::new(number, leaves, treatment, seed, Arc::clone(shared)) {
            Ok(worker) => return Ok((number, worker)),
            Err(Error::Bind(error @ BindError::Taken(_))) => taken = Some(error),
            Err(other) => return Err(other),
        }
    }
    Err(taken.map_or(Error::Unfit("no number"), Error::Bind))
}

#[cfg(test)]
mod tests;
