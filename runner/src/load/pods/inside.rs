//! `brunt worker`: what runs in each pod. It has no file, no argument and no right: the plan, its part of it and every order
//! come by its standard input, results go to its standard output, answers to its standard error.
//!
//! A thread of its own listens, so that a ping is answered at once whatever else goes on. A runner that is silent for longer
//! than its lease is gone: the load ends then, for nobody would know what it did. An answer that breaks off or gets lost is
//! written again with each ping until an order shows that it has arrived.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brunt_report::recorder::cells;
use brunt_report::sample::Batch;
use brunt_report::stats::quantile::of_histogram;
use brunt_scenario::plan::{Addresses, Plan};
use brunt_scenario::units::Offset;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::packed;
use super::talk::{BATCH, FromWorker, Order, Over, Part, Result as Message};
use crate::clock::Clock;
use crate::environment;
use crate::load::destinations::Destinations;
use crate::load::{self, LoadEnd, LoadError, Steering};

mod post;

use post::{Post, listen};

/// Test hook: this worker's clocks are ahead by so many milliseconds. `2=3000` means the worker with index 2 only.
pub const AHEAD: &str = "BRUNT_TEST_WORKER_CLOCK_AHEAD";
/// Which pod of the job this is: Kubernetes says so.
const INDEX: &str = "JOB_COMPLETION_INDEX";
/// Batches of so long go together: a list of all open requests is in each.
const TOGETHER: Duration = Duration::from_millis(150);
/// And no longer than this many requests.
const MANY: usize = 4000;

/// Runs until everything was received, or nobody is there who could. The exit code of the process.
pub fn main() -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("brunt worker: no runtime: {error}");
            return 1;
        }
    };
    let ended = runtime.block_on(work());
    // A thread still waits for standard input.
    runtime.shutdown_background();
    match ended {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("brunt worker: {why}");
            1
        }
    }
}

async fn work() -> Result<(), String> {
    let (orders, mut received) = unbounded_channel();
    let post = Arc::new(Post::new(shift()));
    let listens = Arc::clone(&post);
    let listener = std::thread::Builder::new().name("orders".into()).spawn(move || listen(&listens, &orders));
    listener.map_err(|error| format!("no thread: {error}"))?;
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| format!("no signals: {error}"))?;
    tokio::select! {
        ended = carry_out(&post, &mut received) => ended,
        _ = terminated.recv() => Err("it was asked to end (SIGTERM)".into()),
        () = post.silence() => Err("nobody has said a word for longer than the lease: the run is gone".into()),
    }
}

/// From the plan to the last message.
async fn carry_out(post: &Arc<Post>, received: &mut UnboundedReceiver<Order>) -> Result<(), String> {
    let gone = || "no order came".to_owned();
    let Some(Order::Plan(part)) = received.recv().await else { return Err(gone()) };
    let Part { version, sending, index, of, insecure } = *part;
    let plan = Arc::new(sending.into_plan());
    let prepared = match (version == env!("CARGO_PKG_VERSION")).then_some(()) {
        Some(()) => prepare(&plan).await.map_err(|error| error.to_string()),
        None => Err(format!(
            "the image has brunt {}, and the one that started it is {version}: use the image of the same version",
            env!("CARGO_PKG_VERSION")
        )),
    };
    let destinations = match prepared {
        Ok(destinations) => Arc::new(destinations),
        Err(why) => {
            post.announce(Some(FromWorker::Refused { why }));
            // Until it has been read.
            while received.recv().await.is_some_and(|order| !matches!(order, Order::Bye)) {}
            return Ok(());
        }
    };
    let digest = load::arrivals::schedule_digest(&plan);
    post.announce(Some(FromWorker::Ready { digest, notes: Vec::new() }));
    let (clock, start) = match received.recv().await {
        Some(Order::Begin { zero_ns, at }) => (Clock::from_zero(zero_ns.wrapping_add_signed(-post.shift_ns)), at),
        Some(Order::Bye) => return Ok(()),
        _ => return Err(gone()),
    };
    post.announce(None);
    post.lease_begins(plan.safety.lease);
    let (batches, filed) = unbounded_channel();
    let part = Some(load::Part { index, of, start });
    let options = load::Options { workers: None, insecure, part };
    let running =
        load::start(Arc::clone(&plan), &addresses(), Arc::clone(&destinations), clock, &options, batches.clone());
    drop(batches);
    let load = running.map_err(|error| error.to_string())?;
    let steering = load.steering();
    let (writes, goes_to) = (Arc::clone(post), Arc::clone(&destinations));
    let writer = std::thread::Builder::new().name("results".into()).spawn(move || write(&writes, &goes_to, filed));
    let writer = writer.map_err(|error| format!("no thread: {error}"))?;
    let mut whole = tokio::spawn(load.join());
    let end = loop {
        tokio::select! {
            end = &mut whole => break end,
            order = received.recv() => steer(&steering, order),
        }
    };
    let end = end.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let seen = tokio::task::spawn_blocking(move || writer.join()).await;
    let seen = seen.map_err(|error| error.to_string())?.map_err(|_| "the writer of results panicked".to_owned())?;
    post.results(&Message::Over(Box::new(seen.over(end))));
    // Lines that are missing are asked for by who misses them.
    while received.recv().await.is_some_and(|order| !matches!(order, Order::Bye)) {}
    Ok(())
}

async fn prepare(plan: &Plan) -> Result<Destinations, LoadError> {
    let destinations = Destinations::resolve(plan, &addresses()).await?;
    load::preflight::check(&destinations, &[]).await?;
    Ok(destinations)
}

/// Here are no services and no links: what needs their addresses is refused before there is a pod.
fn addresses() -> Addresses {
    let exe = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    Addresses { exe, ..Addresses::default() }
}

fn steer(steering: &Steering, order: Option<Order>) {
    match order {
        Some(Order::Change { load, factor, at }) => steering.change(load, factor, at),
        Some(Order::EndTimeline(at)) => steering.end_timeline(at),
        Some(Order::Stop(at)) => steering.stop(at),
        Some(Order::Abort | Order::Bye) | None => steering.abort(),
        Some(Order::Plan(_) | Order::Begin { .. }) => {}
    }
}

/// By how much this worker's clocks are ahead, for tests, nanoseconds: all machines of a test have one clock.
fn shift() -> i64 {
    let asked = std::env::var(AHEAD).unwrap_or_default();
    let (whom, millis) = asked.split_once('=').unwrap_or_default();
    let is_meant = std::env::var(INDEX).is_ok_and(|index| index == whom);
    let millis = millis.parse::<i64>().ok().filter(|_| is_meant).unwrap_or_default();
    millis.saturating_mul(1_000_000)
}

/// What was counted here, beside what was sent.
struct Counted {
    requests: u64,
    latency: Histogram<u64>,
    lag: Histogram<u64>,
    /// The arrival that was due first, and how late it was handled.
    first: Option<(Offset, u64)>,
}

/// Sends batches as they come, some of them together.
fn write(post: &Post, destinations: &Destinations, mut batches: UnboundedReceiver<Batch>) -> Counted {
    let mut counted = Counted { requests: 0, latency: cells::three_digits(), lag: cells::two_digits(), first: None };
    let mut addresses = Vec::new();
    let mut waiting: Option<Batch> = None;
    let mut since = Offset(0);
    loop {
        let next = batches.blocking_recv();
        let over = next.is_none();
        if let Some(batch) = next {
            counted.count(&batch);
            match &mut waiting {
                Some(all) => append(all, batch),
                None => {
                    since = batch.upto;
                    waiting = Some(batch);
                }
            }
        }
        let due = |all: &mut Batch| over || all.upto.since(since) >= TOGETHER || all.requests.len() >= MANY;
        if let Some(all) = waiting.take_if(due) {
            let known: Vec<_> = destinations.list().iter().map(|one| one.places()).collect();
            if known != addresses {
                post.results(&Message::Addresses(known.clone()));
                addresses = known;
            }
            post.message(BATCH, &packed::pack(&all));
        }
        if over {
            return counted;
        }
    }
}

/// The later one's state is the state of both.
fn append(all: &mut Batch, mut later: Batch) {
    all.upto = later.upto;
    all.requests.append(&mut later.requests);
    all.repeats.append(&mut later.repeats);
    all.iterations.append(&mut later.iterations);
    all.arrivals.append(&mut later.arrivals);
    all.open = later.open;
    all.examples.append(&mut later.examples);
    all.in_flight_max = all.in_flight_max.max(later.in_flight_max);
}

impl Counted {
    fn count(&mut self, batch: &Batch) {
        for request in batch.requests.iter().filter(|request| !request.warmup) {
            self.requests += 1;
            cells::record(&mut self.latency, cells::micros(request.intended, request.done), 1);
        }
        for arrival in &batch.arrivals {
            cells::record(&mut self.lag, cells::micros_of(arrival.lag_ns), 1);
            if self.first.is_none_or(|(earliest, _)| arrival.intended < earliest) {
                self.first = Some((arrival.intended, arrival.lag_ns));
            }
        }
    }

    fn over(self, end: LoadEnd) -> Over {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.latency, &mut bytes);
        written.expect("a vector takes every histogram");
        let lag = |q| of_histogram(&self.lag, q).map(|us| us as f64 / 1e3);
        let lag_ms = lag(0.5).zip(lag(0.99)).zip(lag(1.0)).map(|((p50, p99), max)| [p50, p99, max]);
        Over {
            end: end.into(),
            requests: self.requests,
            latency: STANDARD.encode(bytes),
            lag_ms,
            first_lag_ns: self.first.map_or(0, |(_, lag)| lag),
            used_ns: environment::cpu_time().as_nanos() as u64,
        }
    }
}
