//! The load engine: sends what the plan asks for, when it asks for it, and says what came of it.
//!
//! ```text
//! Plan ─ compiled ─┐                          ┌ every 50 ms: Batch ─> recorder
//! Addresses ─ destinations ─ start ─ worker ──┤
//!               ▲                  ─ worker ──┘
//!   set_ready, DNS
//! ```
//!
//! Use: [`Destinations::resolve`], [`preflight::check`], [`start`]; read batches from the channel, say when the timeline
//! ends ([`Steering::end_timeline`]), and [`Load::join`]. With `--on kubernetes` the workers are pods ([`pods`]), each of which
//! does the same with its part; here their batches come out of the same channel.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use brunt_report::results::CrewData;
use brunt_report::sample::Batch;
use brunt_scenario::plan::{Addresses, Model, Plan, Strategy};
use brunt_scenario::units::Offset;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::arrivals::{Change, Curve};
use self::compiled::Compiled;
use self::destinations::Destinations;
use self::worker::{Control, Share, WorkerEnd};
use crate::clock::Clock;

mod alarms;
pub mod arrivals;
mod check;
mod compiled;
pub mod destinations;
mod digest;
pub mod dns;
pub mod estimate;
mod http;
mod journey;
pub mod limits;
mod names;
mod pacer;
mod permutation;
pub mod pods;
pub mod preflight;
mod randomness;
mod request;
mod rows;
mod template;
pub mod tls;
pub mod turns;
mod until;
mod worker;

/// Above it another worker is worth its core: iterations a second.
const RATE_A_WORKER: f64 = 20_000.0;
/// So many users keep a core busy if they do not think.
const USERS_A_WORKER: f64 = 100.0;
/// From the start of the workers to the first arrival: every worker is at its reactor by then.
const LEAD: Duration = Duration::from_millis(20);

/// Load cannot be sent, or not where the scenario wants it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A target is no destination: exit 3.
    #[error("target `{target}`: {why}")]
    Target {
        /// Its name in the scenario.
        target: String,
        /// In words.
        why: String,
    },
    /// Nothing answers at one target or several, one a line: exit 3.
    #[error("{0}")]
    Unreachable(String),
    /// A step cannot be compiled: exit 2.
    #[error("step `{step}`: {why}")]
    Step {
        /// Its id.
        step: String,
        /// In words.
        why: String,
    },
    /// The rows of a feeder cannot be made: exit 2.
    #[error("feeder `{feeder}`: {why}")]
    Feeder {
        /// Its name.
        feeder: String,
        /// In words.
        why: String,
    },
    /// No trust store, for example.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// Load cannot come from the cluster: exit 3.
    #[error("load from the cluster: {0}")]
    Cluster(String),
    /// A worker panicked: a bug.
    #[error("load worker {0} panicked")]
    Panicked(usize),
}

impl LoadError {
    fn target(target: &str, why: &dyn std::fmt::Display) -> Self {
        Self::Target { target: target.to_owned(), why: why.to_string() }
    }

    fn step(step: &str, why: &dyn std::fmt::Display) -> Self {
        Self::Step { step: step.to_owned(), why: why.to_string() }
    }
}

/// What the command line says about load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--workers`; else as many as the cores and the rate make sensible.
    pub workers: Option<usize>,
    /// `--insecure`: any certificate will do.
    pub insecure: bool,
    /// Only a part of the load is sent here.
    pub part: Option<Part>,
}

/// One worker's part of a load whose other workers are elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Which worker.
    pub index: usize,
    /// Of how many.
    pub of: usize,
    /// When all of them start.
    pub start: Offset,
}

/// A load that is running.
pub struct Load {
    /// When the schedule starts: arrival 0 of a constant load is due then.
    pub started: Offset,
    /// How many workers send it.
    pub workers: usize,
    /// What a person should know: a limit that was lowered.
    pub notes: Vec<String>,
    steering: Steering,
    /// Workers in pods that are lost while it runs.
    lost: Option<mpsc::UnboundedReceiver<Lost>>,
    /// Ends with the last worker.
    whole: JoinHandle<Result<LoadEnd, LoadError>>,
}

/// A worker in a pod is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// `worker 2 (pod brunt-7-1-2-x9 on n1)`.
    pub worker: String,
    /// What became of it.
    pub why: String,
}

/// What came of a load as a whole; the samples have gone over the channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadEnd {
    /// When the last load entry ended: its last stage, the end of the timeline, or the abort. Rates end here.
    pub load_ended: Offset,
    /// Arrivals that the schedules asked for until then; a closed load counts the iterations that it started.
    pub scheduled: u64,
    /// Why the measurement cannot be trusted, each with its cure.
    pub invalid: Vec<String>,
    /// What a person should know of a measurement that can be trusted: a load that ended with its last row.
    pub warnings: Vec<String>,
    /// The workers, if they were pods.
    pub crew: Option<CrewData>,
    /// By load entry, as in [`WorkerEnd`].
    pub entries: Vec<(u64, bool)>,
}

/// What one worker has to say of it all, from where there is only one.
impl From<LoadEnd> for WorkerEnd {
    fn from(end: LoadEnd) -> Self {
        Self {
            scheduled: end.scheduled,
            load_ended: end.load_ended,
            entries: end.entries,
            exhausted: end.invalid.into_iter().collect(),
        }
    }
}

/// Compiles the plan's journeys and starts the workers; the first arrivals are due a few milliseconds later. Must be called
/// inside a tokio runtime, which carries the name resolution. Batches are never lost: the channel grows if its reader is
/// slow, because a worker must not wait for anyone.
pub fn start(
    plan: Arc<Plan>,
    known: &Addresses,
    destinations: Arc<Destinations>,
    clock: Clock,
    options: &Options,
    batches: mpsc::UnboundedSender<Batch>,
) -> Result<Load, LoadError> {
    let descriptors =
        limits::raise_descriptors().map_err(|errno| system("raise the limit of open files", errno.into()))?;
    let most = descriptors / plan.load.len().max(1);
    let compiled = Arc::new(Compiled::new(&plan, &destinations, known, most)?);
    let needs_tls = destinations.list().iter().any(|destination| destination.tls);
    let tls = needs_tls.then(|| tls::client_config(options.insecure)).transpose()?;
    let control = Arc::new(Control::default());
    let (mine, of, zero) = match options.part {
        Some(part) => (part.index..part.index + 1, part.of, part.start),
        None => {
            let wanted = options.workers.unwrap_or_else(|| sensible_workers(&plan));
            let of = wanted.min(most_workers(&compiled)).max(1);
            (0..of, of, clock.now().after(LEAD))
        }
    };
    let workers = mine.len();
    let mut ends = Vec::with_capacity(workers);
    for index in mine {
        let share = Share {
            index,
            of,
            zero,
            clock,
            plan: Arc::clone(&plan),
            compiled: compiled.clone(),
            destinations: destinations.clone(),
            tls: tls.clone(),
            connections: connections(&compiled, descriptors).div_ceil(of).min(descriptors),
            batches: batches.clone(),
            control: control.clone(),
        };
        let (tell, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("load-{index}"));
        // A worker that panics drops its end of the channel, which `join` sees.
        let spawned = thread.spawn(move || drop(tell.send(worker::run(share))));
        if let Err(error) = spawned {
            control.abort.store(true, Ordering::Relaxed);
            return Err(system("start a load worker", error));
        }
        ends.push(end);
    }
    let notes = plan.load.iter().filter(|load| load.model != Model::Closed && load.max_in_flight > most).map(|load| {
        let (name, wanted) = (&load.name, load.max_in_flight);
        format!("load `{name}`: max_in_flight lowered from {wanted} to {most}: the limit of open files (ulimit -Hn)")
    });
    let notes = notes.collect();
    let dns = tokio::spawn(dns::follow(destinations));
    let steering = Steering { zero, whom: Whom::Threads(control) };
    let whole = tokio::spawn(async move {
        let mut all = Vec::with_capacity(ends.len());
        for (index, end) in ends.into_iter().enumerate() {
            let end: std::io::Result<WorkerEnd> = end.await.map_err(|_| LoadError::Panicked(index))?;
            all.push(end.map_err(|error| system("run a load worker", error))?);
        }
        dns.abort();
        Ok(together(&plan, all))
    });
    Ok(Load { started: zero, workers, notes, steering, lost: None, whole })
}

/// Changes and ends a load from outside, while somebody else waits in [`Load::join`].
#[derive(Clone)]
pub struct Steering {
    zero: Offset,
    whom: Whom,
}

/// Who is told.
#[derive(Clone)]
enum Whom {
    /// The workers of this process.
    Threads(Arc<Control>),
    /// Workers in pods.
    Pods(pods::Orders),
}

impl Steering {
    /// From `at` on the load entry with this index is `factor` times its written curve. To be called well before `at`
    /// ([`brunt_scenario::plan::LOAD_CHANGE`]): every worker looks at least each 50 ms, and all of them change at the same
    /// instant. A worker that learns of it too late sends what it has missed at once, late, and shows that in its send lag.
    pub fn change(&self, load: usize, factor: f64, at: Offset) {
        match &self.whom {
            Whom::Threads(control) => control.tell(load, Change { at: at.since(self.zero), factor }),
            Whom::Pods(orders) => orders.change(load, factor, at),
        }
    }

    /// Load whose last stage is open-ended gets no arrival at or after `at`; a worker in a pod learns of it on the way, so
    /// that there all of them go on for a moment, and end together.
    pub fn end_timeline(&self, at: Offset) {
        match &self.whom {
            Whom::Threads(control) => control.timeline_ends.store(at.0, Ordering::Relaxed),
            Whom::Pods(orders) => orders.end_timeline(at),
        }
    }

    /// No load gets an arrival at or after `at`, whatever its stages say; open requests get their drain.
    pub fn stop(&self, at: Offset) {
        match &self.whom {
            Whom::Threads(control) => control.stops.store(at.0, Ordering::Relaxed),
            Whom::Pods(orders) => orders.stop(at),
        }
    }

    /// Stops within 50 ms, without a drain: what is open is reported as unfinished.
    pub fn abort(&self) {
        match &self.whom {
            Whom::Threads(control) => control.abort.store(true, Ordering::Relaxed),
            Whom::Pods(orders) => orders.abort(),
        }
    }
}

impl Load {
    /// What ends it.
    pub fn steering(&self) -> Steering {
        self.steering.clone()
    }

    /// Workers that are lost while it runs; only pods can be.
    pub fn lost(&mut self) -> Option<mpsc::UnboundedReceiver<Lost>> {
        self.lost.take()
    }

    /// Waits until every worker has sent its last batch. Without [`Steering::end_timeline`] or [`Steering::abort`] an
    /// open-ended load never ends.
    pub async fn join(self) -> Result<LoadEnd, LoadError> {
        self.whole.await.map_err(|error| system("wait for the load", std::io::Error::other(error)))?
    }
}

/// What came of all workers.
fn together(plan: &Plan, ends: impl IntoIterator<Item = WorkerEnd>) -> LoadEnd {
    let mut all = LoadEnd::default();
    let mut entries = vec![(0, false); plan.load.len()];
    let mut exhausted = BTreeSet::new();
    for end in ends {
        all.load_ended = all.load_ended.max(end.load_ended);
        all.scheduled += end.scheduled;
        exhausted.extend(end.exhausted);
        for (all, (scheduled, out_of_rows)) in entries.iter_mut().zip(end.entries) {
            *all = (all.0 + scheduled, all.1 | out_of_rows);
        }
    }
    all.invalid = exhausted.into_iter().collect();
    let ended = entries.iter().enumerate().filter(|(_, (_, out_of_rows))| *out_of_rows);
    all.warnings = ended.map(|(load, (scheduled, _))| ended_early(plan, load, *scheduled)).collect();
    all.entries = entries;
    all
}

/// What to say of a load entry that ended because a feeder had no row left.
fn ended_early(plan: &Plan, load: usize, started: u64) -> String {
    let load = &plan.load[load];
    let feeders = load.mix.iter().flat_map(|part| &plan.journeys[part.journey].feed);
    let unique: BTreeSet<String> = feeders
        .map(|feeder| &plan.feeders[*feeder])
        .filter(|feeder| feeder.strategy == Strategy::Unique)
        .map(|feeder| format!("`{}`", feeder.name))
        .collect();
    let curve = Curve::new(&load.stages);
    let asked = match (load.model, curve.ends()) {
        (Model::OpenConstant | Model::OpenPoisson, Some(end)) => {
            format!(" of about {:.0} that its stages ask for", curve.count(end.as_secs_f64()))
        }
        _ => ", before it was to end".to_owned(),
    };
    format!(
        "load `{}` ended after {started} iterations{asked}: {} has no row left, and `unique` rows come once. Windows after that had less load, or none.",
        load.name,
        unique.into_iter().collect::<Vec<_>>().join(" or ")
    )
}

fn system(what: &'static str, source: std::io::Error) -> LoadError {
    LoadError::System { what, source }
}

/// One for each 20,000/s or 100 users that are asked for, at most all cores but one.
fn sensible_workers(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = plan.load.iter().map(|load| {
        let peak = compiled::peak(plan, load);
        if load.model == Model::Closed { peak / USERS_A_WORKER } else { peak / RATE_A_WORKER }
    });
    (wanted.sum::<f64>().ceil() as usize).clamp(1, cores.saturating_sub(1).max(1))
}

/// `max_in_flight` and `max_per_host` are shared out to the workers: one without a share of the first would have to drop all
/// of its arrivals, one without a share of the second could not send them.
fn most_workers(compiled: &Compiled) -> usize {
    let open = compiled.load.iter().filter(|load| load.model != Model::Closed).map(|load| load.max_in_flight);
    let connected = compiled.load.iter().filter_map(|load| load.connections.max_per_host);
    open.chain(connected).min().unwrap_or(usize::MAX)
}

/// As many connections as iterations can be open.
fn connections(compiled: &Compiled, descriptors: usize) -> usize {
    let wanted = compiled.load.iter().map(|load| match load.model {
        Model::Closed => load.peak.ceil() as usize,
        Model::OpenConstant | Model::OpenPoisson => load.max_in_flight,
    });
    wanted.sum::<usize>().clamp(1, descriptors)
}
