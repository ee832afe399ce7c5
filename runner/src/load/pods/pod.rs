//! One worker in its pod, as the runner sees it: orders and pings over attach, results from the log, until its last message
//! is here or it is lost.
//!
//! Either connection may break: it is made again, what was not heard is said again, and what is missing of the results is asked
//! for by its number. A worker is lost when its pod has ended, or when it has been silent for longer than the lease: then it
//! has stopped by itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use brunt_kubernetes::Client;
use brunt_kubernetes::job::{self, Log, State, Talk};
use brunt_report::sample::Batch;
use brunt_scenario::units::Offset;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::here;
use super::line::{self, Reader};
use super::offset::{Ahead, Offsets};
use super::packed;
use super::talk::{BATCH, FromWorker, Order, Over, RESULT, Reading, Result as Message, ToWorker};
use crate::clock::{self, Clock};
use crate::load::destinations::Destinations;

/// From one look at the connections to the next; and from one ping to the next until the clock is known.
const LOOK: Duration = Duration::from_millis(50);
/// From one ping to the next after that.
const PING: Duration = Duration::from_millis(500);
/// So many answered pings make a clock known.
const KNOWN: usize = 10;
/// How long a connection may take, or a write to it.
const CONNECT: Duration = Duration::from_secs(4);
/// Without an answer for so long a connection is made anew.
const STALE: Duration = Duration::from_secs(3);
/// How long the last lines may take once the pod has ended.
const LAST: Duration = Duration::from_secs(10);

/// Which pod it is.
#[derive(Clone)]
pub struct Place {
    /// The cluster.
    pub client: Client,
    /// Its namespace.
    pub namespace: String,
    /// The run, which its label names.
    pub run_id: String,
    /// Its name.
    pub pod: String,
    /// Which worker it is.
    pub index: usize,
    /// A worker that is silent for longer has stopped.
    pub lease: Duration,
}

/// What the runner wants of it.
pub enum Wanted {
    /// To be told.
    Say(Order),
    /// The load begins.
    Begin(Box<Begin>),
}

/// What results need.
pub struct Begin {
    /// The run's clock.
    pub clock: Clock,
    /// When the schedule starts.
    pub at: Offset,
    /// Where batches go.
    pub batches: UnboundedSender<Batch>,
    /// Where addresses are known.
    pub destinations: Arc<Destinations>,
    /// By series: which destination it goes to.
    pub goes_to: Arc<Vec<usize>>,
}

/// What is known of it at any time.
#[derive(Default)]
pub struct Known {
    offsets: Mutex<Offsets>,
    /// Processor time, nanoseconds.
    pub used_ns: AtomicU64,
    /// Requests outside warm-up that have arrived.
    pub requests: AtomicU64,
    /// Everything that ended before this instant has arrived, nanoseconds since run zero.
    pub upto: AtomicU64,
}

impl Known {
    /// How far its clock is ahead.
    pub fn ahead(&self) -> Option<Ahead> {
        self.offsets().ahead()
    }

    fn offsets(&self) -> std::sync::MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of it.
#[derive(Debug)]
pub enum Told {
    /// It can begin; with the digest of its schedule.
    Ready(String),
    /// It cannot.
    Refused(String),
    /// Everything has arrived. With how far its clock was ahead when it began, and when that was to be by its clock.
    Over(Box<Over>, Ahead),
    /// It is lost.
    Lost(String),
}

/// Looks after it until it is over or lost.
pub async fn look_after(
    place: Place,
    known: Arc<Known>,
    mut wanted: UnboundedReceiver<Wanted>,
    told: UnboundedSender<(usize, Told)>,
) {
    let index = place.index;
    let mut pod = Pod::new(place, known);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        let ended = tokio::select! {
            biased;
            order = wanted.recv() => match order {
                Some(order) => pod.want(order).await,
                None => return,
            },
            // Before results: a ping that waits for them would measure nothing.
            _ = look.tick() => pod.look().await,
            said = hear(&mut pod.talk) => pod.heard(said),
            said = pod.log.recv() => pod.read(said).await,
        };
        match ended {
            None => {}
            Some(Told::Ready(digest)) => drop(told.send((index, Told::Ready(digest)))),
            Some(end) => break end,
        }
    };
    if matches!(end, Told::Over(..)) {
        pod.want(Wanted::Say(Order::Bye)).await;
    }
    let clock = pod.begun.take().map(|begun| (begun.begin.clock, begun.begin.batches));
    // The runner's end of the channel goes with the run.
    let _ = told.send((index, end));
    // What is judged needs to know that nothing more comes from here.
    let Some((clock, batches)) = clock else { return };
    while !wanted.is_closed() {
        tokio::time::sleep(PING / 2).await;
        let nothing = Batch { worker: index, upto: clock.now(), ..Batch::default() };
        if batches.send(nothing).is_err() {
            return;
        }
    }
}

/// The next line of a connection, if there is one.
async fn hear(talk: &mut Option<Talk>) -> Option<String> {
    match talk {
        Some(talk) => talk.hear().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// From the log.
enum Read {
    /// It was opened.
    Open,
    /// A line of it.
    Line(Vec<u8>),
    /// It is over, or the connection has broken.
    End,
}

struct Begun {
    begin: Begin,
    /// How far the worker's clock was ahead when it was told when to begin: what its instants count from.
    ahead: Ahead,
    /// The worker's addresses of each destination by their places here.
    places: Vec<Vec<u16>>,
}

struct Pod {
    place: Place,
    known: Arc<Known>,
    talk: Option<Talk>,
    answers: Reader,
    log: UnboundedReceiver<Read>,
    results: Reader,
    /// Orders that it is not known to have heard.
    unheard: VecDeque<(u64, Order)>,
    orders: u64,
    /// Pings that were not answered yet.
    pings: BTreeMap<u64, Reading>,
    pinged: u64,
    last_ping: Option<Instant>,
    last_connect: Option<Instant>,
    last_word: Instant,
    /// Results that were due at the last look, and since when.
    due: (u64, Instant),
    /// Lines of results that it has written.
    written: u64,
    digest: Option<String>,
    is_ready: bool,
    log_ended: Option<Instant>,
    begun: Option<Begun>,
}

impl Pod {
    fn new(place: Place, known: Arc<Known>) -> Self {
        let log = follow(&place, true);
        let now = Instant::now();
        Self {
            place,
            known,
            talk: None,
            answers: Reader::of_talk(),
            log,
            results: Reader::default(),
            unheard: VecDeque::new(),
            orders: 0,
            pings: BTreeMap::new(),
            pinged: 0,
            last_ping: None,
            last_connect: None,
            last_word: now,
            due: (1, now),
            written: 0,
            digest: None,
            is_ready: false,
            log_ended: None,
            begun: None,
        }
    }

    async fn want(&mut self, wanted: Wanted) -> Option<Told> {
        let order = match wanted {
            Wanted::Say(order) => order,
            Wanted::Begin(begin) => {
                let ahead = self.known.ahead()?;
                let zero_ns = begin.clock.to_monotonic(Offset(0)).wrapping_add_signed(ahead.ns);
                let order = Order::Begin { zero_ns, at: begin.at };
                self.begun = Some(Begun { begin: *begin, ahead, places: Vec::new() });
                order
            }
        };
        self.orders += 1;
        self.unheard.push_back((self.orders, order.clone()));
        self.say(&ToWorker::Order { number: self.orders, order }).await;
        None
    }

    /// Writes, or gives the connection up: it will be made anew, and what was not heard said again.
    async fn say(&mut self, what: &ToWorker) {
        let Some(talk) = &mut self.talk else { return };
        let text = serde_json::to_vec(what).expect("plain data has a JSON form");
        let lines = line::talk(&text);
        // A plan with many rows takes its time: at least a megabyte a second.
        let within = CONNECT + Duration::from_millis(lines.len() as u64 / 1000);
        if !matches!(timeout(within, talk.say(lines.as_bytes())).await, Ok(Ok(()))) {
            self.talk = None;
        }
    }

    fn heard(&mut self, said: Option<String>) -> Option<Told> {
        let Some(said) = said else {
            self.talk = None;
            return None;
        };
        let message = self.answers.take(said.as_bytes())?;
        match serde_json::from_slice(&message).ok()? {
            FromWorker::Pong { number, time, heard, written, used_ns } => {
                if let Some(sent) = self.pings.remove(&number) {
                    self.known.offsets().heard(sent, now(), time);
                }
                self.pings.retain(|other, _| *other > number);
                self.unheard.retain(|(order, _)| *order > heard);
                self.last_word = Instant::now();
                self.written = written;
                self.known.used_ns.store(used_ns, Ordering::Relaxed);
                self.ready()
            }
            FromWorker::Ready { digest, .. } => {
                self.digest = Some(digest);
                self.ready()
            }
            FromWorker::Refused { why } => Some(Told::Refused(why)),
        }
    }

    /// It is ready once its plan is understood and its clock known.
    fn ready(&mut self) -> Option<Told> {
        let digest = self.digest.clone().filter(|_| !self.is_ready && self.known.offsets().answered() >= KNOWN)?;
        self.is_ready = true;
        Some(Told::Ready(digest))
    }

    async fn read(&mut self, said: Option<Read>) -> Option<Told> {
        match said {
            Some(Read::Open) if self.results.next() > 1 => {
                // What was written while nobody read.
                self.say(&ToWorker::Again { due: self.results.next() }).await;
                None
            }
            Some(Read::Open) => None,
            Some(Read::Line(line)) => {
                let had_gap = self.results.has_gap();
                let message = self.results.take(&line);
                if self.results.has_gap() && !had_gap {
                    self.say(&ToWorker::Again { due: self.results.next() }).await;
                }
                self.result(&message?)
            }
            Some(Read::End) | None => {
                let (_, closed) = unbounded_channel();
                self.log = closed;
                self.log_ended.get_or_insert_with(Instant::now);
                // A channel that is closed answers at once: the next look deals with it.
                tokio::time::sleep(LOOK).await;
                None
            }
        }
    }

    fn result(&mut self, message: &[u8]) -> Option<Told> {
        let (kind, body) = message.split_first()?;
        let begun = self.begun.as_mut()?;
        let Begin { clock, batches, destinations, goes_to, .. } = &begun.begin;
        match *kind {
            BATCH => {
                let mut batch = packed::unpack(body)?;
                let ahead = self.known.ahead().unwrap_or(begun.ahead);
                here::move_by(&mut batch, begun.ahead.ns.saturating_sub(ahead.ns));
                batch.worker = self.place.index;
                // The estimate may be a moment wrong; nothing has ended in the future.
                batch.upto = batch.upto.min(clock.now());
                here::name_instances(&mut batch, goes_to, &begun.places);
                let judged = batch.requests.iter().filter(|request| !request.warmup).count();
                self.known.requests.fetch_add(judged as u64, Ordering::Relaxed);
                self.known.upto.store(batch.upto.0, Ordering::Relaxed);
                // The recorder is gone only after every worker.
                let _ = batches.send(batch);
                None
            }
            RESULT => match serde_json::from_slice(body).ok()? {
                Message::Addresses(all) => {
                    begun.places =
                        all.iter().enumerate().map(|(at, all)| here::places(destinations, at, all)).collect();
                    None
                }
                Message::Over(over) => Some(ended(over, self.known.requests.load(Ordering::Relaxed), begun.ahead)),
            },
            _ => None,
        }
    }

    /// Makes connections that are missing, pings, and finds out what became of a worker that says nothing.
    async fn look(&mut self) -> Option<Told> {
        if self.last_word.elapsed() > self.place.lease {
            let silent = self.place.lease.as_secs_f64();
            return Some(Told::Lost(format!("no word from it for {silent} s, so that it has stopped by itself")));
        }
        if (self.talk.is_none() || self.log_ended.is_some())
            && let Some(ended) = self.ended().await
        {
            return Some(ended);
        }
        if self.talk.is_none() {
            self.connect().await;
        } else if self.last_word.elapsed() > STALE && self.last_connect.is_some_and(|at| at.elapsed() > STALE) {
            self.talk = None;
        }
        // The runner does not know of lines that the worker says it has written: the log has stopped.
        if self.results.next() != self.due.0 || self.written < self.results.next() {
            self.due = (self.results.next(), Instant::now());
        }
        if self.log_ended.is_some() || self.due.1.elapsed() > STALE {
            self.due.1 = Instant::now();
            self.log_ended = None;
            self.log = follow(&self.place, self.results.next() == 1);
        }
        let pause = if self.known.offsets().answered() < 2 * KNOWN { LOOK } else { PING };
        if self.last_ping.is_none_or(|last| last.elapsed() >= pause) {
            self.last_ping = Some(Instant::now());
            self.pinged += 1;
            let number = self.pinged;
            self.pings.insert(number, now());
            self.say(&ToWorker::Ping { number, due: self.results.next() }).await;
        }
        None
    }

    async fn connect(&mut self) {
        if self.last_connect.is_some_and(|at| at.elapsed() < PING) {
            return;
        }
        self.last_connect = Some(Instant::now());
        let Place { client, namespace, pod, .. } = &self.place;
        let Ok(Ok(talk)) = timeout(CONNECT, Talk::with(client, namespace, pod)).await else { return };
        self.talk = Some(talk);
        // A line that broke off ends here, and is nothing.
        if let Some(talk) = &mut self.talk {
            let _ = timeout(CONNECT, talk.say(b"\n")).await;
        }
        for (number, order) in self.unheard.clone() {
            self.say(&ToWorker::Order { number, order }).await;
        }
    }

    /// If its pod has ended: what is still in the log, and then what became of it. An API server that does not answer says
    /// nothing about it.
    async fn ended(&mut self) -> Option<Told> {
        let Place { client, namespace, run_id, pod, .. } = &self.place;
        let Ok(Ok(pods)) = timeout(CONNECT, job::pods(client, namespace, run_id)).await else { return None };
        let why = match pods.into_iter().find(|seen| seen.name == *pod).map(|seen| seen.state) {
            Some(State::Running | State::Waiting(_)) => return None,
            Some(State::Ended(why)) => why,
            None => "its pod is gone".to_owned(),
        };
        let left = async {
            let mut log = Log::of(client, namespace, pod, true, false).await.ok()?;
            let mut lines = Vec::new();
            while let Ok(Some(line)) = log.next().await {
                lines.push(line);
            }
            Some(lines)
        };
        for line in timeout(LAST, left).await.ok().flatten().unwrap_or_default() {
            if let Some(message) = self.results.take(&line)
                && let Some(over) = self.result(&message)
            {
                return Some(over);
            }
        }
        Some(Told::Lost(why))
    }
}

/// What becomes of a worker that has said its last word: it is lost unless all that it measured is here.
fn ended(over: Box<Over>, arrived: u64, ahead: Ahead) -> Told {
    if over.requests == arrived {
        return Told::Over(over, ahead);
    }
    Told::Lost(format!("{arrived} of the {} requests that it measured have arrived", over.requests))
}

/// Reads the log in a task of its own, as a read of a line must not be broken off; ends with its receiver.
fn follow(place: &Place, whole: bool) -> UnboundedReceiver<Read> {
    let (said, log) = unbounded_channel();
    let Place { client, namespace, pod, .. } = place.clone();
    tokio::spawn(async move {
        if let Ok(Ok(mut log)) = timeout(CONNECT, Log::of(&client, &namespace, &pod, whole, true)).await {
            let mut going = said.send(Read::Open).is_ok();
            while going {
                tokio::select! {
                    line = log.next() => match line {
                        Ok(Some(line)) => going = said.send(Read::Line(line)).is_ok(),
                        Ok(None) | Err(_) => break,
                    },
                    () = said.closed() => return,
                }
            }
        }
        // Who does not listen any more does not want to know.
        let _ = said.send(Read::End);
    });
    log
}

fn now() -> Reading {
    let (monotonic_ns, wall_ns) = clock::both();
    Reading { monotonic_ns, wall_ns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::worker::WorkerEnd;

    #[test]
    fn a_worker_of_which_not_all_has_arrived_is_lost_with_the_number_that_is_missing() {
        let over = |requests| {
            let end = WorkerEnd::default();
            Box::new(Over { end, requests, latency: String::new(), lag_ms: None, first_lag_ns: 0, used_ns: 0 })
        };
        let ahead = Ahead { ns: 0, wall_ns: 0, within_ns: 1 };
        assert!(matches!(ended(over(240), 240, ahead), Told::Over(..)));
        for arrived in [239, 241] {
            let wanted = format!("{arrived} of the 240 requests that it measured have arrived");
            assert!(matches!(ended(over(240), arrived, ahead), Told::Lost(why) if why == wanted));
        }
    }
}
