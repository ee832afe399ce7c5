//! Load from a cluster: an Indexed Job makes one pod for each worker, and each sends its part of the one schedule from one
//! start instant. What they measure arrives here as if their threads ran here: the same batches, in the same channel, with
//! instants of the run's own clock.
//!
//! ```text
//!            ┌ plan, begin, stop, ping ──attach──> brunt worker (inside.rs) ── load::start
//! Crew ─ pod.rs                                          │
//!            └ batches <── line.rs, packed.rs <──log─────┘
//! ```
//!
//! There is no service, no broker and no database between them, and no secret in an object of the cluster: the plan goes over
//! the attached standard input. It is Kubernetes that places and starts the pods. One that is lost is not replaced: its part
//! of the schedule is missing, and the run is invalid.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use brunt_injector::Injector;
use brunt_kubernetes::job::{self, State};
use brunt_kubernetes::{Client, waiting};
use brunt_report::results::{CrewData, LagData, WorkerData};
use brunt_report::sample::{Batch, series_of};
use brunt_scenario::plan::{Plan, Sending, Step};
use brunt_scenario::units::Offset;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::destinations::Destinations;
use super::worker::WorkerEnd;
use super::{Load, LoadEnd, LoadError, Lost, Steering, Whom, together};
use crate::clock::Clock;

mod here;
mod how;
pub mod inside;
mod line;
mod offset;
mod packed;
mod pod;
mod talk;

pub use how::{How, cannot, namespace_of};
use offset::Ahead;
use pod::{Begin, Known, Place, Told, Wanted};
use talk::{Order, Over};

/// How long it may take until all pods run and have understood their plan.
const READY: Duration = Duration::from_secs(180);
/// So long a kubelet may ask for an image in vain: it has done so twice or three times by then.
const IMAGE: Duration = Duration::from_secs(30);
/// From one look at pods that are not there yet to the next.
const LOOK: Duration = Duration::from_millis(300);
/// From the order to begin to the first arrival: every worker has it by then, also over a slow API server.
const LEAD: Duration = Duration::from_millis(1000);
/// From the end of the timeline to that of open-ended load: every worker has heard of it by then, and all end together.
const TAIL: Duration = Duration::from_millis(500);

/// What workers are told.
#[derive(Clone)]
pub struct Orders {
    clock: Clock,
    all: Arc<Vec<UnboundedSender<Wanted>>>,
}

impl Orders {
    /// See [`Steering::change`].
    pub fn change(&self, load: usize, factor: f64, at: Offset) {
        self.say(&Order::Change { load, factor, at });
    }

    /// See [`Steering::end_timeline`].
    pub fn end_timeline(&self, at: Offset) {
        self.say(&Order::EndTimeline(at.max(self.clock.now()).after(TAIL)));
    }

    /// See [`Steering::stop`].
    pub fn stop(&self, at: Offset) {
        self.say(&Order::Stop(at));
    }

    /// See [`Steering::abort`].
    pub fn abort(&self) {
        self.say(&Order::Abort);
    }

    fn say(&self, order: &Order) {
        // One that is lost hears nothing any more.
        self.all.iter().for_each(|one| drop(one.send(Wanted::Say(order.clone()))));
    }
}

/// A worker, as long as the run.
struct Member {
    pod: String,
    node: String,
    known: Arc<Known>,
    orders: UnboundedSender<Wanted>,
    task: JoinHandle<()>,
}

/// Pods that are ready to begin.
pub struct Crew {
    plan: Arc<Plan>,
    job: job::Wanted,
    members: Vec<Member>,
    told: UnboundedReceiver<(usize, Told)>,
}

/// Processor time of all workers, as far as they have told.
#[derive(Clone)]
pub struct Used(Arc<Vec<Arc<Known>>>);

impl Used {
    /// So far.
    pub fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.iter().map(|known| known.used_ns.load(Ordering::Relaxed)).sum())
    }
}

impl LoadError {
    fn cluster(why: &dyn std::fmt::Display) -> Self {
        Self::Cluster(why.to_string())
    }
}

/// Makes the Job, waits until all of its pods run, gives each its part of the plan, and waits until each has understood it
/// and can reach what it loads. `say` hears how many are ready. The Job is in the journal before it is made; whoever gets an
/// error ends the injector, which deletes it.
///
/// # Errors
/// What is missing, and where.
pub async fn raise(
    plan: &Arc<Plan>,
    how: &How,
    insecure: bool,
    injector: &Injector,
    mut say: impl FnMut(usize),
) -> Result<Crew, LoadError> {
    let (cluster, job) = how.job(plan, injector.run_id())?;
    let client = cluster.connect().await.map_err(|error| LoadError::cluster(&error))?;
    let identity = job::check(&cluster, &client, &job).await.map_err(|error| LoadError::cluster(&error))?;
    injector.hold_workers(job.object(&identity)).await.map_err(|error| LoadError::cluster(&error))?;
    job.create(&client, false).await.map_err(|error| LoadError::cluster(&error))?;
    let (tell, told) = unbounded_channel();
    let mut crew = Crew { plan: Arc::clone(plan), job, members: Vec::new(), told };
    let until = Instant::now() + READY;
    say(0);
    crew.wait_for_pods(&client, &tell, insecure, until).await?;
    crew.wait_until_ready(until, &mut say).await?;
    Ok(crew)
}

impl Crew {
    /// Attaches to each pod as soon as it runs, so that all of them get ready beside each other.
    async fn wait_for_pods(
        &mut self,
        client: &Client,
        tell: &UnboundedSender<(usize, Told)>,
        insecure: bool,
        until: Instant,
    ) -> Result<(), LoadError> {
        let (of, mut found) = (self.job.pods, BTreeMap::new());
        let sending = Sending::of(&self.plan);
        let mut no_image_since = None;
        loop {
            let seen = job::pods(client, &self.job.namespace, &self.job.run_id).await;
            let seen = seen.map_err(|error| LoadError::cluster(&error))?;
            for pod in &seen {
                match &pod.state {
                    State::Ended(why) => {
                        return Err(LoadError::cluster(&format!("pod {} of worker {}: {why}", pod.name, pod.index)));
                    }
                    State::Running if pod.index < of && !found.contains_key(&pod.index) => {
                        let part = talk::Part {
                            version: env!("CARGO_PKG_VERSION").to_owned(),
                            sending: sending.clone(),
                            index: pod.index,
                            of,
                            insecure,
                        };
                        found.insert(pod.index, self.meet(client, pod, tell, part));
                    }
                    State::Running | State::Waiting(_) => {}
                }
            }
            if found.len() == of {
                self.members = found.into_values().collect();
                return Ok(());
            }
            let no_image =
                seen.iter().any(|pod| matches!(&pod.state, State::Waiting(why) if waiting::lacks_image(why)));
            let in_vain = no_image && no_image_since.get_or_insert_with(Instant::now).elapsed() > IMAGE;
            if in_vain || Instant::now() > until {
                let waits = seen.iter().filter_map(|pod| match &pod.state {
                    State::Waiting(why) => Some(format!("pod {} of worker {}: {why}", pod.name, pod.index)),
                    _ => None,
                });
                let waits: Vec<String> = waits.collect();
                let within = if in_vain { IMAGE } else { READY }.as_secs();
                let ready = found.len();
                return Err(LoadError::cluster(&format!(
                    "only {ready} of {of} workers run after {within} s: {}",
                    if waits.is_empty() { "there are no other pods".to_owned() } else { waits.join("; ") }
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn meet(
        &self,
        client: &Client,
        pod: &job::Seen,
        tell: &UnboundedSender<(usize, Told)>,
        part: talk::Part,
    ) -> Member {
        let place = Place {
            client: client.clone(),
            namespace: self.job.namespace.clone(),
            run_id: self.job.run_id.clone(),
            pod: pod.name.clone(),
            index: pod.index,
            lease: self.plan.safety.lease,
        };
        let known = Arc::new(Known::default());
        let (orders, wanted) = unbounded_channel();
        // Its reader lives as long as this sender.
        let _ = orders.send(Wanted::Say(Order::Plan(Box::new(part))));
        let task = tokio::spawn(pod::look_after(place, Arc::clone(&known), wanted, tell.clone()));
        Member { pod: pod.name.clone(), node: pod.node.clone(), known, orders, task }
    }

    async fn wait_until_ready(&mut self, until: Instant, say: &mut impl FnMut(usize)) -> Result<(), LoadError> {
        let digest = super::arrivals::schedule_digest(&self.plan);
        let mut ready = 0;
        while ready < self.members.len() {
            let left = until.saturating_duration_since(Instant::now());
            let told = tokio::time::timeout(left, self.told.recv()).await;
            let (index, told) = told.ok().flatten().ok_or_else(|| {
                let (of, within) = (self.members.len(), READY.as_secs());
                LoadError::cluster(&format!("only {ready} of {of} workers are ready after {within} s"))
            })?;
            let worker = self.members.get(index).map(|member| name(index, member)).unwrap_or_default();
            match told {
                Told::Ready(theirs) if theirs == digest => {
                    ready += 1;
                    say(ready);
                }
                Told::Ready(_) => {
                    return Err(LoadError::cluster(&format!("{worker} has made another schedule of the same plan")));
                }
                Told::Refused(why) | Told::Lost(why) => return Err(LoadError::cluster(&format!("{worker}: {why}"))),
                Told::Over(..) => return Err(LoadError::cluster(&format!("{worker} was over before it had begun"))),
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn workers(&self) -> usize {
        self.members.len()
    }

    /// Processor time of all of them.
    pub fn used(&self) -> Used {
        Used(Arc::new(self.members.iter().map(|member| Arc::clone(&member.known)).collect()))
    }

    /// Tells all of them when to begin, and hears them from then on.
    pub fn begin(self, clock: Clock, destinations: &Arc<Destinations>, batches: UnboundedSender<Batch>) -> Load {
        let at = clock.now().after(LEAD);
        let goes_to = Arc::new(goes_to(&self.plan, destinations));
        for member in &self.members {
            let (batches, destinations, goes_to) = (batches.clone(), Arc::clone(destinations), Arc::clone(&goes_to));
            let begin = Begin { clock, at, batches, destinations, goes_to };
            let _ = member.orders.send(Wanted::Begin(Box::new(begin)));
        }
        let all = Arc::new(self.members.iter().map(|member| member.orders.clone()).collect());
        let steering = Steering { zero: at, whom: Whom::Pods(Orders { clock, all }) };
        let (tell, lost) = unbounded_channel();
        let workers = self.members.len();
        let whole = tokio::spawn(self.come_together(clock, at, tell));
        Load { started: at, workers, notes: Vec::new(), steering, lost: Some(lost), whole }
    }

    /// Until each of them is over or lost.
    async fn come_together(
        mut self,
        clock: Clock,
        at: Offset,
        tell: UnboundedSender<Lost>,
    ) -> Result<LoadEnd, LoadError> {
        let mut came: BTreeMap<usize, Result<(Box<Over>, Ahead), String>> = BTreeMap::new();
        while came.len() < self.members.len() {
            let Some((index, told)) = self.told.recv().await else { break };
            match told {
                Told::Over(over, ahead) => drop(came.insert(index, Ok((over, ahead)))),
                Told::Lost(why) | Told::Refused(why) => {
                    let worker = self.members.get(index).map(|member| name(index, member)).unwrap_or_default();
                    // The run's loop may be over.
                    let _ = tell.send(Lost { worker, why: why.clone() });
                    came.insert(index, Err(why));
                }
                Told::Ready(_) => {}
            }
        }
        let ended = clock.now();
        let ends = came.values().filter_map(|came| came.as_ref().ok()).map(|(over, _)| over.end.clone());
        let mut end = together(&self.plan, ends.collect::<Vec<WorkerEnd>>());
        end.invalid.extend(self.members.iter().enumerate().filter_map(|(index, member)| missing(index, member, &came)));
        if end.load_ended == Offset(0) {
            end.load_ended = ended;
        }
        end.crew = Some(self.facts(&came, ended.since(at)));
        for member in self.members {
            // Its task says to the recorder until here that nothing more comes.
            drop(member.orders);
            member.task.abort();
        }
        Ok(end)
    }

    fn facts(&self, came: &BTreeMap<usize, Result<(Box<Over>, Ahead), String>>, lasted: Duration) -> CrewData {
        let ms = |ns: f64| brunt_report::results::millis_of_micros(ns / 1e3);
        let mut starts = Vec::new();
        let mut clocks_within_ms = 0.0_f64;
        let mut workers = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let ahead = member.known.ahead();
            let within_ms = ahead.map_or(0.0, |ahead| ms(ahead.within_ns as f64));
            clocks_within_ms = clocks_within_ms.max(within_ms);
            let mut worker = WorkerData {
                index,
                pod: member.pod.clone(),
                node: member.node.clone(),
                requests: member.known.requests.load(Ordering::Relaxed),
                send_lag_ms: LagData::default(),
                cpu: share(member.known.used_ns.load(Ordering::Relaxed), lasted),
                clock_ahead_ms: ahead.map_or(0.0, |ahead| ms(ahead.wall_ns as f64)),
                within_ms,
                latency: None,
                lost: None,
            };
            match came.get(&index) {
                Some(Ok((over, begun))) => {
                    let lag = |at: usize| over.lag_ms.map(|lag| lag[at]);
                    worker.send_lag_ms = LagData { p50: lag(0), p99: lag(1), max: lag(2) };
                    worker.cpu = share(over.used_ns, lasted);
                    worker.latency = Some(over.latency.clone());
                    // What is known of its clock by now says when it really began.
                    let late = begun.ns.saturating_sub(ahead.map_or(begun.ns, |ahead| ahead.ns));
                    starts.push(late as f64 + over.first_lag_ns as f64);
                }
                Some(Err(why)) => worker.lost = Some(why.clone()),
                None => worker.lost = Some("nobody knows".to_owned()),
            }
            workers.push(worker);
        }
        let first = starts.iter().copied().fold(f64::INFINITY, f64::min);
        let last = starts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let start_skew_ms = (starts.len() == workers.len()).then(|| ms(last - first));
        CrewData {
            namespace: self.job.namespace.clone(),
            job: self.job.name.clone(),
            start_skew_ms,
            clocks_within_ms,
            workers,
        }
    }
}

/// Of one core.
fn share(used_ns: u64, lasted: Duration) -> f64 {
    brunt_report::results::rounded_seconds(used_ns as f64 / 1e9 / lasted.as_secs_f64().max(1e-3))
}

/// As it is called in sentences.
fn name(index: usize, member: &Member) -> String {
    format!("worker {index} (pod {} on {})", member.pod, member.node)
}

/// Why the measurement is not whole, for one that was lost.
fn missing(
    index: usize,
    member: &Member,
    came: &BTreeMap<usize, Result<(Box<Over>, Ahead), String>>,
) -> Option<String> {
    let Some(Err(why)) = came.get(&index) else { return None };
    let until = Offset(member.known.upto.load(Ordering::Relaxed)).as_secs_f64();
    let of = came.len();
    Some(format!("{} was lost: {why}. Its share, one of {of}, is missing from {until:.1} s on.", name(index, member)))
}

/// By series: which destination its requests go to.
fn goes_to(plan: &Plan, destinations: &Destinations) -> Vec<usize> {
    let steps = plan.journeys.iter().flat_map(|journey| &journey.steps);
    let to: Vec<usize> = steps
        .filter_map(|step| match step {
            Step::Request(request) => Some(destinations.index_of(&request.target).unwrap_or(usize::MAX)),
            Step::Think(_) => None,
        })
        .collect();
    debug_assert_eq!(to.len(), series_of(plan).len(), "a series for each request step");
    to
}
