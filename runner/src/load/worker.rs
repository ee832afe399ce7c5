//! A worker: one thread, one reactor, its own connections and its own share of the schedule.
//!
//! Nothing is shared while it runs. Iterations are local tasks; they append to vectors that the main loop hands over every
//! tick. The main loop does three things: it starts what is due, wakes what sleeps, and reports.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use brunt_report::sample::{Batch, ErrorClass, ErrorExample, OpenRequest};
use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;

use super::alarms::Alarms;
use super::arrivals::Change;
use super::compiled::Compiled;
use super::destinations::Destinations;
use super::http::Client;
use super::http::failure::{Exhausted, Failure};
use super::pacer::Pacer;
use super::request::Request;
use crate::clock::Clock;

mod main_loop;
mod users;

use self::main_loop::Main;

/// Examples kept for each series and class.
const EXAMPLES: u8 = 3;

/// What the load's owner tells all workers.
#[derive(Debug)]
pub struct Control {
    /// Open-ended stages end then: nanoseconds since run zero.
    pub timeline_ends: AtomicU64,
    /// Every load ends then, whatever its stages say: a guardrail or a signal. Nanoseconds since run zero.
    pub stops: AtomicU64,
    /// Stop now, without a drain.
    pub abort: AtomicBool,
    /// How many load changes were told; workers look at this number, and take the lock only when it has grown.
    told: AtomicUsize,
    /// The load changes, each with the index of its load entry.
    changes: Mutex<Vec<(usize, Change)>>,
}

impl Default for Control {
    /// Nothing ends yet.
    fn default() -> Self {
        let never = || AtomicU64::new(u64::MAX);
        Self {
            timeline_ends: never(),
            stops: never(),
            abort: AtomicBool::new(false),
            told: AtomicUsize::new(0),
            changes: Mutex::default(),
        }
    }
}

impl Control {
    /// Tells a load change. A worker that has looked at the clock first and then here starts nothing that is due after the
    /// change by the old curve, as long as the change is told before its instant.
    pub fn tell(&self, load: usize, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push((load, change));
        self.told.store(changes.len(), Ordering::Release);
    }

    /// The changes that were told after the first `seen`; no lock is taken while there are none.
    fn changes_after(&self, seen: usize) -> Vec<(usize, Change)> {
        if self.told.load(Ordering::Acquire) == seen {
            return Vec::new();
        }
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)[seen..].to_vec()
    }

    /// When a load gets its last arrival: at the fixed end of its stages, or with the timeline; at the latest when all stop.
    fn ends(&self, fixed: Option<Offset>) -> Offset {
        let planned = fixed.unwrap_or_else(|| Offset(self.timeline_ends.load(Ordering::Relaxed)));
        planned.min(Offset(self.stops.load(Ordering::Relaxed)))
    }
}

/// What one worker is given.
pub struct Share {
    /// Its number.
    pub index: usize,
    /// Of how many.
    pub of: usize,
    /// When the schedule starts.
    pub zero: Offset,
    /// The run's clock.
    pub clock: Clock,
    /// The scenario, for its schedule.
    pub plan: Arc<Plan>,
    /// The steps.
    pub compiled: Arc<Compiled>,
    /// Where they go.
    pub destinations: Arc<Destinations>,
    /// For https.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Most connections of this worker.
    pub connections: usize,
    /// Where the samples go.
    pub batches: UnboundedSender<Batch>,
    /// What the owner says.
    pub control: Arc<Control>,
}

/// What a worker knows at its end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkerEnd {
    /// Arrivals that its schedule asked for.
    pub scheduled: u64,
    /// When its last load ended.
    pub load_ended: Offset,
    /// By load entry: how many of its arrivals were due here, and whether it ended because a feeder had no row left.
    pub entries: Vec<(u64, bool)>,
    /// What ran out.
    pub exhausted: BTreeSet<String>,
}

/// Why a request was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its timeout.
    TimedOut,
    /// The drain was over at this instant.
    Drained(Offset),
}

/// What the iterations of one worker share.
pub struct Worker {
    /// The run's clock.
    pub clock: Clock,
    /// The steps.
    pub compiled: Arc<Compiled>,
    /// Those of all load entries that have no wishes, then one set for each that has.
    clients: Vec<Client>,
    /// By load entry: which of them.
    client_of: Vec<usize>,
    /// Everything since the last tick.
    pub samples: RefCell<Batch>,
    destinations: Arc<Destinations>,
    alarms: Alarms,
    pacer: Pacer,
    /// Set when nothing may go on.
    drained: Cell<Option<Offset>>,
    /// Open iterations by load.
    in_flight: Vec<Cell<usize>>,
    most_in_flight: Cell<usize>,
    examples: RefCell<BTreeMap<(u16, ErrorClass), u8>>,
    exhausted: RefCell<BTreeSet<&'static str>>,
}

impl Worker {
    /// The connections of a load entry.
    pub fn client(&self, load: usize) -> &Client {
        &self.clients[self.client_of[load]]
    }

    /// Whether a destination is https.
    pub fn is_tls(&self, destination: usize) -> bool {
        self.destinations.list()[destination].tls
    }

    /// Sleeps until an instant, exactly.
    pub async fn sleep_until(&self, at: Offset) {
        let mut asked = false;
        poll_fn(|cx| {
            if self.clock.now() >= at {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut asked, true) {
                self.alarms.wake_at(at, cx.waker());
                self.hurry(at);
            }
            Poll::Pending
        })
        .await;
    }

    /// Runs a request until it ends, its deadline passes or the drain is over. It is listed as open meanwhile.
    pub async fn until<F: Future>(&self, open: OpenRequest, deadline: Offset, request: F) -> Result<F::Output, Ended> {
        let mut request = pin!(request);
        let mut slot = None;
        let end = poll_fn(|cx| {
            if let Poll::Ready(output) = request.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if let Some(at) = self.drained.get() {
                return Poll::Ready(Err(Ended::Drained(at)));
            }
            if self.clock.now() >= deadline {
                return Poll::Ready(Err(Ended::TimedOut));
            }
            if slot.is_none() {
                let (opened, soon) = self.alarms.open(open, deadline, cx.waker());
                slot = Some(opened);
                if soon {
                    self.hurry(deadline);
                }
            }
            Poll::Pending
        })
        .await;
        if let Some(slot) = slot {
            self.alarms.close(slot);
        }
        end
    }

    /// Keeps an example of a failure if there are few of its kind.
    pub fn note(&self, request: &Request, failure: Failure, at: Offset) {
        self.exhausted(&failure);
        let mut examples = self.examples.borrow_mut();
        let seen = examples.entry((request.series, failure.class)).or_default();
        if *seen < EXAMPLES {
            *seen += 1;
            let text = match failure.text.starts_with(&request.label) {
                true => failure.text,
                false => format!("{}: {}", request.label, failure.text),
            };
            let text = self.compiled.masked(text);
            self.samples.borrow_mut().examples.push(ErrorExample {
                series: request.series,
                class: failure.class,
                at,
                text,
            });
        }
    }

    /// Remembers if the generator itself ran out of something.
    pub fn exhausted(&self, failure: &Failure) {
        if let Some(exhausted) = failure.exhausted {
            self.exhausted.borrow_mut().insert(match exhausted {
                Exhausted::Descriptors => {
                    "file descriptors ran out (EMFILE): raise the hard limit (ulimit -Hn) or lower max_in_flight"
                }
                Exhausted::Ports => {
                    "local ports ran out (EADDRNOTAVAIL): widen net.ipv4.ip_local_port_range, or keep connections alive"
                }
            });
        }
    }

    fn hurry(&self, at: Offset) {
        // It fails only for an invalid descriptor or time; the main loop arms the same timer and reports that.
        drop(self.pacer.no_later_than(at));
    }

    fn in_flight(&self) -> usize {
        self.in_flight.iter().map(Cell::get).sum()
    }

    fn enter(&self, load: usize) {
        self.in_flight[load].set(self.in_flight[load].get() + 1);
        self.most_in_flight.set(self.most_in_flight.get().max(self.in_flight()));
    }

    fn leave(&self, load: usize) {
        self.in_flight[load].set(self.in_flight[load].get() - 1);
    }
}

/// The thread's whole life. The caller gives it a thread of its own.
pub fn run(share: Share) -> io::Result<WorkerEnd> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async move {
        let mut main = Main::new(share)?;
        main.run().await?;
        Ok(main.end())
    })
}

/// The share of worker `index` of `of` in a whole number: the shares add up to it.
fn part(whole: usize, index: usize, of: usize) -> usize {
    whole / of + usize::from(index < whole % of)
}
